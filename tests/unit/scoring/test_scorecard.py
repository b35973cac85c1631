import json
import subprocess
import sys
from collections.abc import Sequence

import pytest

from beatingbert.errors import DataError, MisalignedError, SettingsError, TooFewExamplesError
from beatingbert.scoring import metrics
from beatingbert.scoring.scorecard import score
from beatingbert.statistics.intervals import wilson
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction

LABELS = ("negative", "positive")


def examples_of(gold: Sequence[str], choices: tuple[str, ...] = ()) -> list[Example]:
    return [Example(Question(f"q{row}", {"text": "..."}, choices), label) for row, label in enumerate(gold)]


def predictions_of(labels: Sequence[str | None]) -> list[Prediction]:
    return [Prediction(question_id=f"q{row}", label=label) for row, label in enumerate(labels)]


GOLD = ["negative", "positive", "positive", "negative", "positive", "negative"]
ANSWERS = ["negative", "positive", None, "positive", "positive", "negative"]


def test_a_scorecard_holds_every_metric_with_its_interval() -> None:
    card = score(examples_of(GOLD), predictions_of(ANSWERS), LABELS)
    assert card.metrics["accuracy"] == wilson(4, 6, level=0.95)
    assert card.metrics["macro_f1"].value == metrics.macro_f1(LABELS, GOLD, ANSWERS)
    assert card.metrics["mcc"].value == metrics.mcc(LABELS, GOLD, ANSWERS)
    assert all(interval.low < interval.high for interval in card.metrics.values())
    assert card.confusion == ((2, 1, 0), (0, 2, 1))
    assert (card.n, card.unparsed) == (6, 1)


def test_predictions_are_joined_by_id_in_whatever_order_they_come() -> None:
    forwards = score(examples_of(GOLD), predictions_of(ANSWERS), LABELS)
    backwards = score(examples_of(GOLD), predictions_of(ANSWERS)[::-1], LABELS)
    assert forwards == backwards


def test_lost_tokens_are_counted_by_row_and_in_all() -> None:
    predictions = [
        Prediction(question_id=f"q{row}", label="positive", lost_tokens=lost) for row, lost in enumerate([0, 7, 3])
    ]
    card = score(examples_of(["positive", "negative", "positive"]), predictions, LABELS)
    assert (card.truncated, card.lost_tokens) == (2, 10)


def test_the_json_is_plain_and_names_the_bootstrap() -> None:
    card = score(examples_of(GOLD), predictions_of(ANSWERS), LABELS, level=0.9, draws=100, seed=5)
    told = json.loads(json.dumps(card.to_json(), allow_nan=False))
    assert told == card.to_json()
    assert list(told["metrics"]) == ["accuracy", "macro_f1", "mcc"]
    assert set(told["metrics"]["mcc"]) == {"value", "low", "high"}
    assert told["reliability"] == []
    assert told["intervals"] == {"level": 0.9, "draws": 100, "seed": 5}
    assert (told["rows"], told["unparsed"], told["truncated"]) == (6, 1, {"rows": 0, "lost_tokens": 0})
    assert told["confusion_matrix"] == {"labels": ["negative", "positive"], "rows": [[2, 1, 0], [0, 2, 1]]}
    assert told["per_class"]["negative"]["support"] == 3


@pytest.mark.parametrize(("labels", "accuracy_only"), [((), False), (("0", "1", "2"), True)])
def test_positions_of_choices_are_only_right_or_wrong(labels: tuple[str, ...], accuracy_only: bool) -> None:
    examples = examples_of(["0", "2", "1"], choices=("a", "b", "c"))
    card = score(examples, predictions_of(["0", "1", None]), labels, accuracy_only=accuracy_only)
    assert list(card.metrics) == ["accuracy"]
    assert card.metrics["accuracy"].value == pytest.approx(1 / 3)
    assert card.unparsed == 1
    assert card.to_json()["confusion_matrix"] == {"labels": [], "rows": []}


def with_probabilities(labels: Sequence[str], names: Sequence[str], sure: float = 0.8) -> list[Prediction]:
    """Each label with probability `sure`, the others of `names` sharing the rest."""
    rest = (1 - sure) / (len(names) - 1)
    return [
        Prediction(
            question_id=f"q{row}", label=label, probabilities={name: sure if name == label else rest for name in names}
        )
        for row, label in enumerate(labels)
    ]


def test_probabilities_are_scored_where_every_prediction_has_them() -> None:
    answered = ["negative", "positive", "negative", "positive", "positive", "negative"]
    card = score(examples_of(GOLD), with_probabilities(answered, LABELS), LABELS)
    assert list(card.metrics) == ["accuracy", "macro_f1", "mcc", "ece", "brier"]
    assert card.metrics["ece"].value == pytest.approx(0.8 - 4 / 6)
    assert card.metrics["brier"].value == pytest.approx((4 * 2 * 0.2**2 + 2 * 2 * 0.8**2) / 6)
    (occupied,) = (one for one in card.reliability if one.count)
    assert (occupied.count, occupied.confidence, occupied.accuracy) == (6, pytest.approx(0.8), pytest.approx(4 / 6))
    told = json.loads(json.dumps(card.to_json(), allow_nan=False))
    assert len(told["reliability"]) == 15
    assert set(told["metrics"]["ece"]) == {"value", "low", "high"}


