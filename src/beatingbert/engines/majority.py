"""The floor: always the label that train shows most often. A model that does not beat it has learnt nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from beatingbert.engines.protocol import EngineFacts, Workplace
from beatingbert.errors import TooFewExamplesError
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Task

VERSION = 1
COUNTS = "counts.json"


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
        return MajorityClassifier(self._workplace.task, Counter(example.label for example in train))


class MajorityClassifier:
    """Answers the same to everything, with the shares of train as probabilities.

    For multiple choice it is the position that was right most often, among those that the question has.
    """

    def __init__(self, task: Task, counts: Mapping[str, int]) -> None:
        self._task = task
        self._counts = counts
        self.facts = EngineFacts(notes={"label": most_frequent(counts, task.labels or tuple(sorted(counts)))})

    def predict(self, questions: Sequence[Question]) -> list[Prediction]:
        """The same answer for each question."""
        return [self._answer(question) for question in questions]

    def keep(self, folder: Path) -> None:
        """How often train shows each label."""
        (folder / COUNTS).write_text(json.dumps(dict(self._counts), indent=2) + "\n", encoding="utf-8")

    def _answer(self, question: Question) -> Prediction:
        labels = self._task.labels_of(question)
        total = sum(self._counts.get(label, 0) for label in labels)
        shares = {label: self._counts.get(label, 0) / total if total else 1 / len(labels) for label in labels}
        return Prediction(question_id=question.id, label=most_frequent(self._counts, labels), probabilities=shares)


def restore(folder: Path, settings: MajoritySettings, workplace: Workplace, *, seed: int) -> MajorityClassifier:
    """The classifier that was kept in the folder."""
    return MajorityClassifier(workplace.task, json.loads((folder / COUNTS).read_text(encoding="utf-8")))


def most_frequent(counts: Mapping[str, int], labels: Sequence[str]) -> str:
    """The label with the highest count; on a tie the one that comes first in `labels`."""
    return max(labels, key=lambda label: counts.get(label, 0))
