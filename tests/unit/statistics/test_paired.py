import numpy as np
import pytest
from scipy.stats import binomtest

from beatingbert.errors import MisalignedError, SettingsError, TooFewExamplesError
from beatingbert.statistics.paired import accuracy_gap, mcnemar_exact


def columns(both: int, only_first: int, only_second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    sizes = [both, only_first, only_second, neither]
    return np.repeat([True, True, False, False], sizes), np.repeat([True, False, True, False], sizes)


@pytest.mark.parametrize(("only_first", "only_second"), [(1, 0), (5, 0), (3, 3), (10, 4), (4, 10), (900, 1000)])
def test_mcnemar_agrees_with_the_binomial_test(only_first: int, only_second: int) -> None:
    expected = binomtest(only_first, only_first + only_second, 0.5).pvalue
    assert mcnemar_exact(*columns(20, only_first, only_second, 5)) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_five_to_none_is_as_worked_by_hand() -> None:
    assert mcnemar_exact(*columns(3, 5, 0, 2)) == 2 * 0.5**5


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
