import time

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from beatingbert.errors import DataError, MisalignedError, SettingsError, TooFewExamplesError
from beatingbert.statistics.confusion import confusion_accuracy, confusion_macro_f1, confusion_mcc
from beatingbert.statistics.intervals import Interval, stratified_bootstrap, wilson


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (0, 10), (10, 10), (7, 10), (801, 872), (1, 5000)])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_wilson_agrees_with_scipy(successes: int, n: int, level: float) -> None:
    ours = wilson(successes, n, level=level)
    theirs = binomtest(successes, n).proportion_ci(level, method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert ours.value == successes / n


def test_wilson_of_eight_in_ten_is_as_worked_by_hand() -> None:
    # z = 1.96: centre (0.8 + 3.8416 / 20) / 1.38416 = 0.71674, reach 0.22659
    interval = wilson(8, 10, level=0.95)
    assert (interval.low, interval.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


@pytest.mark.parametrize("rate", [0.5, 0.7, 0.9])
def test_wilson_holds_the_true_rate_about_as_often_as_it_says(rate: float) -> None:
    intervals = [wilson(successes, 100, level=0.95) for successes in range(101)]
    held = [interval.low <= rate <= interval.high for interval in intervals]
    assert binom.pmf(range(101), 100, rate) @ held == pytest.approx(0.95, abs=0.02)


def test_wilson_refuses_what_is_no_proportion() -> None:
    with pytest.raises(TooFewExamplesError):
        wilson(0, 0, level=0.95)
    for successes in (-1, 11):
        with pytest.raises(SettingsError, match="between 0 and n=10"):
            wilson(successes, 10, level=0.95)


@pytest.mark.parametrize("level", [-0.1, 0.0, 1.0, 95.0])
def test_a_level_outside_zero_and_one_is_refused(level: float) -> None:
    rows = np.array([0, 1])
    with pytest.raises(SettingsError, match="strictly between"):
        wilson(1, 2, level=level)
    with pytest.raises(SettingsError, match="strictly between"):
        stratified_bootstrap(rows, rows, confusion_mcc, classes=2, level=level, draws=10, seed=99)


def test_an_interval_that_misses_its_value_cannot_exist() -> None:
    with pytest.raises(SettingsError, match="must hold its value"):
        Interval(0.5, 0.6, 0.7, 0.95)


def noisy_answers(rows: int, seed: int, right: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
    """Three classes of unequal size; a wrong answer is unparsed half of the time, else the next class."""
    generator = np.random.default_rng(seed)
    gold = np.repeat([0, 1, 2], [rows // 2, rows // 4, rows - rows // 2 - rows // 4])
    wrong = np.where(generator.random(rows) < 0.5, -1, (gold + 1) % 3)
    return gold, np.where(generator.random(rows) < right, gold, wrong)


def true_macro_f1(right: float = 0.9) -> float:
    shares, miss = np.array([0.5, 0.25, 0.25]), (1 - right) / 2
    answered = right * shares + miss * np.roll(shares, 1)
    return float(np.mean(2 * right * shares / (shares + answered)))


def test_the_bootstrap_holds_the_true_macro_f1_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(200):
        gold, predicted = noisy_answers(200, seed)
        interval = stratified_bootstrap(gold, predicted, confusion_macro_f1, classes=3, level=0.9, draws=300, seed=seed)
        held += interval.low <= true_macro_f1() <= interval.high
    assert 0.84 <= held / 200 <= 0.95  # 0.9, give or take chance (0.02) and the percentile method's known narrowness


def test_drawing_counts_is_the_same_as_drawing_rows_within_classes() -> None:
    gold, predicted = noisy_answers(120, seed=3, right=0.7)
    interval = stratified_bootstrap(gold, predicted, confusion_macro_f1, classes=3, level=0.9, draws=4000, seed=99)
    generator = np.random.default_rng(7)
    members = [np.flatnonzero(gold == code) for code in range(3)]
    values = []
    for _ in range(1000):
        rows = np.concatenate([generator.choice(group, size=group.size) for group in members])
        hits = np.bincount(gold[rows], weights=gold[rows] == predicted[rows], minlength=3)
        sizes = np.bincount(gold[rows], minlength=3) + np.bincount(predicted[rows] + 1, minlength=4)[1:]
        values.append(np.mean(2 * hits / sizes))
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(values, [0.05, 0.95])), abs=0.01)


def test_the_same_seed_gives_the_same_bounds_and_another_does_not() -> None:
    gold, predicted = noisy_answers(100, seed=1)
    first, again, other = (
        stratified_bootstrap(gold, predicted, confusion_mcc, classes=3, level=0.95, draws=200, seed=seed)
        for seed in (99, 99, 100)
    )
    assert first == again
    assert first != other
    assert first.value == other.value


@pytest.mark.parametrize("n", [20, 872])
def test_all_rows_right_is_not_stated_as_certainty(n: int) -> None:
    gold = np.arange(n) % 2
    interval = stratified_bootstrap(gold, gold, confusion_accuracy, classes=2, level=0.95, draws=2000, seed=99)
    assert interval.value == interval.high == 1.0
    assert 1 - interval.low == pytest.approx(1 - wilson(n, n, level=0.95).low, rel=0.5)


def test_one_row_per_class_still_leaves_doubt() -> None:
    rows = np.array([0, 1])
    interval = stratified_bootstrap(rows, rows, confusion_macro_f1, classes=2, level=0.95, draws=500, seed=99)
    assert interval.low < 0.5


def test_a_class_without_rows_does_not_disturb_the_draws() -> None:
    gold = np.array([0, 0, 1, 1])
    interval = stratified_bootstrap(gold, gold, confusion_macro_f1, classes=3, level=0.95, draws=200, seed=99)
    assert interval.value == pytest.approx(2 / 3)


def test_two_thousand_draws_of_a_validation_split_take_well_under_a_second() -> None:
    gold, predicted = noisy_answers(872, seed=1)
    start = time.process_time()
    for metric in (confusion_macro_f1, confusion_mcc):
        stratified_bootstrap(gold, predicted, metric, classes=3, level=0.95, draws=2000, seed=99)
    assert time.process_time() - start < 0.5


def test_many_classes_are_drawn_in_batches() -> None:
    gold = np.arange(300) % 150
    interval = stratified_bootstrap(
        gold, np.roll(gold, 1), confusion_accuracy, classes=150, level=0.95, draws=400, seed=99
    )
    assert interval.value == 0.0


def test_the_bootstrap_refuses_rows_that_cannot_carry_it() -> None:
    def run(gold: list[int], predicted: list[int], draws: int = 10) -> Interval:
        return stratified_bootstrap(
            np.array(gold), np.array(predicted), confusion_mcc, classes=2, level=0.95, draws=draws, seed=99
        )

    with pytest.raises(TooFewExamplesError, match="at least two rows"):
        run([0], [0])
    with pytest.raises(TooFewExamplesError, match="at least two rows"):
        run([], [])
    with pytest.raises(MisalignedError):
        run([0, 1], [0])
    with pytest.raises(DataError):
        run([0, -1], [0, 0])
    with pytest.raises(SettingsError, match="draws"):
        run([0, 1], [0, 0], draws=0)
