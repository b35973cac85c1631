import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.stats import binom, binomtest, multinomial

from beatingbert.errors import MisalignedError, SettingsError, TooFewExamplesError
from beatingbert.statistics.discordant import count_all_pairs, count_discordant, exact_p_values, score_interval


def test_the_score_interval_gives_the_published_values() -> None:
    # Complete response before and after consolidation therapy (Cavo et al., 2012): 6 and 16 discordant of 161 pairs,
    # as Fagerland, Lydersen and Laake's contingencytables for R has it.
    interval = score_interval(6, 16, 161, level=0.95)
    assert (interval.value, interval.low, interval.high) == pytest.approx((-0.0621, -0.1240, -0.0054), abs=5e-5)


@pytest.mark.parametrize("n", [5, 20, 277])
def test_without_a_discordant_row_the_score_interval_is_as_worked_by_hand(n: int) -> None:
    interval = score_interval(0, 0, n, level=0.95)
    z = 1.959964
    assert (interval.low, interval.high) == pytest.approx((-(z**2) / (n + z**2), z**2 / (n + z**2)))


@pytest.mark.parametrize(("only_first", "only_second", "n"), [(12, 4, 60), (30, 40, 277), (3, 0, 50), (60, 85, 872)])
def test_each_bound_is_where_the_score_test_just_rejects(only_first: int, only_second: int, n: int) -> None:
    def score(gap: float) -> float:
        """Tango's statistic, its nuisance share found by trying them all instead of by formula."""
        shares = np.linspace(max(0.0, -gap), (1 - gap) / 2, 200_001)[1:-1]
        likelihood = (
            only_first * np.log(shares + gap)
            + only_second * np.log(shares)
            + (n - only_first - only_second) * np.log(1 - 2 * shares - gap)
        )
        share = shares[likelihood.argmax()]
        return (only_first - only_second - n * gap) / math.sqrt(n * (2 * share + gap * (1 - gap)))

    interval = score_interval(only_first, only_second, n, level=0.95)
    assert score(interval.low) == pytest.approx(1.96, abs=0.01)
    assert score(interval.high) == pytest.approx(-1.96, abs=0.01)


def every_outcome(n: int, only_first: float, only_second: float) -> tuple[np.ndarray, np.ndarray]:
    """All likely counts of discordant rows and their chances, given the true shares."""
    most = [int(binom.ppf(1 - 1e-9, n, share)) + 1 for share in (only_first, only_second)]
    counts = np.stack(np.meshgrid(*(np.arange(one + 1) for one in most), indexing="ij"), axis=-1).reshape(-1, 2)
    counts = counts[counts.sum(axis=1) <= n]
    chances = multinomial.pmf(
        np.column_stack([counts, n - counts.sum(axis=1)]), n, [only_first, only_second, 1 - only_first - only_second]
    )
    return counts[chances > 1e-8], chances[chances > 1e-8]


@pytest.mark.parametrize(
    ("n", "only_first", "only_second"), [(50, 0.08, 0.04), (50, 0.2, 0.2), (277, 0.03, 0.01), (277, 0.06, 0.05)]
)
def test_the_score_interval_holds_the_true_gap_as_often_as_it_says(
    n: int, only_first: float, only_second: float
) -> None:
    counts, chances = every_outcome(n, only_first, only_second)
    intervals = [score_interval(int(one), int(two), n, level=0.95) for one, two in counts]
    held = np.array([one.low <= only_first - only_second <= one.high for one in intervals])
    assert 0.93 <= chances @ held <= 0.975


@pytest.mark.parametrize(
    ("n", "discordant"), [(50, 0.02), (277, 0.01), (277, 0.012), (277, 0.02), (872, 0.01), (872, 0.012), (872, 0.02)]
)
def test_with_correction_a_point_is_not_called_less_too_often(n: int, discordant: float) -> None:
    # The true gap is a point exactly: its upper bound at 90 % should lie below that in 5 % of all cases at most.
    only_first = (discordant + 0.01) / 2
    counts, chances = every_outcome(n, only_first, discordant - only_first)
    highs = [score_interval(int(a), int(b), n, level=0.9, correction=0.5).high for a, b in counts]
    assert chances @ (np.array(highs) < 0.01) <= 0.05


@settings(deadline=None)
@given(some.integers(0, 60), some.integers(0, 60), some.integers(0, 800), some.floats(0.5, 0.999))
def test_swapping_the_two_turns_the_interval(only_first: int, only_second: int, alike: int, level: float) -> None:
    n = only_first + only_second + alike + 2
    one = score_interval(only_first, only_second, n, level=level)
    other = score_interval(only_second, only_first, n, level=level)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-12)
    assert -1 <= one.low < one.high <= 1
    wider = score_interval(only_first, only_second, n, level=level, correction=0.5)
    assert wider.low <= one.low
    assert wider.high >= one.high


def test_exact_p_values_come_one_per_pair_of_counts() -> None:
    found = exact_p_values(np.array([[0, 5], [10, 3]]), np.array([[0, 0], [4, 3]]))
    expected = [[1.0, 2 * 0.5**5], [binomtest(10, 14).pvalue, 1.0]]
    assert found == pytest.approx(np.array(expected))


def test_all_pairs_are_counted_as_if_one_by_one() -> None:
    generator = np.random.default_rng(99)
    first, second = generator.random((3, 70)) < 0.8, generator.random((2, 70)) < 0.6
    only_first, only_second, rows = count_all_pairs(first, second)
    for i in range(3):
        for j in range(2):
            assert count_discordant(first[i], second[j]) == (only_first[i, j], only_second[i, j], rows)


def test_counts_that_cannot_be_are_refused() -> None:
    with pytest.raises(SettingsError, match="cannot be"):
        score_interval(5, 6, 10, level=0.95)
    with pytest.raises(TooFewExamplesError, match="at least two"):
        score_interval(0, 0, 1, level=0.95)
    with pytest.raises(SettingsError, match="level"):
        score_interval(0, 0, 10, level=1.0)
    with pytest.raises(MisalignedError, match="same rows"):
        count_all_pairs(np.ones((2, 3), dtype=bool), np.ones((2, 4), dtype=bool))
    with pytest.raises(TooFewExamplesError, match="a run on each side"):
        count_all_pairs(np.ones((0, 3), dtype=bool), np.ones((2, 3), dtype=bool))
