"""Planted label errors are found, clean rows are left alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from beatingbert.decision.second_look import look_again
from beatingbert.engines.linear import LinearEngine, LinearSettings
from beatingbert.engines.protocol import Workplace
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction
from tiny_tasks import sentiment


class Sure:
    """Knows the truth and is sure of it; never sees a row that it was fitted on."""

    facts: Any = None

    def __init__(self, truth: dict[str, str]) -> None:
        self._truth = truth
        self._fitted: set[str] = set()

    def fit(self, train: Sequence[Example], *, development: Sequence[Example], seed: int) -> Sure:
        self._fitted = {one.question.id for one in train}
        return self

    def predict(self, questions: Sequence[Question]) -> list[Prediction]:
        assert not self._fitted & {one.id for one in questions}
        found = []
        for one in questions:
            wrong = {"positive": "negative", "negative": "positive"}[self._truth[one.id]]
            shares = {self._truth[one.id]: 0.95, wrong: 0.05}
            found.append(Prediction(question_id=one.id, label=self._truth[one.id], probabilities=shares))
        return found

    def keep(self, folder: Path) -> None: ...


def test_planted_errors_come_first(workplace: Callable[[str], Workplace]) -> None:
    rows = sentiment(200)
    planted = {rows[at].question.id for at in (3, 50, 77, 120, 181)}
    other = {"positive": "negative", "negative": "positive"}
    wrong = [Example(one.question, other[one.label]) if one.question.id in planted else one for one in rows]
    truth = {one.question.id: one.label for one in rows}
    look = look_again(wrong, lambda: Sure(truth), by="sure", seed=1)
    assert {one.id for one in look.suspects} == planted
    assert all(one.suggested == other[one.label] and one.probability < 0.2 for one in look.suspects)
    assert (look.rows, look.left_out, look.found) == (200, 0, 5)


def test_tf_idf_suspects_nothing_but_planted_errors(workplace: Callable[[str], Workplace]) -> None:
    rows = sentiment(200)
    planted = {rows[at].question.id for at in (3, 50, 77, 120, 181)}
    other = {"positive": "negative", "negative": "positive"}
    wrong = [Example(one.question, other[one.label]) if one.question.id in planted else one for one in rows]
    look = look_again(wrong, lambda: LinearEngine(LinearSettings(), workplace("sst2")), by="TF-IDF", seed=1)
    assert look.found >= 2
    assert {one.id for one in look.suspects} <= planted


def test_classes_with_too_few_rows_are_left_out(workplace: Callable[[str], Workplace]) -> None:
    rows = [*sentiment(40), *(Example(one.question, "rare") for one in sentiment(3, start=900))]
    look = look_again(rows, lambda: LinearEngine(LinearSettings(), workplace("sst2")), by="TF-IDF", seed=1)
    assert (look.rows, look.left_out) == (40, 3)
