"""`beatingbert inspect` shows how a table is read, what is odd in it, and what is done about it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from beatingbert.cli import own_table
from beatingbert.cli.main import main
from beatingbert.cli.own_table import OwnTable
from beatingbert.errors import SettingsError

ROWS = "".join(f"{'ham' if at % 4 else 'spam'},[red]text[/red] of number {at * 7919} and {at}\n" for at in range(80))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "mail.csv"
    path.write_text(f"v1,v2\n{ROWS}ham,\n", encoding="utf-8")
    return path


def test_it_shows_reading_classes_findings_and_splits(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(table)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for told in (
        "encoding utf-8 every byte is valid UTF-8",
        "cells comma, quoted with a header",
        "label v1 column, few values",
        "ham 60 75.0 %",
        "empty text 1 row with an empty text set aside: neither learnt from nor tested on",
        "split: train 51 rows, development 13 rows, test 16 rows",
    ):
        assert told in shown


def test_what_it_finds_can_be_kept_as_json(table: Path, tmp_path: Path) -> None:
    kept = tmp_path / "found.json"
    assert main(["inspect", str(table), "--json", str(kept)]) == 0
    found = json.loads(kept.read_text(encoding="utf-8"))
    assert found["splits"] == {"train": 51, "development": 13, "test": 16}
    assert found["columns"] == {"text": "v2", "label": "v1"}
    assert str(tmp_path) not in json.dumps(found)


@pytest.mark.parametrize("name", ["mail.csv", "no/folder.json"])
def test_it_never_writes_over_the_table_nor_into_nowhere(table: Path, tmp_path: Path, name: str) -> None:
    before = table.read_bytes()
    assert main(["inspect", str(table), "--json", str(tmp_path / name)]) == 2
    assert table.read_bytes() == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["here", "mail.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--text", "v3"], "unknown column 'v3'. Did you mean 'v2'?"),
        (["--label", "v2", "--text", "v1"], "80 different values"),
        (["--encoding", "utf-99"], "unknown encoding"),
    ],
)
def test_misuse_is_told_and_nothing_is_written(
    table: Path, tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(table), "--json", str(tmp_path / "x.json"), *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "x.json").exists()


def test_a_text_cannot_colour_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(f"v1,v2\n{ROWS}ham,=[bold]x[/bold]\x1b[2J\n", encoding="utf-8")
    assert main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "=[bold]x[/bold]\\x1b[2J" in shown
    assert "\x1b" not in shown


def doubtful(tmp_path: Path) -> Path:
    path = tmp_path / "two.csv"
    rows = "".join(f"{at % 2},{at % 3},a longer text of number {at}\n" for at in range(60))
    path.write_text(f"one,two,text\n{rows}", encoding="utf-8")
    return path


def test_with_nobody_to_ask_a_doubt_is_refused_where_work_follows_and_else_taken(tmp_path: Path) -> None:
    path = doubtful(tmp_path)
    with pytest.raises(SettingsError, match=r"--label, default one.*--yes"):
        OwnTable(data=path).read(must_be_sure=True)
    assert OwnTable(data=path).read(must_be_sure=False).columns.label == "one"
    assert OwnTable(data=path, yes=True).read(must_be_sure=True).columns.label == "one"


def test_at_a_terminal_a_doubt_is_asked_and_the_answer_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(doubt: own_table.Doubt) -> str:
        asked.append(doubt.flag)
        return doubt.options[-1]

    monkeypatch.setattr(own_table, "_ask", answer)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(own_table.err, "_force_terminal", True)
    own = OwnTable(data=doubtful(tmp_path)).read(must_be_sure=True)
    assert (asked, own.columns.label, own.doubts) == (["label"], "two", ())
