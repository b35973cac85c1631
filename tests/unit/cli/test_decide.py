"""`beatingbert decide` from a table to files, and what it refuses without leaving anything."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from beatingbert import decide
from beatingbert.cli.main import main
from tiny_tasks import sentiment


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "films.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows([one.question.texts["sentence"], one.label] for one in sentiment(120))
    return path


@pytest.fixture
def candidates(tmp_path: Path) -> Path:
    path = tmp_path / "candidates.yaml"
    path.write_text("candidates:\n- {name: '[bold]words</b>', engine: linear}\n", encoding="utf-8")
    return path


def test_a_table_becomes_a_decision(
    table: Path, candidates: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    flags = ["--candidates", str(candidates), "--output_dir", str(out), "--budget", "5m", "--yes"]
    assert main(["decide", str(table), *flags]) == 0
    told = capsys.readouterr().out
    assert "Recommended: [bold]words</b>. macro-F1" in told, "a name is text and no markup"
    decision = json.loads((out / "decision.json").read_text(encoding="utf-8"))
    assert decision["recommended"] == "[bold]words</b>"
    assert f"on {decision['rows']['test']} test rows" in told
    assert {"decision.md", "decision.html", "classifier", "runs", "report"} <= {one.name for one in out.iterdir()}
    assert "words</b>" not in (out / "decision.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--budget", "3s"], "too small for anything"),
        (["--budget", "soon"], "is no time"),
        (["--max_latency_ms", "0"], "--max_latency_ms must be a number above 0"),
        (["--candidates", "nowhere.yaml"], "cannot be read"),
        (["--label", "nothing"], "nothing"),
    ],
)
def test_what_cannot_be_done_is_refused_with_status_2(
    table: Path, tmp_path: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["decide", str(table), "--output_dir", str(out), "--yes", *flags]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_python_gets_the_same_object_that_a_notebook_shows(table: Path, candidates: Path, tmp_path: Path) -> None:
    decision = decide(table, label="label", budget="5m", candidates=candidates, output_dir=tmp_path / "out")
    assert decision.recommended == "[bold]words</b>"
    shown = decision._repr_html_()
    assert "Recommended: [bold]words&lt;/b&gt;" in shown and "<table>" in shown
    assert decision.rows["train"] + decision.rows["development"] + decision.rows["test"] == 120
