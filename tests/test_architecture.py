"""The house keeps its shape: imports point down, heavy libraries have one door, no machine is written in."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "beatingbert"

BELOW_ALL = {"cores", "errors", "progress"}
MAY_IMPORT = {
    "__main__": {"cli"},
    "beatingbert": {"classifiers", "decision", "experiments", "runs"},
    "cli": {
        "classifiers",
        "decision",
        "tables",
        "experiments",
        "execution",
        "report",
        "runs",
        "engines",
        "prompts",
        "checkpoints",
        "tasks",
        *BELOW_ALL,
    },
    "experiments": {
        *(
            "classifiers",
            "report",
            "engines",
            "scoring",
            "runs",
            "execution",
            "prompts",
            "checkpoints",
            "tasks",
            "statistics",
        ),
        *BELOW_ALL,
    },
    "decision": {
        *("classifiers", "experiments", "tables", "report", "engines", "scoring", "runs", "prompts", "checkpoints"),
        *("tasks", "statistics", *BELOW_ALL),
    },
    "report": {"runs", "statistics", "tasks", *BELOW_ALL},
    "tables": {"prompts", "tasks", *BELOW_ALL},
    "classifiers": {"engines", "runs", "tasks", *BELOW_ALL},
    "study": {"report", "runs", "statistics", "tasks", *BELOW_ALL},
    "engines": {"checkpoints", "prompts", "tasks", "wheels", *BELOW_ALL},
    "execution": set(BELOW_ALL),
    "checkpoints": {"tasks", "wheels", *BELOW_ALL},
    "prompts": {"tasks", *BELOW_ALL},
    "scoring": {"tasks", "statistics", *BELOW_ALL},
    "runs": {"tasks", *BELOW_ALL},
    "tasks": {"wheels", *BELOW_ALL},
    "statistics": {"errors"},
    "wheels": set(BELOW_ALL),
    "cores": set(),
    "errors": set(),
    "progress": set(),
}
DOORS = {
    "charset_normalizer": ("tables/encoding.py",),
    "cleanlab": ("decision/second_look.py",),
    "clevercsv": ("tables/dialect.py",),
    "datasets": ("tasks/",),
    "torch": ("engines/", "checkpoints/"),
    "transformers": ("engines/", "checkpoints/"),
    "peft": ("engines/",),
    "accelerate": ("engines/",),
    "huggingface_hub": ("checkpoints/", "tasks/"),
    "gguf": ("checkpoints/",),
    "matplotlib": ("report/plots/",),
    "plotly": ("report/page/render.py",),
    "jinja2": ("report/page/render.py",),
    "playwright": (),
    "ray": ("execution/cluster.py",),
    "fsspec": ("runs/remote.py",),
    "dspy": ("engines/optimized/",),
    "optuna": ("engines/optimized/",),
    "gepa": (),
    "litellm": (),
    "openai": ("engines/served/",),
    "ollama": ("engines/served/",),
    "httpx": ("engines/served/",),
    "fastapi": ("classifiers/server.py",),
    "uvicorn": ("classifiers/server.py",),
    "onnx": (),
    "onnxruntime": ("engines/encoder/",),
    "pandas": (),
    "rich": ("cli/",),
    "tyro": ("cli/", "experiments/config/run.py"),
}
ENGINE_FOLDERS = ("embedding", "encoder", "llm", "lora", "optimized", "served")
ANSWERS_THROUGH = {"embedding": {"encoder"}, "lora": {"llm"}, "optimized": {"llm", "served"}}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    return {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def imports_of(name: str) -> frozenset[str]:
    """Every module that a module imports, wherever in the file, also inside functions and under TYPE_CHECKING."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(modules()[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} line {node.lineno}: imports are written out, not relative"
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= members & modules().keys() or {str(node.module)}
    return frozenset(found)


def own_imports_of(name: str) -> set[str]:
    return {other for other in imports_of(name) if other.partition(".")[0] == "beatingbert"}


def part_of(name: str) -> str:
    return name.split(".")[1] if "." in name else name


