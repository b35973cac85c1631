"""The floor: always the label that train shows most often. A model that does not beat it has learnt nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from beatingbert.engines.protocol import EngineFacts, Workplace
from beatingbert.errors import TooFewExamplesError
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MajoritySettings:
    """There is nothing to set."""


class MajorityEngine:
    """Counts labels."""

    def __init__(self, settings: MajoritySettings, workplace: Workplace) -> None:
        self._workplace = workplace

    def fit(self, train: Sequence[Example], *, development: Sequence[Example], seed: int) -> MajorityClassifier:
        """Count the labels of `train`; on a tie the label that comes first in the task's declaration wins."""
        if not train:
            raise TooFewExamplesError("the majority baseline needs at least one train row, got none")
        counts = Counter(example.label for example in train)
        order = self._workplace.task.labels or tuple(sorted(counts))
        return MajorityClassifier({label: counts[label] / len(train) for label in order})


class MajorityClassifier:
    """Answers the same to everything, with the shares of train as probabilities."""

    def __init__(self, shares: dict[str, float]) -> None:
        self._shares = shares
        self._label = max(shares, key=shares.__getitem__)
        self.facts = EngineFacts(notes={"label": self._label})

    def predict(self, questions: Sequence[Question]) -> list[Prediction]:
        """The same answer for each question."""
        return [Prediction(question_id=one.id, label=self._label, probabilities=self._shares) for one in questions]
