import json
from pathlib import Path

import pytest
from benchmarks.analysis import ENGINES, main, make_runs

from beatingbert.report.frame import read_frame


def test_made_up_runs_are_sound_and_meet_on_the_same_rows(tmp_path: Path) -> None:
    make_runs(tmp_path, runs=8, rows=12, seeds=2)
    frame = read_frame(tmp_path)
    assert frame.skipped == ()
    (group,) = frame.groups
    assert group.matrix.shape == (8, 12)
    assert [len(one.records) for one in group.contenders] == [2] * 4
    assert {one.engine for one in group.contenders} == set(ENGINES)


def test_what_the_analysis_took_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--runs", "4", "--rows", "10", "--format", "tables", "--keep", str(tmp_path / "runs")]
    assert main(flags) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["runs"] == 4
    assert told["seconds"] >= told["seconds_until_end_of"]["comparing"] >= 0
    assert told["peak_mib"] >= told["peak_mib_before"] > 0
    assert (tmp_path / "runs" / "analysis" / "performance_table.md").exists()
