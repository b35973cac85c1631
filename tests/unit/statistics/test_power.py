import numpy as np
import pytest
from scipy.stats import binom, binomtest

from beatingbert.errors import SettingsError, TooFewExamplesError
from beatingbert.statistics.discordant import exact_p_values, score_interval
from beatingbert.statistics.power import minimum_detectable_gap, rows_for_equality, rows_needed


@pytest.mark.parametrize(("rows", "share"), [(50, 0.3), (277, 0.2), (277, 0.3), (872, 0.1), (872, 0.31)])
def test_the_smallest_significant_gap_is_significant_and_no_smaller_one_is(rows: int, share: float) -> None:
    discordant, gap = round(rows * share), minimum_detectable_gap(rows, discordant_share=share)
    more = round((discordant + gap * rows) / 2)
    assert binomtest(more, discordant).pvalue < 0.05
    assert binomtest(more - 1, discordant).pvalue >= 0.05


def test_ten_discordant_rows_of_a_hundred_are_as_worked_by_hand() -> None:
    # 9 to 1 has p = 2 * 11 / 1024 = 0.021, 8 to 2 has 2 * 56 / 1024 = 0.109
    assert minimum_detectable_gap(100, discordant_share=0.1) == pytest.approx(0.08)


def test_six_discordant_rows_are_the_fewest_that_show_anything() -> None:
    assert minimum_detectable_gap(277, discordant_share=0.001) == pytest.approx(6 / 277)  # 2 / 2 ** 6 = 0.031
    assert minimum_detectable_gap(6, discordant_share=0.1) == 1.0
    with pytest.raises(TooFewExamplesError, match="at least 6"):
        minimum_detectable_gap(5, discordant_share=1.0)
    with pytest.raises(TooFewExamplesError, match="at least 8"):
        minimum_detectable_gap(7, discordant_share=1.0, level=0.99)


def test_277_rows_cannot_tell_gaps_below_seven_points_when_a_third_is_discordant() -> None:
    assert 0.06 < minimum_detectable_gap(277, discordant_share=0.31) < 0.075


@pytest.mark.parametrize(
    ("gap", "share", "power"),
    [(0.01, 0.05, 0.8), (0.03, 0.1, 0.8), (-0.05, 0.2, 0.8), (0.05, 0.2, 0.9), (0.1, 0.3, 0.8)],
)
def test_so_many_rows_find_the_gap_as_often_as_asked(gap: float, share: float, power: float) -> None:
    rows = rows_needed(gap, share, power=power)
    discordant = np.arange(rows + 1)
    chances = binom.pmf(discordant, rows, share)
    discordant, chances = discordant[chances > 1e-9], chances[chances > 1e-9]
    found = 0.0
    for coins, chance in zip(discordant, chances, strict=True):
        heads = np.arange(coins + 1)
        significant = exact_p_values(heads, coins - heads) < 0.05
        found += chance * (binom.pmf(heads, coins, (share + gap) / (2 * share)) @ significant)
    assert found == pytest.approx(power, abs=0.025)


def test_rows_needed_are_as_worked_by_hand() -> None:
    # (1.95996 * sqrt(0.2) + 0.84162 * sqrt(0.2 - 0.0025))^2 / 0.0025 = 625.0, and 20 for the exact test
    assert rows_needed(0.05, 0.2) == pytest.approx(646, abs=1)


@pytest.mark.parametrize(("gap", "share", "margin"), [(0.0, 0.05, 0.02), (0.005, 0.1, 0.02), (0.0, 0.02, 0.01)])
def test_so_many_rows_show_equality_about_as_often_as_asked(gap: float, share: float, margin: float) -> None:
    rows = rows_for_equality(gap, share, margin=margin)
    assert rows is not None
    shares = [(share + gap) / 2, (share - gap) / 2]
    drawn = np.random.default_rng(99).multinomial(rows, [*shares, 1 - share], size=400)
    found = []
    for only_first, only_second, _ in drawn.tolist():
        interval = score_interval(only_first, only_second, rows, level=0.9, correction=0.5)
        found.append(-margin < interval.low and interval.high < margin)
    assert 0.74 <= np.mean(found) <= 0.93


def test_no_number_of_rows_shows_a_gap_of_the_margin_to_be_smaller() -> None:
    assert rows_for_equality(0.01, 0.1, margin=0.01) is None
    assert rows_for_equality(-0.02, 0.1, margin=0.01) is None


def test_smaller_gaps_and_more_power_need_more_rows() -> None:
    assert rows_needed(0.02, 0.2) > rows_needed(0.04, 0.2)
    assert rows_needed(0.04, 0.2, power=0.9) > rows_needed(0.04, 0.2)
    assert rows_needed(0.04, 0.2, level=0.99) > rows_needed(0.04, 0.2)
    assert rows_needed(0.04, 0.2) == rows_needed(-0.04, 0.2)


def test_settings_that_cannot_be_are_refused() -> None:
    for gap in (0.0, 0.3, -0.3):
        with pytest.raises(SettingsError, match="cannot be"):
            rows_needed(gap, 0.2)
    with pytest.raises(SettingsError, match="cannot be"):
        rows_for_equality(0.3, 0.2, margin=0.5)
    for share in (0.0, 1.1, -0.1):
        with pytest.raises(SettingsError, match="discordant_share"):
            minimum_detectable_gap(100, discordant_share=share)
    for power in (0.0, 1.0):
        with pytest.raises(SettingsError, match="power"):
            rows_needed(0.1, 0.2, power=power)
    with pytest.raises(SettingsError, match="level"):
        rows_needed(0.1, 0.2, level=95)
