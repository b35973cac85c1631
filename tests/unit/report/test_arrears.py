import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from beatingbert.report import arrears
from beatingbert.report.arrears import Arrears, make_up
from beatingbert.report.plots import of_run
from beatingbert.runs.record import RunRecord

MakeRun = Callable[..., RunRecord]
SOME = [True, False, True, True]


def has_tables(record: RunRecord) -> bool:
    return (record.folder / "error_analysis" / "validation" / "errors.csv").exists()


def has_pictures(record: RunRecord) -> bool:
    return (record.folder / "error_analysis" / "validation" / "confusion_matrix.png").exists()


def test_runs_get_what_is_asked_for_and_once(make_run: MakeRun) -> None:
    record = make_run("bert", SOME)
    assert make_up([record], tables=True, pictures=False) == Arrears()
    assert has_tables(record) and not has_pictures(record)
    assert make_up([record], tables=False, pictures=True) == Arrears()
    assert has_pictures(record)
    heard: list[Any] = []
    make_up([record], tables=True, pictures=True, progress=lambda *step: heard.append(step))
    assert heard == []


def test_of_too_many_the_newest_are_drawn_and_the_next_time_the_others(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrears, "MOST_DRAWN", 2)
    days = ("2026-01-02", "2026-01-03", "2026-01-01")
    records = [make_run(f"run{at}", SOME, finished_at=f"{day}T12:00:00+01:00") for at, day in enumerate(days)]
    assert make_up(records, tables=True, pictures=True) == Arrears(undrawn=1)
    assert list(map(has_pictures, records)) == [True, True, False]
    assert list(map(has_tables, records)) == [True] * 3
    assert make_up(records, tables=True, pictures=True) == Arrears()
    assert has_pictures(records[2])


def test_new_tables_take_old_pictures_away_and_those_are_drawn_again(make_run: MakeRun) -> None:
    record = make_run("bert", SOME)
    make_up([record], tables=True, pictures=True)
    (record.folder / "error_analysis" / "analysis.json").write_text('{"version": 0}', encoding="utf-8")
    assert make_up([record], tables=True, pictures=False) == Arrears()
    assert not of_run.is_drawn(record.folder)
    assert not has_pictures(record)


def test_a_run_that_cannot_be_analysed_is_named_and_stops_nothing(make_run: MakeRun) -> None:
    bad, good = make_run("bad", SOME), make_run("good", SOME)
    (bad.folder / "predictions.parquet").write_bytes(b"PAR1")
    told = make_up([bad, good], tables=True, pictures=False)
    assert len(told.failed) == 1
    assert told.failed[0].startswith("bad: damaged: predictions.parquet")
    assert has_tables(good)


def test_a_run_in_the_place_of_whose_folder_a_file_lies_is_named(make_run: MakeRun, tmp_path: Path) -> None:
    record = make_run("bert", SOME)
    (record.folder / "error_analysis").write_text("mine", encoding="utf-8")
    told = make_up([record], tables=True, pictures=True)
    assert len(told.failed) == 2
    shutil.rmtree(record.folder)
    gone = make_up([replace(record, folder=tmp_path / "gone")], tables=True, pictures=True)
    assert len(gone.failed) == 2
