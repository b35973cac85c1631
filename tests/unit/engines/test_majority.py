from __future__ import annotations

from collections.abc import Callable

import pytest

from beatingbert.engines.majority import MajorityEngine, MajoritySettings
from beatingbert.engines.protocol import Workplace
from beatingbert.errors import TooFewExamplesError
from beatingbert.tasks.example import Example
from tiny_tasks import questions_of, science, sentiment

Place = Callable[[str], Workplace]


def labelled(*labels: str) -> list[Example]:
    return [Example(example.question, label) for example, label in zip(sentiment(len(labels)), labels, strict=True)]


@pytest.mark.parametrize(
    ("labels", "answer", "share"),
    [
        (("positive", "negative", "positive"), "positive", 2 / 3),
        (("negative", "negative", "positive"), "negative", 2 / 3),
        (("positive", "negative"), "negative", 1 / 2),  # a tie: the label declared first
        (("positive",), "positive", 1.0),
    ],
)
def test_the_most_frequent_label_answers_everything(
    workplace: Place, labels: tuple[str, ...], answer: str, share: float
) -> None:
    classifier = MajorityEngine(MajoritySettings(), workplace("sst2")).fit(labelled(*labels), development=[], seed=1)
    for one in classifier.predict(questions_of(sentiment(3))):
        assert one.label == answer
        assert one.probabilities is not None
        assert one.probabilities[answer] == pytest.approx(share)
        assert set(one.probabilities) == {"negative", "positive"}


def test_a_tie_does_not_depend_on_the_order_of_train(workplace: Place) -> None:
    rows = labelled("positive", "negative", "positive", "negative")
    for train in (rows, rows[::-1]):
        classifier = MajorityEngine(MajoritySettings(), workplace("sst2")).fit(train, development=[], seed=1)
        assert classifier.facts.notes == {"label": "negative"}


def test_multiple_choice_is_answered_with_a_position_that_the_question_has(workplace: Place) -> None:
    rows = science(12)
    train = [Example(row.question, str(len(row.question.choices) - 1)) for row in rows if len(row.question.choices) > 3]
    classifier = MajorityEngine(MajoritySettings(), workplace("arc_challenge")).fit(train, development=[], seed=1)
    for one, row in zip(classifier.predict(questions_of(rows)), rows, strict=True):
        assert one.label is not None
        assert int(one.label) < len(row.question.choices)
        assert one.probabilities is not None
        assert sum(one.probabilities.values()) == pytest.approx(1)
        assert set(one.probabilities) <= {str(at) for at in range(len(row.question.choices))}


def test_no_train_rows_are_refused(workplace: Place) -> None:
    with pytest.raises(TooFewExamplesError, match="at least one train row"):
        MajorityEngine(MajoritySettings(), workplace("sst2")).fit([], development=[], seed=1)
