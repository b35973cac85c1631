import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from beatingbert import LinearConfig, MajorityConfig, RunConfig, run
from beatingbert.cli import main as command
from beatingbert.cli.console import live
from beatingbert.cli.main import main
from beatingbert.cli.run import print_leaderboard
from beatingbert.report.leaderboard import standings
from beatingbert.runs.store import RunStore, write_json


@pytest.fixture
def runs(data_dir: Path) -> Path:
    run(MajorityConfig(task="sst2", data_dir=data_dir, run_name="first"))
    run(LinearConfig(task="sst2", data_dir=data_dir, run_name="second"))
    return Path("results")


def rename_model(folder: Path, model: str) -> None:
    """A run whose model has this name, as a folder of the user's may have."""
    (record,) = (one for one in RunStore(folder.parent).records() if one.folder == folder)
    write_json(folder / "results.json", {**record.to_json(), "model": model})


def test_a_folder_without_runs_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report"]) == 2
    assert "no finished run with scores under 'results'" in capsys.readouterr().err


def test_all_runs_are_shown(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report"]) == 0
    out = capsys.readouterr().out
    assert "majority" in out
    assert "linear" in out
    assert not list(runs.glob("leaderboard.*"))


def test_the_leaderboard_is_written_as_markdown_and_csv(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "--results-dir", str(runs), "--output_dir", str(tmp_path / "new" / "folder")]) == 0
    markdown = (tmp_path / "new" / "folder" / "leaderboard.md").read_text(encoding="utf-8")
    assert len(markdown.splitlines()) == 4
    with (tmp_path / "new" / "folder" / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        assert {row["run_name"] for row in csv.DictReader(file)} == {"first", "second"}
    assert "written:" in capsys.readouterr().out


def test_a_file_in_the_place_of_the_output_folder_is_misuse(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("mine", encoding="utf-8")
    assert main(["report", "--output_dir", "file"]) == 2
    assert "'file'" in capsys.readouterr().err


def test_a_damaged_record_is_named(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "first" / "results.json").write_text("{", encoding="utf-8")
    assert main(["report"]) == 2
    assert "results/first/results.json" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["my[bold]model[/bold]", "[red]", "[/]", "a:smile:b", "tail\\", "[link=http://x]y"])
@pytest.mark.parametrize("width", [160, 60])
def test_no_name_is_taken_for_markup(
    runs: Path, model: str, width: int, at_width: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    rename_model(runs / "first", model)
    at_width(width)
    assert main(["report"]) == 0
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
