"""Finished runs with the answers a test asks for, kept as any run is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from beatingbert.runs.cell import Cell
from beatingbert.runs.record import RunRecord
from beatingbert.runs.store import RunFolder
from beatingbert.scoring.scorecard import score
from beatingbert.tasks.example import Example
from beatingbert.tasks.prediction import Prediction

FinishRun = Callable[..., Path]


@pytest.fixture
def finish_run(tmp_path: Path) -> FinishRun:
    """finish_run(examples, predictions, labels) is the folder of a run; without labels it is multiple choice."""

    def finish(
        examples: Sequence[Example],
        predictions: Sequence[Prediction],
        labels: Sequence[str] = (),
        *,
        scored: bool = True,
    ) -> Path:
        cell = Cell(
            task="sst2",
            engine="llm",
            engine_version=1,
            mode="evaluate",
            settings={"shots": 0, "answer_by": "generation"},
            train_size=None,
            eval_size=None,
            seed=99,
            select_on="development",
            data_revision="r1",
        )
        record = RunRecord(
            run_name="a_run",
            cell=cell,
            model="gemma",
            scores={"validation": score(examples, predictions, labels, draws=20).to_json()} if scored else {},
            **{name: {} for name in ("efficiency", "data", "checkpoint", "template", "notes", "environment")},
            started_at="2026-01-01T12:00:00+01:00",
            finished_at="2026-01-01T12:00:05+01:00",
        )
        with RunFolder(tmp_path / "a_run") as folder:
            folder.finish(
                record,
                questions={"validation": [one.question for one in examples]},
                predictions={"validation": predictions},
                examples={"validation": examples} if scored else {},
                history=[],
                template="",
            )
        return tmp_path / "a_run"

    return finish
