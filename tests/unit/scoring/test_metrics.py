import random

import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, matthews_corrcoef, precision_score, recall_score

from beatingbert.errors import DataError, MisalignedError, SettingsError, TooFewExamplesError
from beatingbert.scoring.metrics import accuracy, count_confusions, encode_labels, macro_f1, mcc, report_classes

LABELS = ("entailment", "neutral", "contradiction")
MISSING = "~ no label ~"  # None as one more predicted class


def answers(seed: int) -> tuple[list[str], list[str | None], list[str]]:
    generator = random.Random(seed)
    gold = generator.choices(LABELS, k=40)
    predicted: list[str | None] = [generator.choice([truth, truth, None, *LABELS]) for truth in gold]
    return gold, predicted, [MISSING if label is None else label for label in predicted]


@pytest.mark.parametrize("seed", range(5))
def test_metrics_are_scikit_learns_with_none_as_one_more_predicted_class(seed: int) -> None:
    gold, predicted, strings = answers(seed)
    assert None in predicted
    assert accuracy(LABELS, gold, predicted) == pytest.approx(accuracy_score(gold, strings))
    assert macro_f1(LABELS, gold, predicted) == pytest.approx(f1_score(gold, strings, labels=LABELS, average="macro"))
    assert mcc(LABELS, gold, predicted) == pytest.approx(matthews_corrcoef(gold, strings))


@pytest.mark.parametrize("seed", range(5))
def test_the_class_report_and_the_confusion_matrix_are_scikit_learns(seed: int) -> None:
    gold, predicted, strings = answers(seed)
    report = report_classes(LABELS, gold, predicted)
    assert list(report) == list(LABELS)
    for metric, name in ((precision_score, "precision"), (recall_score, "recall"), (f1_score, "f1")):
        expected = metric(gold, strings, labels=LABELS, average=None)
        assert [getattr(row, name) for row in report.values()] == pytest.approx(expected.tolist())
    assert [row.support for row in report.values()] == [gold.count(label) for label in LABELS]
    counts = confusion_matrix(gold, strings, labels=[*LABELS, MISSING])
    assert [list(row) for row in count_confusions(LABELS, gold, predicted)] == counts[:-1].tolist()


def test_a_reply_without_a_label_is_wrong_and_never_the_first_label() -> None:
    labels, gold, predicted = ("no", "yes"), ["no", "no", "yes", "yes"], ["no", None, "yes", None]
    assert accuracy(labels, gold, predicted) == 0.5
    assert count_confusions(labels, gold, predicted) == ((1, 0, 1), (0, 1, 1))
    report = report_classes(labels, gold, predicted)
    assert report["no"].to_json() == {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2}
    assert macro_f1(labels, gold, predicted) == pytest.approx(2 / 3)


@pytest.mark.parametrize("constant", ["no", "yes", None])
def test_an_answer_that_never_varies_is_measured_without_a_warning(constant: str | None) -> None:
    labels, gold = ("no", "yes"), ["no", "no", "yes"]
    assert mcc(labels, gold, [constant] * 3) == 0.0
    assert 0 <= macro_f1(labels, gold, [constant] * 3) < 0.5
    report_classes(labels, gold, [constant] * 3)


def test_gold_that_never_varies_is_measured_without_a_warning() -> None:
    assert mcc(("no", "yes"), ["no", "no"], ["no", "no"]) == 0.0
    assert macro_f1(("no", "yes"), ["no", "no"], ["no", "no"]) == 0.5  # "yes" is neither present nor answered


def test_codes_follow_the_order_of_the_labels_not_of_the_alphabet() -> None:
    gold, predicted = encode_labels(("zebra", "ant"), ["ant", "zebra"], ["zebra", None])
    assert (gold.tolist(), predicted.tolist()) == ([1, 0], [0, -1])


def test_columns_that_do_not_fit_are_refused() -> None:
    with pytest.raises(MisalignedError, match="2 gold labels but 1"):
        accuracy(LABELS, ["neutral", "neutral"], ["neutral"])
    with pytest.raises(TooFewExamplesError):
        accuracy(LABELS, [], [])
    with pytest.raises(SettingsError, match="differ from each other"):
        accuracy(("no", "no"), ["no"], ["no"])


@pytest.mark.parametrize(("gold", "predicted"), [("maybe", "neutral"), ("neutral", "maybe")])
def test_a_label_that_the_task_does_not_have_is_refused(gold: str, predicted: str) -> None:
    with pytest.raises(DataError, match="'maybe' is none of entailment"):
        macro_f1(LABELS, [gold], [predicted])
