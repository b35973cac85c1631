"""A training killed half-way and resumed ends as the unbroken one does, to the last bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from beatingbert.engines.encoder.checkpoints import last_checkpoint
from beatingbert.errors import ResumeError, RunExistsError
from beatingbert.experiments.config import BERTConfig
from beatingbert.experiments.runner import run
from beatingbert.runs.record import RunRecord
from beatingbert.tasks.example import Example
from tiny_tasks import sentiment

TIMES = ("train_seconds", "evaluation_seconds", "examples_per_second")
KILLED_AT = """
import json, os, signal, sys
from pathlib import Path
from beatingbert import BERTConfig, run

def progress(phase, done, total):
    if phase == sys.argv[2] and done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

given = json.loads(sys.argv[1])
for name in ("data_dir", "output_dir"):
    given[name] = given[name] and Path(given[name])
run(BERTConfig(**given), progress=progress)
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("BEATINGBERT_DATA", raising=False)


@pytest.fixture
def given(tmp_path: Path, tiny_bert: Path) -> dict[str, Any]:
    """Three epochs of eight steps, the last of them smaller."""
    data = tmp_path / "data"
    write(data / "sst2" / "train.jsonl", sentiment(80))
    write(data / "sst2" / "validation.jsonl", sentiment(20, start=500))
    return {
        "task": "sst2",
        "model_name": str(tiny_bert),
        "data_dir": data,
        "output_dir": None,
        "learning_rate": 5e-3,
        "num_epochs": 3,
        "batch_size": 5,
        "gradient_accumulation_steps": 2,
        "no_fp16": True,
    }


def write(path: Path, examples: Sequence[Example]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"idx": at, **example.question.texts, "label": int(example.label == "positive")}
        for at, example in enumerate(examples)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def killed(given: dict[str, Any], phase: str, at: int) -> None:
    words = json.dumps({name: str(value) if isinstance(value, Path) else value for name, value in given.items()})
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT, words, phase, str(at)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL


def interrupted(given: dict[str, Any], at: int) -> None:
    """Leaves what a killed run leaves, without a process of its own."""

    def progress(phase: str, done: int, total: int) -> None:
        if phase == "training" and done == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(BERTConfig(**given), progress=progress)


def told(record: RunRecord) -> dict[str, Any]:
    """All that must be the same."""
    history = json.loads((record.folder / "history.json").read_text(encoding="utf-8"))
    return {
        "scores": record.scores,
        "history": [{name: value for name, value in epoch.items() if name not in TIMES} for epoch in history],
        "best": record.notes["best_epoch"],
        "cell": record.cell.id,
    }


def answers(record: RunRecord) -> pd.DataFrame:
    return pd.read_parquet(record.folder / "predictions.parquet")


@pytest.mark.parametrize(
    ("phase", "at", "changes"),
    [
        ("training", 13, {}),  # in the second epoch
        ("training", 22, {"checkpoint_steps": 4}),  # in the third, two steps after a checkpoint within it
        ("measuring latency", 0, {}),  # after the training
        ("training", 22, {"checkpoint_steps": 4, "weight_average": 0.9, "r_drop": 1.0}),
    ],
    ids=["between epochs", "within an epoch", "after training", "averaging, two passes a step"],
)
def test_a_killed_training_goes_on_to_the_end_of_the_unbroken_one(
    given: dict[str, Any], tmp_path: Path, phase: str, at: int, changes: dict[str, Any]
) -> None:
    unbroken = run(BERTConfig(**{**given, **changes}, run_name="unbroken"))
    killed({**given, "output_dir": tmp_path / "killed", **changes}, phase, at)
    left = sorted(path.name for path in (tmp_path / "killed").rglob("checkpoint-*"))
    assert left == {13: ["checkpoint-8"], 22: ["checkpoint-20"], 0: []}[at]
    steps: list[int] = []
    resumed = run(
        BERTConfig(**{**given, "output_dir": tmp_path / "killed"}, **changes, resume=True),
        progress=lambda phase, done, total: steps.append(done) if phase == "training" else None,
    )
    assert steps == list(range({13: 9, 22: 21, 0: 25}[at], 25))
    assert told(resumed) == told(unbroken)
    pd.testing.assert_frame_equal(answers(resumed), answers(unbroken), check_exact=True)
    assert not (resumed.folder / "trainer").exists()
    assert len(told(resumed)["history"]) == 3


def test_the_latest_interrupted_run_of_the_cell_is_found_by_itself(given: dict[str, Any]) -> None:
    interrupted({**given, "run_name": "mine"}, 9)
    interrupted({**given, "run_name": "other", "seed": 7}, 9)
    resumed = run(BERTConfig(**given, resume=True))
    assert (resumed.run_name, resumed.folder.name) == ("mine", "mine")
    with pytest.raises(ResumeError, match=r"no interrupted run of this cell.*Interrupted runs of other cells: other\."):
        run(BERTConfig(**given, resume=True))
    with pytest.raises(RunExistsError, match="already holds a finished run"):
        run(BERTConfig(**given, run_name="mine", resume=True))


def test_a_run_of_another_cell_is_not_gone_on_with(given: dict[str, Any], tmp_path: Path) -> None:
    given["output_dir"] = tmp_path / "killed"
    interrupted(given, 9)
    before = sorted(path.name for path in given["output_dir"].rglob("*"))
    with pytest.raises(ResumeError, match=r"another cell: seed is 99 there and 5 here; settings.epochs is 3 .* 4 here"):
        run(BERTConfig(**{**given, "seed": 5, "num_epochs": 4}, resume=True))
    assert sorted(path.name for path in given["output_dir"].rglob("*")) == before
    assert last_checkpoint(given["output_dir"] / "trainer") is not None


def test_where_nothing_was_interrupted_there_is_nothing_to_go_on_with(given: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ResumeError, match=r"no interrupted run of this cell .* is under 'results'"):
        run(BERTConfig(**given, resume=True))
    with pytest.raises(ResumeError, match="holds no interrupted run"):
        run(BERTConfig(**{**given, "output_dir": tmp_path / "nowhere"}, resume=True))
    assert not (tmp_path / "nowhere").exists()
    interrupted({**given, "output_dir": tmp_path / "early"}, 3)
    with pytest.raises(ResumeError, match="interrupted before its first checkpoint"):
        run(BERTConfig(**{**given, "output_dir": tmp_path / "early"}, resume=True))