def test_where_one_prediction_has_no_probabilities_none_are_scored() -> None:
    predictions = with_probabilities(GOLD[:-1], LABELS) + predictions_of(GOLD)[-1:]
    card = score(examples_of(GOLD), predictions, LABELS)
    assert not {"ece", "brier"} & card.metrics.keys()
    assert card.reliability == ()


def test_the_probabilities_of_choices_are_scored_row_by_row() -> None:
    gold = ["0", "2", "1", "3"]
    answered = with_probabilities(["0", "1", "1"], ("0", "1", "2"), sure=0.7)
    four = Prediction(question_id="q3", label="3", probabilities={"0": 0.1, "1": 0.1, "2": 0.1, "3": 0.7})
    card = score(examples_of(gold, choices=("a", "b", "c", "d")), [*answered, four], ())
    assert list(card.metrics) == ["accuracy", "ece", "brier"]
    assert card.metrics["ece"].value == pytest.approx(0.05)


def test_a_perfect_score_on_few_rows_is_not_stated_as_certainty() -> None:
    card = score(examples_of(GOLD), predictions_of(GOLD), LABELS)
    for interval in card.metrics.values():
        assert interval.value == interval.high == 1.0
        assert interval.low < 0.9


def test_the_order_of_the_rows_does_not_change_the_bounds() -> None:
    examples = examples_of(GOLD)
    assert score(examples, predictions_of(ANSWERS), LABELS) == score(examples[::-1], predictions_of(ANSWERS), LABELS)


@pytest.mark.parametrize(
    ("asked", "answered", "fault"),
    [
        (["a", "b"], ["a"], "never answered: b"),
        (["a", "b"], ["a", "b", "c"], "never asked: c"),
        (["a", "b"], ["a", "b", "b"], "answered twice: b"),
        (["a", "a"], ["a", "a"], "asked twice: a"),
        (["a", "b"], ["b", "c"], "never answered: a"),
    ],
)
def test_ids_that_do_not_match_one_to_one_are_refused(asked: list[str], answered: list[str], fault: str) -> None:
    examples = [Example(Question(name, {}), "positive") for name in asked]
    predictions = [Prediction(question_id=name, label="positive") for name in answered]
    with pytest.raises(MisalignedError, match=fault):
        score(examples, predictions, LABELS)


def test_a_message_about_many_ids_stays_short() -> None:
    with pytest.raises(
        MisalignedError, match=r"100 question\(s\) never answered: q0, q1, q2, q3, q4, \.\.\."
    ) as caught:
        score(examples_of(["positive"] * 100), [], LABELS)
    assert len(str(caught.value)) < 200


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(TooFewExamplesError, match="at least two rows"):
        score(examples_of(["positive"]), predictions_of(["positive"]), LABELS)
    with pytest.raises(DataError, match="'neutral'"):
        score(examples_of(GOLD), predictions_of(["neutral", *ANSWERS[1:]]), LABELS)
    with pytest.raises(SettingsError, match="level"):
        score(examples_of(GOLD), predictions_of(ANSWERS), LABELS, level=95)


def test_importing_what_scores_loads_no_heavy_library() -> None:
    modules = ("scoring.scorecard", "scoring.memory", "scoring.speed", "statistics.paired", "statistics.multiplicity")
    program = (
        "import sys\n"
        + "".join(f"import beatingbert.{module}\n" for module in (*modules, "runs.environment"))
        + "heavy = {'numpy', 'scipy', 'sklearn', 'pandas', 'torch', 'transformers', 'psutil'} & set(sys.modules)\n"
        + "sys.exit(', '.join(sorted(heavy)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_every_usual_rule_has_an_accuracy_of_its_own() -> None:
    """Four rows: the label is right twice, `acc` once, `acc_norm` three times."""
    examples = examples_of(["0", "1", "1", "0"], choices=("a", "b"))
    rules = [("1", "0"), ("0", "1"), ("1", "1"), ("1", "1")]
    predictions = [
        Prediction(question_id=f"q{row}", label=label, labels_by_rule={"acc": acc, "acc_norm": acc_norm})
        for row, (label, (acc, acc_norm)) in enumerate(zip(["0", "1", "0", "1"], rules, strict=True))
    ]
    card = score(examples, predictions, (), accuracy_only=True)
    assert card.metrics == {
        "accuracy": wilson(2, 4, level=0.95),
        "acc": wilson(1, 4, level=0.95),
        "acc_norm": wilson(3, 4, level=0.95),
    }
    assert list(card.to_json()["metrics"]) == ["accuracy", "acc", "acc_norm"]


def test_a_rule_that_some_rows_lack_is_not_reported() -> None:
    examples = examples_of(["0", "1"], choices=("a", "b"))
    predictions = [
        Prediction(question_id="q0", label="0", labels_by_rule={"acc": "0", "acc_norm": "0"}),
        Prediction(question_id="q1", label="0", labels_by_rule={"acc": "0"}),
    ]
    assert list(score(examples, predictions, (), accuracy_only=True).metrics) == ["accuracy", "acc"]
    without = [Prediction(question_id=f"q{row}", label="0") for row in range(2)]
    assert list(score(examples, [predictions[0], without[1]], (), accuracy_only=True).metrics) == ["accuracy"]
