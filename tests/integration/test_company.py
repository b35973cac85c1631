"""Two processes that train together ask the same as one: same batches, same best epoch, same metric on development."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from beatingbert.errors import SettingsError
from beatingbert.experiments.config import BERTConfig, LLMConfig, RunConfig
from beatingbert.experiments.runner import run
from beatingbert.tasks.example import Example
from tiny_tasks import sentiment

SCRIPT = Path(__file__).resolve().parents[2] / "experiments" / "run_bert.py"
TIMES = ("train_seconds", "evaluation_seconds", "examples_per_second")
EPOCHS, BATCH = 3, 8
KILLED_IN_THE_SECOND_EPOCH = """
import os, signal, sys
from beatingbert.cli import console, main
from beatingbert.experiments.config import BERTConfig

class Killer(console.LiveProgress):
    def __call__(self, phase, done, total):
        if phase == "training" and done == 14:
            os.kill(os.getpid(), signal.SIGKILL)

console.LiveProgress = Killer
raise SystemExit(main.script(BERTConfig, "run_bert.py"))
"""


@pytest.fixture
def given(tmp_path: Path, tiny_bert: Path) -> list[str]:
    """Flags of a run whose model has no dropout, since each process would drop out other parts of its own rows."""
    steady = tmp_path / "steady"
    steady.mkdir()
    for path in tiny_bert.iterdir():
        (steady / path.name).write_bytes(path.read_bytes())
    config = json.loads((steady / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (steady / "config.json").write_text(json.dumps(config))
    write(tmp_path / "data" / "sst2" / "train.jsonl", sentiment(80))
    write(tmp_path / "data" / "sst2" / "validation.jsonl", sentiment(20, start=500))
    return [
        *("--task", "sst2", "--model", str(steady), "--data_dir", str(tmp_path / "data"), "--no_fp16"),
        *("--lr", "5e-3", "--epochs", str(EPOCHS), "--batch_size", str(BATCH)),
    ]


def write(path: Path, examples: Sequence[Example]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"idx": at, **example.question.texts, "label": int(example.label == "positive")}
        for at, example in enumerate(examples)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def launch(script: Path, flags: list[str], folder: Path, processes: int) -> subprocess.CompletedProcess[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node", str(processes), "--master_port", str(port)]
    return subprocess.run(
        [sys.executable, *(launcher if processes > 1 else ()), str(script), *flags],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "BEATINGBERT_DATA": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def history(folder: Path) -> list[dict[str, float]]:
    epochs = json.loads((folder / "history.json").read_text(encoding="utf-8"))
    return [{name: value for name, value in epoch.items() if name not in TIMES} for epoch in epochs]


def notes(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))["notes"]
    return told


def test_two_processes_train_as_one_and_only_one_of_them_writes_and_speaks(given: list[str], tmp_path: Path) -> None:
    for processes in (1, 2):
        done = launch(SCRIPT, [*given, "--run_name", str(processes)], tmp_path, processes)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("run: results/") == 1
        assert done.stderr.count("training ...") == 1
        assert "Warning" not in done.stderr
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["1", "2"]
    alone, together = (history(tmp_path / "results" / name) for name in "12")
    assert len(alone) == len(together) == EPOCHS
    for one, other in zip(alone, together, strict=True):
        assert one == pytest.approx(other, rel=1e-4)
        assert one["accuracy"] == other["accuracy"]
    assert notes(tmp_path / "results" / "2") == notes(tmp_path / "results" / "1") | {"processes": 2}
    assert {path.name for path in (tmp_path / "results" / "2").iterdir()} == {
        path.name for path in (tmp_path / "results" / "1").iterdir()
    }


@pytest.mark.slow
def test_two_processes_that_were_killed_within_an_epoch_go_on_together(given: list[str], tmp_path: Path) -> None:
    (tmp_path / "killed.py").write_text(KILLED_IN_THE_SECOND_EPOCH, encoding="utf-8")
    given += ["--checkpoint_steps", "4"]
    assert launch(SCRIPT, [*given, "--run_name", "unbroken"], tmp_path, 2).returncode == 0
    assert launch(tmp_path / "killed.py", [*given, "--run_name", "killed"], tmp_path, 2).returncode != 0
    kept = tmp_path / "results" / "killed"
    assert [path.name for path in kept.rglob("checkpoint-*")] == ["checkpoint-12"]
    done = launch(SCRIPT, [*given, "--resume"], tmp_path, 2)
    assert done.returncode == 0, done.stderr
    for one, other in zip(history(kept), history(tmp_path / "results" / "unbroken"), strict=True):
        assert one.pop("train_loss") == pytest.approx(other.pop("train_loss"), rel=1e-6)  # summed in another order
        assert one == other
    assert notes(kept)["resumed"] is True


@pytest.mark.parametrize(
    "config",
    [LLMConfig(task="sst2"), BERTConfig(task="sst2", mode="eval", model_path="x")],
    ids=["llm", "eval"],
)
def test_what_only_one_process_can_do_is_refused_by_several(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SettingsError, match="2 processes were launched"):
        run(config)
