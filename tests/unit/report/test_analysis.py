import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from beatingbert.errors import DataError, SettingsError
from beatingbert.report import analysis
from beatingbert.report.analysis import Findings, analyse, describe_skipped
from beatingbert.report.arrears import Arrears
from beatingbert.runs.record import RunRecord

MakeRun = Callable[..., RunRecord]
GOOD, POOR = [True] * 9 + [False], [True] * 5 + [False] * 5
LIST = {"report_files.json"}
TABLES = {"performance_table.md", "efficiency_table.md", "significance.md"}
CSV = {
    *("all_results.csv", "all_results.parquet", "significance.csv"),
    *("error_overlap.csv", "error_alone.csv", "error_all_wrong.csv"),
}
PLOTS = {
    f"plots/{name}.{ending}"
    for name in (
        *("accuracy_sst2", "macro-f1_sst2", "latency_sst2", "overlap_sst2"),
        *(
            "confusion-matrix_sst2_bert-fine-tuned-on-3-600",
            "confusion-matrix-normalized_sst2_bert-fine-tuned-on-3-600",
        ),
        *("confusion-matrix_sst2_gemma-zero-shot", "confusion-matrix-normalized_sst2_gemma-zero-shot"),
    )
    for ending in ("png", "svg")
}
HTML = {"report.html"}
FORMATS = {"tables": TABLES, "csv": CSV, "plots": PLOTS, "html": HTML}


@pytest.fixture
def two_runs(make_run: MakeRun, runs_dir: Path) -> Path:
    make_run("gemma", POOR, cell={"engine": "llm", "settings": {"shots": 0, "answer_by": "likelihood"}})
    make_run("bert", GOOD)
    return runs_dir


def names_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("formats", FORMATS)
def test_a_format_writes_its_files_and_no_others(two_runs: Path, formats: analysis.Format) -> None:
    written = analyse(two_runs, formats=formats)
    assert written.folder == two_runs / "analysis"
    assert {file.as_posix() for file in written.files} == FORMATS[formats] | LIST == names_in(two_runs / "analysis")


def test_all_formats_are_written_together(two_runs: Path, tmp_path: Path) -> None:
    written = analyse(two_runs, tmp_path / "new" / "folder")
    assert names_in(tmp_path / "new" / "folder") == TABLES | CSV | PLOTS | HTML | LIST
    assert {file.as_posix() for file in written.files} == names_in(tmp_path / "new" / "folder")


def test_what_an_earlier_report_left_is_removed_where_it_is_out_of_date(two_runs: Path, make_run: MakeRun) -> None:
    folder = analyse(two_runs).folder
    own = folder / "plots" / "confusion-matrix_sst2_gemma-zero-shot.png"
    own.write_bytes(b"edited by hand")
    shutil.rmtree(two_runs / "gemma")
    shutil.rmtree(two_runs / "bert")
    make_run("other", GOOD)
    analyse(two_runs, formats="tables")
    assert PLOTS <= names_in(folder)  # not asked for, so as it was
    analyse(two_runs)
    left = {name for name in names_in(folder) if name.startswith("plots/")}
    assert not left & {name for name in PLOTS if "bert" in name}
    assert {name for name in left if "gemma" in name} == {own.relative_to(folder).as_posix()}
    assert any("other" in name for name in left)


def test_a_damaged_file_of_questions_stops_no_report(two_runs: Path) -> None:
    (two_runs / "bert" / "questions.parquet").write_bytes(b"PAR1")
    written = analyse(two_runs)
    (failed,) = written.arrears.failed
    assert failed.startswith("bert: damaged: questions.parquet")
    assert "its questions are not shown" in (written.folder / "report.html").read_text(encoding="utf-8")


def test_how_the_runs_err_together_stands_beside_the_claims(two_runs: Path) -> None:
    text = (analyse(two_runs, formats="tables").folder / "significance.md").read_text(encoding="utf-8")
    assert "At least one of 2 is right on 90.0 % of 10 rows" in text


