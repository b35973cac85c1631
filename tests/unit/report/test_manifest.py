import json
from pathlib import Path

import pytest

from beatingbert.report.manifest import NAME, mark_files, read_manifest, remove_stale, write_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two files of a report's, and one beside it."""
    (tmp_path / "report" / "plots").mkdir(parents=True)
    (tmp_path / "report" / "a.md").write_text("a", encoding="utf-8")
    (tmp_path / "report" / "plots" / "b.png").write_text("b", encoding="utf-8")
    (tmp_path / "outside.txt").write_text("mine", encoding="utf-8")
    return tmp_path / "report"


def names_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_what_was_written_before_and_is_not_now_goes_with_its_empty_folder(folder: Path) -> None:
    before = mark_files(folder, [Path("a.md"), Path("plots/b.png")])
    remove_stale(folder, before, {"a.md": before["a.md"]})
    assert names_in(folder) == {"a.md"}


def test_a_file_that_was_changed_since_stays(folder: Path) -> None:
    before = mark_files(folder, [Path("a.md"), Path("plots/b.png")])
    (folder / "plots" / "b.png").write_text("mine now", encoding="utf-8")
    remove_stale(folder, before, {})
    assert names_in(folder) == {"plots", "plots/b.png"}


def test_nothing_outside_the_folder_is_touched(folder: Path) -> None:
    outside = folder.parent / "outside.txt"
    mark = mark_files(folder.parent, [Path("outside.txt")])["outside.txt"]
    (folder / "linked").symlink_to(folder.parent, target_is_directory=True)
    (folder / "link.txt").symlink_to(outside)
    names = ["../outside.txt", str(outside), "linked/outside.txt", "link.txt", "plots/../../outside.txt"]
    remove_stale(folder, dict.fromkeys(names, mark), {})
    assert outside.read_text(encoding="utf-8") == "mine"
    assert (folder / "link.txt").is_symlink()


def test_a_manifest_is_read_as_it_was_written(folder: Path) -> None:
    manifest = {"tables": {"a.md": "0" * 64}, "plots": {}}
    write_manifest(folder, manifest)
    assert read_manifest(folder) == manifest


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"version": 0, "files": {}}', '{"version": 1, "files": []}', "[" * 100_000]
)
def test_a_manifest_that_cannot_be_read_names_nothing(folder: Path, text: str) -> None:
    assert read_manifest(folder) == {}
    (folder / NAME).write_text(text, encoding="utf-8")
    assert read_manifest(folder) == {}


def test_the_manifest_is_plain_json(folder: Path) -> None:
    write_manifest(folder, {"tables": mark_files(folder, [Path("a.md")])})
    assert set(json.loads((folder / NAME).read_text(encoding="utf-8"))["files"]["tables"]) == {"a.md"}
