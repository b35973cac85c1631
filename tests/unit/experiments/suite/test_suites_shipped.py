"""Every suite that is shipped is loaded and planned, without the hub, and its summary is what the files say."""

import os
import subprocess
from pathlib import Path

import pytest

from beatingbert.experiments.suite.document import read_document
from beatingbert.experiments.suite.load import load_suite
from beatingbert.experiments.suite.plan import plan_suite
from beatingbert.experiments.suite.summary import summarise

EXPERIMENTS = Path(__file__).resolve().parents[4] / "experiments"
SUITES = sorted((EXPERIMENTS / "suites").glob("*.yaml"))


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beatingbert.tasks.hub.HubSource._cached", lambda self: None)
    monkeypatch.setattr("beatingbert.tasks.hub.HubSource._download", lambda self, split: pytest.fail("it was asked"))


def test_these_are_shipped() -> None:
    assert [path.stem for path in SUITES] == [
        *("demo", "full", "full_offline", "prompt_sensitivity", "quick", "sample_efficiency"),
        *("study", "study_gpu"),
    ]


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_a_shipped_suite_is_planned(path: Path) -> None:
    suite = load_suite(path)
    plan = plan_suite(suite, Path("store"))
    assert len(plan.todo) == len(suite.cells) > 0
    assert suite.about
    assert all(cost.seconds > 0 for cost in plan.costs.values())


def test_the_quick_test_has_every_mode() -> None:
    configs = [one.config for one in load_suite(EXPERIMENTS / "suites" / "quick.yaml").cells]
    answers = {one.engine_settings().get("answer_by") for one in configs if one.engine == "llm"}
    assert {one.engine for one in configs} == {"majority", "linear", "encoder", "llm", "lora", "optimized"}
    assert {getattr(one, "mode", None) for one in configs} >= {"train", "zero-shot", "few-shot", "lora", "dspy"}
    assert answers == {"likelihood", "generation"}
    assert all(one.model == one.engine or one.model.startswith("wheel:") for one in configs)


def test_the_full_suite_is_the_study() -> None:
    cells = load_suite(EXPERIMENTS / "suites" / "full.yaml").cells
    asked = {(one.cell.engine, one.config.model, one.cell.task) for one in cells}
    tasks = {"sst2", "rte", "mnli", "boolq", "anli_r1"}
    for model in ("bert-base-uncased", "microsoft/deberta-v3-base", "answerdotai/ModernBERT-base"):
        assert {task for engine, name, task in asked if (engine, name) == ("encoder", model)} == tasks
    models = ("Qwen/Qwen2-0.5B-Instruct", "Qwen/Qwen2.5-1.5B-Instruct", "google/gemma-2-2b-it", "google/gemma-3-1b-it")
    for model in models:
        for engine in ("llm", "lora"):
            found = {task for how, name, task in asked if (how, name) == (engine, model)}
            assert found == tasks | {"hellaswag", "winogrande", "arc_challenge"}
    assert {one.cell.settings["shots"] for one in cells if one.cell.engine == "llm"} == {0, 5}


def test_the_offline_suite_has_the_shape_of_the_full_one_and_asks_no_hub() -> None:
    full, offline = (load_suite(EXPERIMENTS / "suites" / f"{name}.yaml").cells for name in ("full", "full_offline"))
    assert all(one.config.model.startswith("wheel:") for one in offline if one.config.model != one.cell.engine)
    shapes = [{(one.cell.engine, one.cell.task, one.config.run_kind) for one in cells} for cells in (full, offline)]
    assert shapes[1] < shapes[0]
    assert {(task, kind) for _, task, kind in shapes[0] - shapes[1]} == {
        ("hellaswag", "few_shot_k5"),
        ("hellaswag", "lora_r16"),
    }


def test_prompt_sensitivity_crosses_templates_with_draws() -> None:
    cells = load_suite(EXPERIMENTS / "suites" / "prompt_sensitivity.yaml").cells
    few = [one for one in cells if one.config.run_kind.startswith("few")]
    of_one = {(one.cell.prompt_sha256, one.cell.seed) for one in few if one.cell.task == "rte" and "gemma" in one.name}
    assert len({prompt for prompt, _ in of_one}) == 3
    assert len({seed for _, seed in of_one}) == 8
    assert len(of_one) == 24


def test_the_summary_is_what_the_suite_files_say() -> None:
    kept = (EXPERIMENTS / "BENCHMARK_SUMMARY.md").read_text(encoding="utf-8")
    assert kept == summarise(SUITES), "run python experiments/write_summary.py"


def test_the_summary_counts_the_cells_that_are_run() -> None:
    page = summarise(SUITES)
    for path in SUITES:
        assert f"## {path.stem}: {len(load_suite(path).cells)} cells" in page
        assert read_document(path).about in page


@pytest.mark.parametrize(
    ("script", "flags", "suite"),
    [
        ("run_quick_test.sh", [], "quick"),
        ("run_full_benchmark.sh", [], "full"),
        ("run_full_benchmark.sh", ["--offline"], "full_offline"),
    ],
)
def test_the_scripts_are_doors_onto_the_suites(script: str, flags: list[str], suite: str, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "experiments").mkdir(parents=True)
    (checkout / "experiments" / script).write_bytes((EXPERIMENTS / script).read_bytes())
    command = checkout / ".venv" / "bin" / "beatingbert"
    command.parent.mkdir(parents=True)
    command.write_text('#!/bin/sh\necho "$PWD" "$@"\nexit 3\n', encoding="utf-8")
    command.chmod(0o755)
    assert os.access(EXPERIMENTS / script, os.X_OK)
    done = subprocess.run(
        ["bash", str(checkout / "experiments" / script), *flags, "--workers", "2"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.stdout.split() == [
        str(checkout),
        *("suite", "run", f"experiments/suites/{suite}.yaml", "--report", "--workers", "2"),
    ]
    assert done.returncode == 3  # a failed cell fails the script


def test_the_guides_example_is_a_suite(tmp_path: Path) -> None:
    guide = (EXPERIMENTS / "EXPERIMENT_GUIDE.md").read_text(encoding="utf-8")
    _, _, rest = guide.partition("<!-- suite -->\n```yaml\n")
    text, _, _ = rest.partition("```\n<!-- /suite -->")
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    suite = load_suite(tmp_path / "mine.yaml")
    assert len(suite.cells) == 3 * (2 + 1 + 2 * 2 + 2)
