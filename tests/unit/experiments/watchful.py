"""A stand-in engine that answers honestly little and keeps what it was shown, so that tests can look at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from beatingbert.engines.protocol import EngineFacts, Workplace
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction

VERSION = 1


class WatchfulEngine:
    """Answers everything with the task's first label; `seen` holds what the last run showed it."""

    seen: ClassVar[dict[str, Any]] = {}

    def __init__(self, settings: Any, workplace: Workplace) -> None:
        type(self).seen = {"settings": settings, "asked": []}
        self._label = workplace.task.labels[0]

    def fit(self, train: Sequence[Example], *, development: Sequence[Example], seed: int) -> WatchfulClassifier:
        self.seen.update(train=list(train), development=list(development), seed=seed)
        return WatchfulClassifier(self._label, self.seen)


class WatchfulClassifier:
    def __init__(self, label: str, seen: dict[str, Any]) -> None:
        self._label = label
        self._seen = seen
        self.facts = EngineFacts()

    def predict(self, questions: Sequence[Question]) -> list[Prediction]:
        self._seen["asked"].extend(questions)
        return [Prediction(question_id=one.id, label=self._label) for one in questions]
