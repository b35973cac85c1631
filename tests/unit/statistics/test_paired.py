import math

import numpy as np
import pytest
from scipy.stats import binomtest, norm
from sklearn.metrics import f1_score, matthews_corrcoef

from beatingbert.errors import DataError, MisalignedError, SettingsError, TooFewExamplesError
from beatingbert.statistics.confusion import confusion_accuracy, confusion_macro_f1, confusion_mcc
from beatingbert.statistics.paired import accuracy_gap, mcnemar_exact, metric_gap, seeded_gap


def columns(both: int, only_first: int, only_second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    sizes = [both, only_first, only_second, neither]
    return np.repeat([True, True, False, False], sizes), np.repeat([True, False, True, False], sizes)


@pytest.mark.parametrize(("only_first", "only_second"), [(1, 0), (5, 0), (3, 3), (10, 4), (4, 10), (900, 1000)])
def test_mcnemar_agrees_with_the_binomial_test(only_first: int, only_second: int) -> None:
    expected = binomtest(only_first, only_first + only_second, 0.5).pvalue
    assert mcnemar_exact(*columns(20, only_first, only_second, 5)) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_five_to_none_is_as_worked_by_hand() -> None:
    assert mcnemar_exact(*columns(3, 5, 0, 2)) == pytest.approx(2 * 0.5**5)


def test_mcnemar_without_a_discordant_row_sees_no_difference() -> None:
    assert mcnemar_exact(*columns(7, 0, 0, 3)) == 1.0


def test_mcnemar_rejects_a_true_hypothesis_no_more_often_than_it_says() -> None:
    generator = np.random.default_rng(99)
    trials = generator.random((400, 2, 100)) < 0.8
    assert np.mean([mcnemar_exact(first, second) <= 0.05 for first, second in trials]) <= 0.07


def test_the_gap_is_first_minus_second() -> None:
    gap = accuracy_gap(*columns(60, 25, 5, 10), level=0.95, draws=1000, seed=99)
    assert gap.value == pytest.approx(0.2)
    # by hand: sd = sqrt((0.30 - 0.04) / 100) = 0.051
    assert (gap.low, gap.high) == pytest.approx((0.1, 0.3), abs=0.02)


def test_the_gap_holds_the_true_difference_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(99)
    held = 0
    for seed in range(300):
        hard = generator.random(300)  # rows are as hard for one as for the other, so the two are correlated
        first, second = hard + 0.1 * generator.random(300) < 0.85, hard + 0.1 * generator.random(300) < 0.80
        gap = accuracy_gap(first, second, level=0.9, draws=400, seed=seed)
        held += gap.low <= 0.05 <= gap.high
    assert 0.85 <= held / 300 <= 0.95


def test_pairing_narrows_the_interval_of_two_that_mostly_agree() -> None:
    agreeing = accuracy_gap(*columns(80, 2, 2, 16), level=0.95, draws=1000, seed=99)
    independent = accuracy_gap(*columns(67, 15, 15, 3), level=0.95, draws=1000, seed=99)
    assert agreeing.high - agreeing.low < 0.5 * (independent.high - independent.low)


@pytest.mark.parametrize("outcomes", [(10, 0, 0, 0), (0, 10, 0, 0), (5, 0, 0, 5)])
def test_rows_that_are_all_alike_are_not_stated_as_certainty(outcomes: tuple[int, int, int, int]) -> None:
    gap = accuracy_gap(*columns(*outcomes), level=0.95, draws=500, seed=99)
    assert gap.low < gap.high
    assert gap.low <= gap.value <= gap.high


def test_the_same_seed_gives_the_same_bounds() -> None:
    pair = columns(60, 25, 5, 10)
    assert accuracy_gap(*pair, level=0.95, draws=200, seed=1) == accuracy_gap(*pair, level=0.95, draws=200, seed=1)


def test_rows_that_cannot_be_paired_are_refused() -> None:
    two, three, one = np.array([True, False]), np.array([True, False, True]), np.array([True])
    for compare in (mcnemar_exact, lambda a, b: accuracy_gap(a, b, level=0.95, draws=10, seed=99)):
        with pytest.raises(MisalignedError, match="same examples"):
            compare(two, three)
        with pytest.raises(TooFewExamplesError, match="at least two"):
            compare(one, one)
        with pytest.raises(TypeError, match="right or wrong"):
            compare(two.astype(int), two)


def test_settings_out_of_range_are_refused() -> None:
    two = np.array([True, False])
    with pytest.raises(SettingsError, match="level"):
        accuracy_gap(two, two, level=95, draws=10, seed=99)
    with pytest.raises(SettingsError, match="draws"):
        accuracy_gap(two, two, level=0.95, draws=0, seed=99)


def three_columns(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gold of three unequal classes and two answers that are right on much the same rows; some name no class."""
    generator = np.random.default_rng(seed)
    gold = np.repeat([0, 1, 2], [rows // 2, rows // 4, rows - rows // 2 - rows // 4])
    hard = generator.random(rows)
    wrong = np.where(generator.random((2, rows)) < 0.3, -1, (gold + 1) % 3)
    first = np.where(hard + 0.3 * generator.random(rows) < 0.95, gold, wrong[0])
    second = np.where(hard + 0.3 * generator.random(rows) < 0.90, gold, wrong[1])
    return gold, first, second


def test_the_gap_of_a_metric_is_the_difference_that_scikit_learn_finds() -> None:
    gold, first, second = three_columns(300, seed=1)
    for metric, theirs in (
        (confusion_mcc, matthews_corrcoef),
        (confusion_macro_f1, lambda a, b: f1_score(a, b, labels=[0, 1, 2], average="macro", zero_division=0.0)),
    ):
        gap = metric_gap(gold, first, second, metric, classes=3, level=0.95, draws=50, seed=99)
        assert gap.value == pytest.approx(theirs(gold, first) - theirs(gold, second))


def test_drawing_counts_of_pairs_is_the_same_as_drawing_rows_within_classes() -> None:
    gold, first, second = three_columns(150, seed=2)
    gap = metric_gap(gold, first, second, confusion_mcc, classes=3, level=0.9, draws=4000, seed=99)
    generator = np.random.default_rng(7)
    members = [np.flatnonzero(gold == code) for code in range(3)]
    values = []
    for _ in range(400):
        rows = np.concatenate([generator.choice(group, size=group.size) for group in members])
        values.append(matthews_corrcoef(gold[rows], first[rows]) - matthews_corrcoef(gold[rows], second[rows]))
    assert (gap.low, gap.high) == pytest.approx(tuple(np.quantile(values, [0.05, 0.95])), abs=0.012)


def test_the_gap_of_accuracies_is_the_same_as_that_of_the_metric() -> None:
    gold, first, second = three_columns(400, seed=3)
    gap = metric_gap(gold, first, second, confusion_accuracy, classes=3, level=0.95, draws=4000, seed=99)
    plain = accuracy_gap(first == gold, second == gold, level=0.95, draws=4000, seed=99)
    assert (gap.value, gap.low, gap.high) == pytest.approx((plain.value, plain.low, plain.high), abs=0.01)


def test_the_gap_of_a_metric_holds_the_true_difference_about_as_often_as_it_says() -> None:
    large = three_columns(400_000, seed=5)
    truth = matthews_corrcoef(large[0], large[1]) - matthews_corrcoef(large[0], large[2])
    gaps = [
        metric_gap(*three_columns(277, seed), confusion_mcc, classes=3, level=0.95, draws=300, seed=seed)
        for seed in range(300)
    ]
    held = np.mean([gap.low <= truth <= gap.high for gap in gaps])
    assert 0.915 <= held <= 0.985  # 0.95, give or take chance (0.013 each way)


def test_two_that_always_agree_are_not_stated_as_certainly_alike() -> None:
    gold, first, _ = three_columns(60, seed=1)
    gap = metric_gap(gold, first, first, confusion_macro_f1, classes=3, level=0.95, draws=500, seed=99)
    assert gap.low < gap.value == 0.0 < gap.high


def test_a_gap_of_metrics_between_rows_that_cannot_be_paired_is_refused() -> None:
    def run(gold: list[int], first: list[int], second: list[int], draws: int = 10) -> None:
        metric_gap(*map(np.array, (gold, first, second)), confusion_mcc, classes=2, level=0.95, draws=draws, seed=99)

    with pytest.raises(MisalignedError):
        run([0, 1], [0, 1], [0, 1, 1])
    with pytest.raises(DataError):
        run([0, 1], [0, 2], [0, 1])
    with pytest.raises(TooFewExamplesError, match="at least two"):
        run([0], [0], [0])
    with pytest.raises(SettingsError, match="draws"):
        run([0, 1], [0, 1], [0, 1], draws=0)


def seeded_answers(
    seeds: int, shared: np.ndarray, ease: float, scatter: float, generator: np.random.Generator
) -> np.ndarray:
    """Right or wrong of so many seeds of one side.

    Some of what makes a row hard is so for both sides, more of it for this side, a little for one seed alone; and a
    seed is better or worse on all rows. Accuracy over all rows and seeds there are: Phi(ease / sqrt(1 + scatter^2)).
    """
    own, noise = generator.normal(size=shared.size), generator.normal(size=(seeds, shared.size))
    luck = scatter * generator.normal(size=(seeds, 1))
    return ease + 0.6 * shared + 0.7 * own + 0.15**0.5 * noise + luck > 0


@pytest.mark.parametrize(
    ("seeds", "scatter"),
    [((2, 2), 0.0), ((2, 2), 0.1), ((2, 2), 0.5), ((3, 3), 0.0), ((3, 3), 0.1), ((3, 3), 0.5), ((3, 2), 0.2)],
)
def test_few_seeds_do_not_make_the_gap_too_narrow(seeds: tuple[int, int], scatter: float) -> None:
    generator = np.random.default_rng(99)
    spread = math.sqrt(1 + scatter**2)
    truth = norm.cdf(1.0 / spread) - norm.cdf(0.8 / spread)
    held = 0
    for _ in range(600):
        shared = generator.normal(size=200)
        first = seeded_answers(seeds[0], shared, 1.0, scatter, generator)
        second = seeded_answers(seeds[1], shared, 0.8, scatter, generator)
        gap = seeded_gap(first, second, level=0.95, draws=1, seed=99).gap
        held += gap.low <= truth <= gap.high
    assert 0.915 <= held / 600 <= 0.99  # 0.95, give or take chance (0.01 each way)


@pytest.mark.parametrize("scatter", [0.0, 0.3])
def test_seeds_of_equals_are_called_different_no_more_often_than_promised(scatter: float) -> None:
    generator = np.random.default_rng(7)
    p_values = []
    for _ in range(600):
        shared = generator.normal(size=150)
        sides = [seeded_answers(3, shared, 1.0, scatter, generator) for _ in range(2)]
        p_values.append(seeded_gap(*sides, level=0.95, draws=1, seed=99).p_value)
    assert 0.005 <= np.mean(np.array(p_values) < 0.05) <= 0.07


def test_one_seed_on_each_side_is_the_plain_comparison() -> None:
    first, second = columns(60, 25, 5, 10)
    found = seeded_gap(first[None], second[None], level=0.95, draws=500, seed=99)
    assert found.gap == accuracy_gap(first, second, level=0.95, draws=500, seed=99)
    assert found.p_value == mcnemar_exact(first, second)


@pytest.mark.parametrize("outcomes", [(60, 25, 5, 10), (700, 60, 30, 82), (40, 8, 1, 1), (40, 3, 0, 7)])
def test_seeds_that_answer_alike_are_worth_one(outcomes: tuple[int, int, int, int]) -> None:
    first, second = columns(*outcomes)
    found = seeded_gap(np.tile(first, (3, 1)), np.tile(second, (4, 1)), level=0.95, draws=1, seed=99)
    assert found.p_value == pytest.approx(mcnemar_exact(first, second), abs=0.02)
    plain = accuracy_gap(first, second, level=0.95, draws=4000, seed=99)
    assert (found.gap.low, found.gap.high) == pytest.approx((plain.low, plain.high), abs=0.03)


def test_a_pair_of_seeds_that_scatter_makes_the_gap_wide() -> None:
    first, second = columns(60, 25, 5, 10)
    worse = first & (np.arange(100) % 5 > 0)
    steady = seeded_gap(np.stack([first, first]), np.stack([second, second]), level=0.95, draws=1, seed=99)
    scattered = seeded_gap(np.stack([first, worse]), np.stack([second, second]), level=0.95, draws=1, seed=99)
    assert scattered.gap.high - scattered.gap.low > 1.5 * (steady.gap.high - steady.gap.low)
    assert scattered.p_value > steady.p_value


def test_swapping_the_sides_only_turns_the_sign() -> None:
    generator = np.random.default_rng(5)
    first, second = generator.random((3, 90)) < 0.8, generator.random((2, 90)) < 0.7
    one = seeded_gap(first, second, level=0.95, draws=1, seed=99)
    other = seeded_gap(second, first, level=0.95, draws=1, seed=99)
    assert (one.gap.low, one.gap.high) == pytest.approx((-other.gap.high, -other.gap.low))
    assert one.p_value == pytest.approx(other.p_value)


def test_seeds_that_always_agree_leave_doubt() -> None:
    same = np.ones((3, 20), dtype=bool)
    found = seeded_gap(same, same, level=0.95, draws=1, seed=99)
    assert found.gap.low < found.gap.value == 0.0 < found.gap.high
    assert found.p_value == 1.0


def test_seeds_over_other_rows_are_refused() -> None:
    with pytest.raises(MisalignedError, match="same rows"):
        seeded_gap(np.ones((2, 3), dtype=bool), np.ones((2, 4), dtype=bool), level=0.95, draws=1, seed=99)
    with pytest.raises(MisalignedError, match="same rows"):
        seeded_gap(np.ones(3, dtype=bool), np.ones(3, dtype=bool), level=0.95, draws=1, seed=99)
    with pytest.raises(TooFewExamplesError, match="a run on each side"):
        seeded_gap(np.ones((0, 3), dtype=bool), np.ones((2, 3), dtype=bool), level=0.95, draws=1, seed=99)
    with pytest.raises(TypeError, match="right or wrong"):
        seeded_gap(np.ones((2, 3)), np.ones((2, 3)), level=0.95, draws=1, seed=99)
