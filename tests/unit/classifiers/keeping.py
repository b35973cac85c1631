"""Kept classifiers to test with, and stand-ins that answer by rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from beatingbert.classifiers.kept import keep_classifier
from beatingbert.engines.catalog import build_engine, engine_version
from beatingbert.engines.protocol import Classifier, Workplace
from beatingbert.runs.cell import Cell
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Task

SST2 = find_task("sst2")


def cell_of(engine: str, settings: Mapping[str, Any], task: str = "sst2") -> Cell:
    return Cell(
        task=task,
        engine=engine,
        engine_version=engine_version(engine),
        mode="evaluate",
        settings=settings,
        train_size=None,
        eval_size=None,
        seed=99,
        select_on="development",
        data_revision="d" * 64,
    )


def keep(
    engine: str,
    run: Path,
    rows: Sequence[Example],
    *,
    task: str = "sst2",
    development: Sequence[Example] = (),
    **settings: Any,
) -> tuple[Classifier, Path]:
    """Fit an engine and keep what came of it in `run`; returns both."""
    run.mkdir(parents=True, exist_ok=True)
    place = Workplace(task=find_task(task), folder=run)
    classifier = build_engine(engine, settings, place).fit(rows, development=development, seed=99)
    kept = keep_classifier(
        classifier, run / "classifier", place.task, cell=cell_of(engine, settings, task), development=development
    )
    return classifier, kept


class ByRule:
    """Answers a text by a rule of the test's own, and remembers how many texts came together."""

    task: Task = SST2
    identity = "by rule"

    def __init__(self, rule: Callable[[str], tuple[str | None, float | None]] | None = None) -> None:
        self.together: list[int] = []
        self._rule = rule or (lambda text: ("positive", 0.75) if "great" in text else ("negative", 0.625))

    def answers(self, questions: Sequence[Question]) -> list[Prediction]:
        self.together.append(len(questions))
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> Prediction:
        label, probability = self._rule(question.texts["sentence"])
        other = {"positive": "negative", "negative": "positive"}.get(label or "", "")
        probabilities = None if probability is None else {str(label): probability, other: 1 - probability}
        return Prediction(question_id=question.id, label=label, probabilities=probabilities, reply="said")
