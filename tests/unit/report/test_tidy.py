import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import parquet

from beatingbert.report.frame import read_frame
from beatingbert.report.prices import read_prices
from beatingbert.report.tidy import (
    COLUMNS,
    COUNTS,
    SCORES,
    SPEED,
    TEXT,
    all_results,
    write_all_results_csv,
    write_all_results_parquet,
)
from beatingbert.runs.record import RunRecord

MakeRun = Callable[..., RunRecord]
GOOD, POOR = [True] * 9 + [False], [True] * 5 + [False] * 5


def test_every_column_has_one_kind_and_one_place() -> None:
    kinds = [*TEXT, *SCORES, *SPEED, *COUNTS, "repeat"]
    assert len(set(COLUMNS)) == len(COLUMNS)
    assert sorted(kinds) == sorted(COLUMNS)


def test_a_row_has_what_the_record_has(make_run: MakeRun, runs_dir: Path) -> None:
    environment = {"machine": {"cpu": "c", "logical_cores": 2}, "git": None, "packages": {"beatingbert": "0.1.0"}}
    record = make_run("a", GOOD, environment=environment, cell={"settings": {"b": 1, "a": [2]}})
    frame = read_frame(runs_dir)
    (row,) = all_results(frame, read_prices())
    assert (row["run_name"], row["folder"], row["cell_id"]) == ("a", "a", record.cell.id)
    assert (row["accuracy"], row["accuracy_low"]) == (0.9, record.metrics["accuracy"]["low"])
    assert (row["p50_ms"], row["rows"], row["seed"], row["train_rows"]) == (1.25, 10, 99, 3600)
    assert json.loads(row["settings"]) == {"a": [2], "b": 1}
    assert row["rows_fingerprint"] == frame.groups[0].fingerprint
    assert row["cost_per_million_answers"] == pytest.approx(1e6 / 1234.5 / 3600 * 2 * 0.05)
    assert (row["version"], row["commit"], row["ece"], row["repeat"]) == ("0.1.0", None, None, False)


def test_a_run_that_was_done_again_is_marked_and_an_unlabelled_one_is_there(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("old", POOR, model="bert", finished_at="2026-01-01T12:00:00+01:00")
    make_run("new", GOOD, model="bert", finished_at="2026-01-02T12:00:00+01:00")
    make_run("sent", GOOD, unlabelled=True)
    rows = {row["run_name"]: row for row in all_results(read_frame(runs_dir), read_prices())}
    assert {name: row["repeat"] for name, row in rows.items()} == {"old": True, "new": False, "sent": False}
    assert (rows["sent"]["split"], rows["sent"]["accuracy"], rows["sent"]["rows"]) == ("test", None, None)


def test_csv_and_parquet_are_read_back_as_what_was_written(make_run: MakeRun, runs_dir: Path, tmp_path: Path) -> None:
    make_run("a", GOOD, model='odd, "quoted"\nname')
    make_run("b", POOR, model="=cmd()")
    rows = all_results(read_frame(runs_dir), read_prices())
    write_all_results_csv(tmp_path / "r.csv", rows)
    write_all_results_parquet(tmp_path / "r.parquet", rows)
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert tuple(first) == COLUMNS
    assert (first["model"], second["model"]) == ('odd, "quoted"\nname', "'=cmd()")
    assert (float(first["accuracy"]), first["ece"], first["answer_device_mib"]) == (0.9, "", "")
    assert parquet.read_table(tmp_path / "r.parquet").to_pylist() == rows
