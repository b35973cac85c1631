import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.stats import binom, binomtest, bootstrap, chi2, t, ttest_1samp

from beatingbert.errors import DataError, MisalignedError, SettingsError, TooFewExamplesError
from beatingbert.statistics.confusion import (
    confusion_accuracy,
    confusion_macro_f1,
    confusion_mcc,
    count_confusion,
    draw_confusions,
)
from beatingbert.statistics.intervals import Interval, mean_over_seeds, stratified_bootstrap, wilson

ConfusionMetric = Callable[[np.ndarray], np.ndarray]


@pytest.mark.parametrize(("successes", "n"), [(0, 3), (0, 10), (10, 10), (5, 10), (801, 872), (4, 5000)])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_wilson_agrees_with_scipy_unless_few_succeed_or_fail(successes: int, n: int, level: float) -> None:
    ours = wilson(successes, n, level=level)
    theirs = binomtest(successes, n).proportion_ci(level, method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert ours.value == successes / n


@pytest.mark.parametrize(("successes", "n"), [(1, 50), (2, 50), (1, 277), (3, 277), (3, 872)])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_few_successes_have_the_lower_bound_of_a_poisson_count(successes: int, n: int, level: float) -> None:
    few, many = wilson(successes, n, level=level), wilson(n - successes, n, level=level)
    theirs = binomtest(successes, n).proportion_ci(level, method="wilson")
    assert few.low == pytest.approx(chi2.ppf(1 - level, 2 * successes) / (2 * n), rel=1e-9)
    assert few.low < theirs.low
    assert few.high == pytest.approx(theirs.high)
    assert (many.low, many.high) == pytest.approx((1 - few.high, 1 - few.low))


def test_three_successes_are_few_only_above_fifty_rows() -> None:
    for n, few in ((50, False), (51, True)):
        theirs = binomtest(3, n).proportion_ci(0.95, method="wilson")
        assert (wilson(3, n, level=0.95).low < theirs.low - 1e-9) == few


def test_wilson_of_five_in_ten_is_as_worked_by_hand() -> None:
    # z = 1.96: centre (0.5 + 3.8416 / 20) / 1.38416 = 0.5, reach 1.96 * sqrt(0.025 + 0.009604) / 1.38416 = 0.26341
    interval = wilson(5, 10, level=0.95)
    assert (interval.low, interval.high) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def wilson_coverage(n: int, rate: float) -> float:
    """Exact: the chance of every outcome whose interval holds the true rate."""
    intervals = [wilson(successes, n, level=0.95) for successes in range(n + 1)]
    held = [interval.low <= rate <= interval.high for interval in intervals]
    return float(binom.pmf(range(n + 1), n, rate) @ held)


@pytest.mark.parametrize(
    ("n", "rate", "coverage"),
    [
        *((50, 0.5, 0.935), (50, 0.9, 0.970), (50, 0.99, 0.986)),
        *((277, 0.5, 0.946), (277, 0.9, 0.955), (277, 0.99, 0.977)),
        *((872, 0.5, 0.947), (872, 0.9, 0.952), (872, 0.99, 0.960)),
    ],
)
def test_wilson_holds_the_true_accuracy_as_often_as_it_says(n: int, rate: float, coverage: float) -> None:
    assert wilson_coverage(n, rate) == pytest.approx(coverage, abs=0.0006)
    assert coverage >= 0.93


def test_fifty_rows_cannot_hold_an_accuracy_of_99_between_93_and_97_percent() -> None:
    # An interval that holds 0.99 does so for a run of outcomes; no run's chance lies between the two.
    chances = binom.pmf(range(51), 50, 0.99)
    runs = [chances[start:end].sum() for start in range(51) for end in range(start, 52)]
    assert not [chance for chance in runs if 0.92 < chance < 0.98]


@pytest.mark.parametrize(("n", "rate"), [(50, 0.5), (50, 0.9), (277, 0.9), (277, 0.99), (872, 0.99)])
def test_wilson_is_right_on_average_over_accuracies_nearby(n: int, rate: float) -> None:
    reach = (1 - rate) / 4
    near = [wilson_coverage(n, rate + reach * step / 20) for step in range(-20, 21)]
    assert 0.93 <= np.mean(near) <= 0.97


@settings(deadline=None)
@given(n=some.integers(1, 2000), share=some.floats(0, 1), level=some.floats(0.5, 0.999))
def test_successes_and_failures_have_mirrored_intervals(n: int, share: float, level: float) -> None:
    successes = round(share * n)
    one, other = wilson(successes, n, level=level), wilson(n - successes, n, level=level)
    assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low), abs=1e-12)
    assert 0 <= one.low < one.high <= 1


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


