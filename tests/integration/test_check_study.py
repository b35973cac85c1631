"""Whoever has a published study can run cells of it again by one command, and is told when an answer is another one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pyarrow import compute, parquet

from beatingbert.cli.main import main
from tiny_tasks import write_sentiment

ROOT = Path(__file__).resolve().parents[2]
SUITE = """
defaults: {task: sst2, max_samples: 30}
grid:
  - {engine: linear, seed: [99, 100]}
"""


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A suite file, and its published cells."""
    monkeypatch.setenv("BEATINGBERT_DATA", str(write_sentiment(tmp_path / "data")))
    suite, study = tmp_path / "small.yaml", tmp_path / "study"
    suite.write_text(SUITE, encoding="utf-8")
    assert main(["suite", "run", str(suite), "--store", str(tmp_path / "runs"), "--published", str(study)]) == 0
    return suite, study


def check(suite: Path, study: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "experiments" / "check_study.py"), str(suite), str(study)]
    return subprocess.run([*command, "--count", "1", "--seed", "5"], capture_output=True, text=True, check=False)


def test_what_was_published_comes_out_again(published: tuple[Path, Path]) -> None:
    told = check(*published)
    assert told.returncode == 0, told.stderr
    assert "seed 5 draws 1 of 2 published cells: linear_sst2_n30_s" in told.stdout
    assert "20 of 20 answers are the same, to the last digit" in told.stdout


def test_an_answer_that_was_changed_is_noticed(published: tuple[Path, Path]) -> None:
    suite, study = published
    for path in study.glob("*/predictions.parquet"):
        table = parquet.read_table(path)
        turned = compute.if_else(compute.equal(table["label"], "positive"), "negative", "positive")
        at = table.schema.get_field_index("label")
        parquet.write_table(table.set_column(at, "label", turned), path)
    told = check(suite, study)
    assert told.returncode == 1
    assert "0 of 20 answers are the same" in told.stdout
