import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from beatingbert import LinearConfig, MajorityConfig, RunConfig, run
from beatingbert.cli import main as command
from beatingbert.cli import report as command_report
from beatingbert.cli.console import live
from beatingbert.cli.main import main, report_script
from beatingbert.cli.run import print_leaderboard
from beatingbert.report import arrears
from beatingbert.report.leaderboard import standings
from beatingbert.runs.files import write_json
from beatingbert.runs.store import RunStore


@pytest.fixture
def runs(made_runs: Path) -> Path:
    return Path(shutil.copytree(made_runs, "results", ignore=shutil.ignore_patterns("few")))


def rename_model(folder: Path, model: str) -> None:
    """A run whose model has this name, as a folder of the user's may have."""
    (record,) = (one for one in RunStore(folder.parent).records() if one.folder == folder)
    write_json(folder / "results.json", {**record.to_json(), "model": model})


def test_a_folder_without_runs_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report"]) == 2
    assert "no finished run with scores under 'results'" in capsys.readouterr().err


def test_all_runs_are_shown_and_the_files_are_named(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "majority" in out
    assert "linear" in out
    assert "prices: examples in round figures" in out
    assert "written to results/analysis/: all_results.csv" in out
    assert (runs / "analysis" / "performance_table.md").exists()


def test_every_flag_reaches_the_report(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []
    write = command_report.analyse

    def remember(*places: Path, progress: object, **flags: object) -> object:
        asked.append((*places, flags))
        return write(*places, **flags)  # type: ignore[arg-type]

    monkeypatch.setattr(command_report, "analyse", remember)
    prices = tmp_path / "p.toml"
    prices.write_text("", encoding="utf-8")
    flags = ["--results-dir", "results", "--output_dir", "new/folder", "--format", "csv", "--margin", "0.02"]
    for door in (lambda rest: main(["report", *rest]), lambda rest: report_script("analyze_results.py", rest)):
        assert door([*flags, "--prices", str(prices)]) == 0
    expected = (Path("results"), Path("new/folder"), {"formats": "csv", "margin": 0.02, "prices": prices})
    assert asked == [expected, expected]
    with Path("new/folder/all_results.csv").open(encoding="utf-8", newline="") as file:
        assert {row["run_name"] for row in csv.DictReader(file)} == {"first", "second"}
    assert not list(Path("new/folder").glob("*.md"))


def test_a_file_in_the_place_of_the_output_folder_is_misuse(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("mine", encoding="utf-8")
    assert main(["report", "--output_dir", "file"]) == 2
    assert "'file'" in capsys.readouterr().err


def test_a_damaged_record_is_named_and_the_others_are_shown(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "first" / "results.json").write_text("{", encoding="utf-8")
    assert main(["report", "--format", "tables"]) == 0
    out = capsys.readouterr().out
    assert "skipped first/results.json: damaged" in out
    assert "linear" in out


def test_the_verdict_on_llms_and_encoders_is_told(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, engine in (("first", "llm"), ("second", "encoder")):
        path = runs / name / "results.json"
        data = json.loads(path.read_text(encoding="utf-8"))
        data["cell"] |= {"engine": engine, "settings": {"shots": 0, "answer_by": "likelihood"}}
        path.write_text(json.dumps(data), encoding="utf-8")
    assert main(["report", "--format", "tables"]) == 0
    assert "No difference can be claimed between" in capsys.readouterr().out


def test_of_very_many_runs_the_best_of_each_task_are_shown(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_report, "MOST_SHOWN", 1)
    monkeypatch.setattr(command_report, "BEST", 1)
    assert main(["report", "--format", "tables"]) == 0
    assert "the best 1 of each task; 1 more are in performance_table.md" in capsys.readouterr().out


@pytest.mark.parametrize("model", ["my[bold]model[/bold]", "[red]", "[/]", "a:smile:b", "tail\\", "[link=http://x]y"])
@pytest.mark.parametrize("width", [160, 60])
def test_no_name_is_taken_for_markup(
    runs: Path, model: str, width: int, at_width: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    rename_model(runs / "first", model)
    at_width(width)
    assert main(["report", "--format", "tables"]) == 0
    shown = capsys.readouterr().out
    assert model in shown or width == 60


def test_a_narrow_terminal_gets_two_tables_with_every_column(
    runs: Path, at_width: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    at_width(80)
    print_leaderboard(standings(RunStore(runs).records()))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    for column in ("accuracy [95 %]", "macro-F1", "MCC", "ECE", "p50 / p95 ms", "training", "unparsed"):
        assert out.count(column) == 1


@pytest.mark.parametrize("title", ["[bold]x", "x[/]", "[/red] on sst2"])
def test_a_title_in_brackets_does_not_break_the_progress(title: str, capsys: pytest.CaptureFixture[str]) -> None:
    with live(title) as progress:
        progress("reading [part 1]", 0, 10)
        progress("reading [part 1]", 10, 10)
    assert capsys.readouterr().err == f"{title}: reading [part 1] ...\n"


def test_flags_become_the_config_that_python_users_write(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[RunConfig] = []
    monkeypatch.setattr(command, "run_and_tell", lambda config: asked.append(config) or 0)
    assert main(["run", "linear", "--task", "sst2", "--data-dir", str(data_dir), "--max_ngram", "3"]) == 0
    assert asked == [LinearConfig(task="sst2", data_dir=data_dir, max_ngram=3)]


def test_a_single_run_leaves_its_pictures_and_a_run_from_python_does_not(data_dir: Path) -> None:
    assert main(["run", "majority", "--task", "sst2", "--data_dir", str(data_dir), "--run_name", "drawn"]) == 0
    run(MajorityConfig(task="sst2", data_dir=data_dir, run_name="plain"))
    drawn, plain = ({path.name for path in Path("results").glob(f"{name}/**/*.png")} for name in ("drawn", "plain"))
    assert {"confusion_matrix.png", "confusion_matrix_normalized.png"} <= drawn
    assert plain == set()


def test_what_runs_still_lack_is_told(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrears, "MOST_DRAWN", 1)
    for path in (runs / "first" / "error_analysis").rglob("*"):
        path.unlink() if path.is_file() else None
    (runs / "first" / "questions.parquet").write_bytes(b"PAR1")
    assert main(["report"]) == 0
    out = capsys.readouterr().out
    assert "no error analysis of first: damaged: questions.parquet" in out
    assert "runs without pictures of their own: 1" in out
