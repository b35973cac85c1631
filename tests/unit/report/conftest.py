"""Finished runs on disk under one folder, made from which of ten questions each got right; no engine and no data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from beatingbert.runs.cell import Cell
from beatingbert.runs.evidence import write_predictions
from beatingbert.runs.files import write_json
from beatingbert.runs.record import RunRecord
from beatingbert.scoring.scorecard import score
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction

LABELS = ("negative", "positive")
MakeRun = Callable[..., RunRecord]


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    """The folder in which `make_run` leaves its runs."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def make_run(runs_dir: Path) -> MakeRun:
    """make_run("a", [True, False]) is a run named a that got the first of two questions right."""

    def make(run_name: str, right: Sequence[bool], **about: Any) -> RunRecord:
        first_id, unlabelled = about.pop("first_id", 0), about.pop("unlabelled", False)
        examples = [Example(Question(f"q{first_id + at}", {}), LABELS[at % 2]) for at in range(len(right))]
        predictions = [
            Prediction(question_id=one.question.id, label=LABELS[(at + 1 - good) % 2])
            for at, (one, good) in enumerate(zip(examples, right, strict=True))
        ]
        folder = runs_dir / run_name
        folder.mkdir()
        gold = {} if unlabelled else {("validation", one.question.id): one.label for one in examples}
        write_predictions(folder / "predictions.parquet", {"validation": predictions}, gold)
        cell = {
            "task": "sst2",
            "engine": "encoder",
            "engine_version": 1,
            "mode": "evaluate",
            "settings": {"checkpoint": about.get("model", run_name)},
            "train_size": None,
            "eval_size": None,
            "seed": 99,
            "select_on": "development",
            "data_revision": "unknown",
        }
        record = {
            "run_name": run_name,
            "cell": Cell(**{**cell, **about.pop("cell", {})}),
            "model": run_name,
            "scores": {} if unlabelled else {"validation": score(examples, predictions, LABELS, draws=20).to_json()},
            "efficiency": {
                "latency": {"p50_ms": 1.25, "p95_ms": 20.0, "n": 50, "warmup": 3},
                "throughput": {"questions_per_second": 1234.5, "n": len(right), "seconds": 0.01},
                "memory": {"fit": {}, "answer": {"process_mib": 512.4, "device_mib": None}},
                "load_seconds": 0.5,
                "train_seconds": 250.0,
                "parameters": 100,
                "disk_bytes": 400,
                "device": "cpu",
                "precision": "fp32",
            },
            "data": {"train_rows": 3600, "revision": "r1"},
            **{name: {} for name in ("checkpoint", "template", "notes", "environment")},
            **dict.fromkeys(("started_at", "finished_at"), "2026-01-01T12:00:00+01:00"),
            "folder": folder,
        }
        made = RunRecord(**{**record, **about})
        write_json(folder / "results.json", made.to_json())
        return made

    return make