def test_runs_get_what_their_own_error_analysis_lacks(two_runs: Path) -> None:
    assert not list(two_runs.glob("*/error_analysis"))
    analyse(two_runs, formats="csv")
    assert not list(two_runs.glob("*/error_analysis"))
    analyse(two_runs, formats="tables")
    assert (two_runs / "bert" / "error_analysis" / "validation" / "errors.csv").exists()
    assert not list(two_runs.glob("*/error_analysis/*/*.png"))
    written = analyse(two_runs, formats="plots")
    assert (two_runs / "bert" / "error_analysis" / "validation" / "confusion_matrix.png").exists()
    assert written.arrears == Arrears()


def test_a_second_report_is_the_same_and_takes_no_report_for_a_run(two_runs: Path) -> None:
    first = analyse(two_runs)
    before = {file: (first.folder / file).read_bytes() for file in first.files}
    second = analyse(two_runs)
    assert {file: (second.folder / file).read_bytes() for file in second.files} == before
    assert second.findings.frame.skipped == ()


def test_a_report_that_fails_leaves_the_one_before_whole(two_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = analyse(two_runs).folder
    before = {name: (folder / name).read_bytes() for name in names_in(folder)}

    def fail(findings: Findings, beside: Path) -> None:
        (beside / "performance_table.md").write_text("half", encoding="utf-8")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(analysis, "PARTS", {"tables": fail})
    with pytest.raises(SettingsError, match="No space left"):
        analyse(two_runs)
    assert {name: (folder / name).read_bytes() for name in names_in(folder)} == before


def test_files_of_the_users_own_in_the_folder_stay(two_runs: Path) -> None:
    (two_runs / "analysis").mkdir()
    (two_runs / "analysis" / "notes.txt").write_text("mine", encoding="utf-8")
    analyse(two_runs)
    assert (two_runs / "analysis" / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_what_was_skipped_is_told_in_the_report(two_runs: Path) -> None:
    (two_runs / "b<a>d").mkdir()
    (two_runs / "b<a>d" / "results.json").write_text("{", encoding="utf-8")
    written = analyse(two_runs)
    (line,) = describe_skipped(written.findings.frame)
    assert line.startswith("b<a>d/results.json: damaged")
    table = (written.folder / "performance_table.md").read_text(encoding="utf-8")
    assert "## Skipped" in table
    assert "b\\<a\\>d/results.json: damaged" in table


def test_a_folder_without_scored_runs_is_misuse_and_what_was_skipped_is_named(
    make_run: MakeRun, runs_dir: Path
) -> None:
    make_run("sent", GOOD, unlabelled=True)
    (runs_dir / "bad").mkdir()
    (runs_dir / "bad" / "results.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match=r"(?s)no finished run with scores.*bad/results\.json: foreign"):
        analyse(runs_dir)
    assert not (runs_dir / "analysis").exists()


@pytest.mark.parametrize("margin", [-0.1, 1.0, float("nan")])
def test_a_margin_that_is_no_fraction_is_refused(two_runs: Path, margin: float) -> None:
    with pytest.raises(SettingsError, match="--margin"):
        analyse(two_runs, margin=margin)


def test_the_margin_and_the_prices_reach_the_report(two_runs: Path, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('currency = "EUR"\n[cpu]\nper_core_hour = 1', encoding="utf-8")
    written = analyse(two_runs, margin=0.25, prices=tmp_path / "p.toml")
    assert "differ by less than 25 points" in (written.folder / "significance.md").read_text(encoding="utf-8")
    assert "EUR per million answers" in (written.folder / "efficiency_table.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("formats", "unwanted"),
    [
        ("all", ["torch", "transformers", "datasets", "sklearn", "scipy.stats"]),
        ("tables", ["torch", "matplotlib", "plotly", "jinja2"]),
    ],
)
def test_the_report_loads_nothing_that_it_does_not_need(two_runs: Path, formats: str, unwanted: list[str]) -> None:
    look = (
        "import sys, json\n"
        "from beatingbert.cli.main import main\n"
        "assert main(['report', '--results_dir', sys.argv[1], '--format', sys.argv[2]]) == 0\n"
        "print(json.dumps([name for name in sys.argv[3:] if name in sys.modules]))"
    )
    command = [sys.executable, "-c", look, str(two_runs), formats, *unwanted]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert json.loads(done.stdout.splitlines()[-1]) == []