def test_the_walk_sees_the_package() -> None:
    assert {"beatingbert", "beatingbert.cli.main", "beatingbert.tasks.spec"} <= modules().keys()
    assert "torch" in set().union(*(imports_of(name) for name in modules()))
    assert "beatingbert.experiments.config" in imports_of("beatingbert.cli.main")


@pytest.mark.parametrize("name", modules())
def test_imports_point_down(name: str) -> None:
    part = part_of(name)
    assert part in MAY_IMPORT, f"{part!r} is a new part of the house: say here what it may import"
    others = {part_of(other) for other in own_imports_of(name)} - {part}
    assert others <= MAY_IMPORT[part], f"{name} imports {sorted(others - MAY_IMPORT[part])}"


def test_what_may_be_imported_is_itself_without_a_circle() -> None:
    TopologicalSorter(MAY_IMPORT).prepare()


def test_no_two_modules_import_each_other_round_about() -> None:
    try:
        TopologicalSorter({name: own_imports_of(name) - {name} for name in modules()}).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_engine_folders_ignore_each_other() -> None:
    for name in modules():
        folder = name.split(".")[2] if name.startswith("beatingbert.engines.") else None
        if folder not in ENGINE_FOLDERS:
            continue
        allowed = {folder, *ANSWERS_THROUGH.get(folder, ())}
        strangers = {other.split(".")[2] for other in own_imports_of(name) if other.startswith("beatingbert.engines.")}
        assert not strangers & (set(ENGINE_FOLDERS) - allowed), name


def test_the_catalog_imports_no_engine() -> None:
    assert own_imports_of("beatingbert.engines.catalog") == {
        "beatingbert.engines.protocol",
        "beatingbert.errors",
    }


@pytest.mark.parametrize("library", DOORS)
def test_each_heavy_library_has_its_door(library: str) -> None:
    for name, path in modules().items():
        if library in {other.partition(".")[0] for other in imports_of(name)}:
            place = path.relative_to(PACKAGE).as_posix()
            assert place.startswith(DOORS[library]), f"{place} imports {library}"


def test_no_module_collects_strays() -> None:
    strays = ("utils", "util", "helpers", "helper", "common", "misc")
    assert not [name for name in modules() if name.rpartition(".")[2] in strays]


def test_every_module_says_what_it_is_for() -> None:
    for name, path in modules().items():
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), name


def test_the_public_face_and_the_command_load_nothing_heavy() -> None:
    heavy = "torch transformers numpy pandas sklearn scipy datasets pyarrow huggingface_hub peft accelerate gguf"
    heavy += " matplotlib openai ollama httpx dspy gepa optuna litellm"
    heavy += " fastapi uvicorn pydantic onnxruntime clevercsv charset_normalizer"
    look = f"""
import sys
import beatingbert, beatingbert.cli.main
print(*(name for name in "{heavy}".split() if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_public_names_are_all_there() -> None:
    import beatingbert

    assert sorted(beatingbert.__all__) == [
        *("BERTConfig", "Decision", "GemmaConfig", "KeptClassifier", "LLMConfig", "LinearConfig", "MajorityConfig"),
        *("RunConfig", "RunRecord", "__version__", "decide", "load_classifier", "run"),
    ]
    for name in beatingbert.__all__:
        assert hasattr(beatingbert, name)


def test_no_file_names_a_place_on_a_machine_or_a_package_registry() -> None:
    # In pieces, so that this file does not hold what it looks for.
    places = [f"/{folder}/" for folder in ("work", "root", "home")]
    hosts = ["pypi" + ".org", "python" + "hosted.org", "test.py" + "pi.org", "conda" + ".anaconda.org"]
    hosts += ["arti" + "factory", "nexus" + "-repository", "dev" + "pi", "index" + "-url ="]
    unwanted = re.compile(
        "|".join([*(rf"(?<![\w.>}}]){re.escape(place)}" for place in places), *map(re.escape, hosts)])
    )
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if not path.is_file():
            continue
        data = path.read_bytes()
        if b"\0" in data:
            continue
        for number, line in enumerate(data.decode("utf-8").splitlines(), start=1):
            assert not unwanted.search(line), f"{name}:{number}: {line.strip()[:120]}"
