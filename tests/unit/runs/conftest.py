"""A small finished run to write and read: four questions, one of each kind of answer."""

from __future__ import annotations

from typing import Any

import pytest

from beatingbert.runs.cell import Cell
from beatingbert.runs.record import RunRecord
from beatingbert.scoring.scorecard import score
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction

LABELS = ("negative", "positive")


@pytest.fixture
def cell() -> Cell:
    return Cell(
        task="sst2",
        engine="linear",
        engine_version=1,
        mode="evaluate",
        settings={"max_ngram": 2, "min_count": 1},
        train_size=100,
        eval_size=None,
        seed=99,
        select_on="development",
        data_revision="d" * 64,
        prompt_sha256="",
    )


@pytest.fixture
def examples() -> list[Example]:
    gold = ("negative", "positive", "positive", "negative")
    return [Example(Question(f"q{at}", {"sentence": f"text {at}"}), label) for at, label in enumerate(gold)]


@pytest.fixture
def predictions() -> list[Prediction]:
    return [
        Prediction(question_id="q0", label="negative", probabilities={"negative": 0.75, "positive": 0.25}),
        Prediction(question_id="q1", label="negative", reply="=1+1", lost_tokens=3),
        Prediction(question_id="q2", label=None, reply='naïve 😀\nzwei Zeilen, "quoted"', prompt="Frage: ä?"),
        Prediction(question_id="q3", label="negative", log_likelihoods={"negative": -0.5, "positive": -2.0}),
    ]


@pytest.fixture
def record(cell: Cell, examples: list[Example], predictions: list[Prediction]) -> RunRecord:
    return RunRecord(
        run_name="a_run",
        cell=cell,
        model="linear",
        scores={"validation": score(examples, predictions, LABELS, draws=50).to_json()},
        efficiency={"train_seconds": 0.5},
        data={"train_rows": 90},
        checkpoint={},
        template={},
        notes={"features": 12},
        environment={"python": "3.11.9"},
        started_at="2026-01-01T12:00:00+01:00",
        finished_at="2026-01-01T12:00:05+01:00",
    )


@pytest.fixture
def outcome(examples: list[Example], predictions: list[Prediction]) -> dict[str, Any]:
    """What `RunFolder.finish` is told besides the record."""
    return {
        "questions": {"validation": [one.question for one in examples]},
        "predictions": {"validation": predictions},
        "examples": {"validation": examples},
        "history": [{"epoch": 1.0, "loss": 0.5}],
        "template": "the template, word for word",
    }