@pytest.mark.parametrize("metric", [confusion_macro_f1, confusion_mcc], ids=["macro-F1", "MCC"])
def test_the_bootstrap_holds_the_true_value_about_as_often_as_it_says(metric: ConfusionMetric) -> None:
    # 300 samples each: a true 0.95 shows as 0.95 give or take 0.013, their mean give or take 0.006.
    coverage = {(n, right): bootstrap_coverage(n, right, metric) for n in (277, 872) for right in (0.5, 0.9, 0.99)}
    assert 0.93 <= np.mean(list(coverage.values())) <= 0.975
    assert min(coverage.values()) >= 0.91


@pytest.mark.parametrize("right", [0.5, 0.9, 0.99])
def test_fifty_rows_are_never_stated_more_surely_than_they_are(right: float) -> None:
    # At 0.99 most samples have no wrong row, and nothing lies between much too rare and a little too often.
    assert bootstrap_coverage(50, right, confusion_macro_f1) >= 0.92


def bootstrap_coverage(n: int, right: float, metric: ConfusionMetric, samples: int = 300) -> float:
    rates = np.array([[right, 1 - right, 0.0], [(1 - right) / 2, right, (1 - right) / 2]])
    supports = np.array([n - n // 3, n // 3])
    truth = float(metric(1e9 * rates * supports[:, None]))
    drawn = draw_confusions(rates, supports, draws=samples, generator=np.random.default_rng(99))
    distinct, counts = np.unique(drawn, axis=0, return_counts=True)
    held = 0
    for seed, (matrix, count) in enumerate(zip(distinct, counts, strict=True)):
        gold, answers = np.repeat(np.indices(matrix.shape).reshape(2, -1), matrix.ravel(), axis=1)
        predicted = np.where(answers == 2, -1, answers)
        interval = stratified_bootstrap(gold, predicted, metric, classes=2, level=0.95, draws=400, seed=seed)
        held += int(count) * (interval.low <= truth <= interval.high)
    return held / samples


@pytest.mark.parametrize("metric", [confusion_macro_f1, confusion_mcc], ids=["macro-F1", "MCC"])
def test_bca_agrees_with_scipy(metric: ConfusionMetric) -> None:
    gold = np.repeat([0, 1], [60, 30])
    predicted = np.concatenate([np.repeat([0, 1, -1], [50, 8, 2]), np.repeat([0, 1], [9, 21])])

    def measure(*groups: np.ndarray) -> float:
        same = np.repeat([0, 1], [len(group) for group in groups])  # the jackknife leaves one out of either
        return float(metric(count_confusion(same, np.concatenate(groups), classes=2)))

    theirs = bootstrap(
        (predicted[:60], predicted[60:]),
        measure,
        vectorized=False,
        n_resamples=4000,
        confidence_level=0.9,
        method="BCa",
        rng=np.random.default_rng(7),
    ).confidence_interval
    ours = stratified_bootstrap(gold, predicted, metric, classes=2, level=0.9, draws=20_000, seed=99)
    plain = stratified_bootstrap(
        gold, predicted, metric, classes=2, level=0.9, draws=20_000, seed=99, method="percentile"
    )
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.008)
    assert ours.low < plain.low  # near its upper end a score has the longer tail below


def test_bca_of_a_proportion_leans_as_an_exact_interval_does() -> None:
    # One class, 60 of 64 right: a percentile interval is too high at both ends.
    gold, predicted = np.zeros(64, dtype=int), np.repeat([0, 1], [60, 4])
    ours = stratified_bootstrap(gold, predicted, confusion_accuracy, classes=2, level=0.95, draws=20_000, seed=99)
    exact = binomtest(60, 64).proportion_ci(0.95)
    assert (ours.low, ours.high) == pytest.approx((exact.low, exact.high), abs=0.02)


def test_drawing_counts_is_the_same_as_drawing_rows_within_classes() -> None:
    gold, predicted = noisy_answers(120, seed=3, right=0.7)
    interval = stratified_bootstrap(
        gold, predicted, confusion_macro_f1, classes=3, level=0.9, draws=4000, seed=99, method="percentile"
    )
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


def test_a_class_that_is_all_right_is_not_stated_as_certainty() -> None:
    gold = np.repeat([0, 1], [12, 200])
    spotless = np.where((gold == 1) & (np.arange(212) % 8 == 0), 0, gold)
    interval = stratified_bootstrap(
        gold, spotless, confusion_recall_of_the_first, classes=2, level=0.95, draws=2000, seed=99
    )
    # Of 12 right answers out of 12 the exact interval begins at 0.735.
    assert interval.high == 1.0
    assert 0.6 < interval.low < 0.9


def confusion_recall_of_the_first(confusion: np.ndarray) -> np.ndarray:
    return confusion[..., 0, 0] / confusion[..., 0, :].sum(axis=-1)


def test_a_class_that_is_all_wrong_might_have_been_right() -> None:
    gold = np.repeat([0, 1], [20, 20])
    always_the_second = np.ones(40, dtype=int)
    interval = stratified_bootstrap(gold, always_the_second, confusion_mcc, classes=2, level=0.95, draws=2000, seed=99)
    assert interval.low < interval.value == 0.0 < interval.high


def test_many_small_classes_that_are_all_right_are_not_drowned_in_doubt() -> None:
    gold = np.arange(300) % 150
    interval = stratified_bootstrap(gold, gold, confusion_macro_f1, classes=150, level=0.95, draws=400, seed=99)
    assert 0.97 < interval.low < 1.0


def test_one_row_per_class_still_leaves_doubt() -> None:
    rows = np.array([0, 1])
    interval = stratified_bootstrap(rows, rows, confusion_macro_f1, classes=2, level=0.95, draws=500, seed=99)
    assert interval.low < 0.5


def test_a_class_without_rows_does_not_disturb_the_draws() -> None:
    gold = np.array([0, 0, 1, 1])
    interval = stratified_bootstrap(gold, gold, confusion_macro_f1, classes=3, level=0.95, draws=200, seed=99)
    assert interval.value == pytest.approx(2 / 3)


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
    with pytest.raises(SettingsError, match="method must be"):
        stratified_bootstrap(
            np.array([0, 1]), np.array([0, 1]), confusion_mcc, classes=2, level=0.95, draws=9, seed=9, method="t"
        )


def test_a_mean_over_seeds_agrees_with_the_t_test() -> None:
    values = [0.91, 0.93, 0.88, 0.90]
    ours, theirs = mean_over_seeds(values, level=0.9), ttest_1samp(values, 0).confidence_interval(0.9)
    assert ours.value == pytest.approx(np.mean(values))
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_two_seeds_are_as_worked_by_hand() -> None:
    # t with one degree of freedom is 12.706; the mean's standard error is half the distance of the two.
    interval = mean_over_seeds([0.4, 0.42], level=0.95)
    assert (interval.low, interval.high) == pytest.approx((0.41 - 0.12706, 0.41 + 0.12706), abs=1e-5)


def test_seeds_that_agree_are_no_proof() -> None:
    with pytest.raises(TooFewExamplesError, match="no proof"):
        mean_over_seeds([0.8, 0.8, 0.8], level=0.95)
    interval, of_the_rows = mean_over_seeds([0.8, 0.8], level=0.95, rows=275), wilson(220, 275, level=0.95)
    assert (interval.low, interval.high) == pytest.approx((of_the_rows.low, of_the_rows.high))


@settings(deadline=None)
@given(some.lists(some.floats(0, 1), min_size=2, max_size=8), some.integers(1, 5000))
def test_rows_only_add_doubt_to_seeds(values: list[float], rows: int) -> None:
    with_rows = mean_over_seeds(values, level=0.95, rows=rows)
    assert 0 <= with_rows.low < with_rows.high <= 1
    if max(values) > min(values):
        alone = mean_over_seeds(values, level=0.95)
        assert with_rows.low <= max(0.0, alone.low) + 1e-9
        assert with_rows.high >= min(1.0, alone.high) - 1e-9


def test_a_mean_over_three_seeds_holds_the_true_mean_as_often_as_it_says() -> None:
    values = np.random.default_rng(99).normal(0.8, 0.03, size=(4000, 3))
    reach = t.ppf(0.975, 2) * values.std(axis=1, ddof=1) / math.sqrt(3)
    intervals = [mean_over_seeds(row.tolist(), level=0.95) for row in values]
    assert [one.high - one.value for one in intervals] == pytest.approx(reach.tolist())
    assert np.mean([one.low <= 0.8 <= one.high for one in intervals]) == pytest.approx(0.95, abs=0.012)


def test_seeds_that_carry_no_interval_are_refused() -> None:
    with pytest.raises(TooFewExamplesError, match="another seed"):
        mean_over_seeds([0.8], level=0.95)
    with pytest.raises(TooFewExamplesError, match="rows=0"):
        mean_over_seeds([0.8, 0.9], level=0.95, rows=0)
    with pytest.raises(SettingsError, match="fractions between 0 and 1"):
        mean_over_seeds([80.0, 81.0], level=0.95, rows=100)
    with pytest.raises(SettingsError, match="level"):
        mean_over_seeds([0.8, 0.9], level=95)
