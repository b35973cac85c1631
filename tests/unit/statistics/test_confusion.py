import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from beatingbert.errors import DataError, MisalignedError
from beatingbert.statistics.confusion import (
    confusion_accuracy,
    confusion_macro_f1,
    confusion_mcc,
    count_confusion,
    draw_confusions,
)


def answers(seed: int, classes: int, rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.integers(0, classes, rows), generator.integers(-1, classes, rows)


def test_an_unparsed_reply_has_a_column_of_its_own() -> None:
    counts = count_confusion(np.array([0, 0, 1, 1]), np.array([0, -1, 0, 1]), classes=2)
    assert counts.tolist() == [[1, 0, 1], [1, 1, 0]]


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("seed", range(5))
def test_metrics_agree_with_scikit_learn(seed: int, classes: int) -> None:
    gold, predicted = answers(seed, classes)
    counts = count_confusion(gold, predicted, classes=classes)
    labels = list(range(classes))
    assert confusion_accuracy(counts) == pytest.approx(accuracy_score(gold, predicted))
    assert confusion_macro_f1(counts) == pytest.approx(
        f1_score(gold, predicted, labels=labels, average="macro", zero_division=0.0)
    )
    assert confusion_mcc(counts) == pytest.approx(matthews_corrcoef(gold, predicted))


def test_a_class_neither_present_nor_answered_counts_as_zero_in_macro_f1() -> None:
    counts = count_confusion(np.array([0, 1]), np.array([0, 1]), classes=3)
    assert confusion_macro_f1(counts) == pytest.approx(2 / 3)


def test_correlation_with_an_answer_that_never_varies_is_zero() -> None:
    for constant in (-1, 0, 1):
        counts = count_confusion(np.array([0, 1, 1]), np.full(3, constant), classes=2)
        assert confusion_mcc(counts) == 0.0


def test_many_matrices_are_measured_as_if_one_by_one() -> None:
    matrices = np.stack([count_confusion(*answers(seed, 3), classes=3) for seed in range(4)])
    for metric in (confusion_accuracy, confusion_macro_f1, confusion_mcc):
        assert metric(matrices).tolist() == [float(metric(matrix)) for matrix in matrices]


def test_every_draw_keeps_the_rows_of_each_class() -> None:
    rates = np.array([[0.5, 0.25, 0.25], [0.0, 0.0, 0.0]])
    drawn = draw_confusions(rates, np.array([8, 0]), draws=20, generator=np.random.default_rng(99))
    assert drawn.shape == (20, 2, 3)
    assert (drawn.sum(axis=2) == [8, 0]).all()


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(MisalignedError, match="same rows"):
        count_confusion(np.array([0, 1]), np.array([0]), classes=2)


@pytest.mark.parametrize(("gold", "predicted"), [([-1, 0], [0, 0]), ([0, 2], [0, 0]), ([0, 1], [0, -2])])
def test_a_code_outside_its_range_is_refused(gold: list[int], predicted: list[int]) -> None:
    with pytest.raises(DataError, match="codes run from"):
        count_confusion(np.array(gold), np.array(predicted), classes=2)
