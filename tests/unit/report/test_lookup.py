from collections.abc import Callable
from pathlib import Path

import pytest

from beatingbert.errors import DataError, UnknownNameError
from beatingbert.report.lookup import find_run
from beatingbert.runs.record import RunRecord

MakeRun = Callable[..., RunRecord]
RIGHT = [True, False]


def test_a_run_is_found_by_folder_file_or_name(make_run: MakeRun, runs_dir: Path, tmp_path: Path) -> None:
    record = make_run("a", RIGHT)
    for name, root in (
        (str(record.folder), tmp_path / "elsewhere"),
        (str(record.folder / "results.json"), tmp_path / "elsewhere"),
        ("a", runs_dir),
        ("runs/a", tmp_path),
        ("a", tmp_path),
    ):
        assert find_run(name, root).folder.resolve() == record.folder


@pytest.mark.parametrize("name", ["b", "", ".", "a/other.json"])
def test_what_is_no_run_is_refused_and_those_there_are_are_named(
    make_run: MakeRun, runs_dir: Path, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    make_run("a", RIGHT)
    with pytest.raises(UnknownNameError, match=r"Known: a\."):
        find_run(name, runs_dir)


def test_a_name_that_two_runs_have_is_refused(make_run: MakeRun, runs_dir: Path) -> None:
    folder = make_run("a", RIGHT).folder
    for place in ("x", "y"):
        (runs_dir / place).mkdir()
    folder.rename(runs_dir / "x" / "a")
    make_run("a", RIGHT).folder.rename(runs_dir / "y" / "a")
    with pytest.raises(DataError, match="several runs are named 'a'"):
        find_run("a", runs_dir)


def test_a_damaged_run_is_named_with_its_fault(make_run: MakeRun, runs_dir: Path) -> None:
    (make_run("a", RIGHT).folder / "results.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"a/results\.json' cannot be shown: damaged"):
        find_run("a", runs_dir)
