"""How small a gap so many rows can show, and how many rows it takes to show a gap."""

from __future__ import annotations

import math

# The standard library's module of that name: a normal quantile is not worth loading scipy for.
from statistics import NormalDist

from beatingbert.errors import SettingsError, TooFewExamplesError
from beatingbert.statistics.discordant import exact_p_values, restricted_variance
from beatingbert.statistics.intervals import check_level


def minimum_detectable_gap(rows: int, *, discordant_share: float, level: float = 0.95) -> float:
    """The smallest measured gap of two accuracies that the exact McNemar test would call significant.

    A gap below it cannot be told from chance. It is what must be *measured*: of true gaps just as large only about half
    would be found, see `rows_needed`.

    Args:
        rows: on which both are measured.
        discordant_share: of the rows, those that exactly one of the two gets right. Where so few discordant rows could
            never be significant, as many are assumed as could.
        level: 1 minus the chance of a false claim, strictly between 0 and 1.

    Returns:
        A fraction: 0.02 means two accuracy points.

    Raises:
        TooFewExamplesError: not even if one were right everywhere and the other nowhere.
        SettingsError: `discordant_share` or `level` is out of range.
    Source: McNemar (1947), the exact test inverted.
    """
    import numpy as np

    check_level(level)
    _check_share(discordant_share)
    fewest = max(1, math.floor(1 - math.log2(1 - level)) + 1)  # so many heads in a row have p = 2 ** (1 - fewest)
    if rows < fewest:
        raise TooFewExamplesError(
            f"{rows} rows cannot show any gap at a level of {level}; it takes at least {fewest} discordant rows"
        )
    discordant = max(round(rows * discordant_share), fewest)
    fewer = np.arange(discordant // 2 + 1)
    significant = exact_p_values(fewer, discordant - fewer) < 1 - level
    return (discordant - 2 * int(significant.sum() - 1)) / rows


def rows_needed(gap: float, discordant_share: float, *, level: float = 0.95, power: float = 0.8) -> int:
    """About how many rows it takes to find a true gap of two accuracies significant.

    Args:
        gap: true difference of the accuracies, as a fraction, of any sign but not 0.
        discordant_share: of the rows, those that exactly one of the two gets right; at least the gap.
        level: 1 minus the chance of a false claim, strictly between 0 and 1.
        power: how often the gap is to be found, as a fraction strictly between 0 and 1.

    Raises:
        SettingsError: a setting is out of range, or the gap is 0 or larger than `discordant_share`.
    Source: Miettinen (1968), Connor (1987); one over the gap is added because the exact test is used, as the
    continuity correction of Fleiss, Levin and Paik (2003), section 13.2, does about as well.
    """
    check_level(level)
    _check_share(discordant_share)
    _check_power(power)
    size = abs(gap)
    if not 0 < size <= discordant_share:
        raise SettingsError(
            f"a gap of {gap} with a share of {discordant_share} discordant rows cannot be: a gap is not 0 and not "
            "larger than the share of rows on which the two differ"
        )
    normal = NormalDist()
    by_chance = normal.inv_cdf((1 + level) / 2) * math.sqrt(discordant_share)
    truly = normal.inv_cdf(power) * math.sqrt(discordant_share - size**2)
    return math.ceil(((by_chance + truly) / size) ** 2 + 1 / size)


def rows_for_equality(
    gap: float, discordant_share: float, *, margin: float, level: float = 0.95, power: float = 0.8
) -> int | None:
    """About how many rows it takes to show that two accuracies differ by less than a margin.

    Args:
        gap: true difference of the accuracies, as a fraction, of any sign.
        discordant_share: of the rows, those that exactly one of the two gets right; above 0.
        margin: up to which a difference does not matter, as a fraction.
        level: 1 minus the chance of a false claim by either of the two one-sided tests.
        power: how often equality is to be found, as a fraction strictly between 0 and 1.

    Returns:
        None where the gap is not smaller than the margin: no number of rows would show it.

    Raises:
        SettingsError: a setting is out of range, or the gap is larger than `discordant_share`.
    Source: Nam (1997), by the score test's variance at the margin; the power is shared between both tests, which asks
    for a few rows too many unless the gap is 0, and half a row is added for continuity, as the verdict's test does.
    """
    check_level(level)
    _check_share(discordant_share)
    _check_power(power)
    size = abs(gap)
    if size > discordant_share:
        raise SettingsError(f"a gap of {gap} cannot be with only a share of {discordant_share} discordant rows")
    if size >= margin:
        return None
    normal = NormalDist()
    more, fewer = (discordant_share + size) / 2, (discordant_share - size) / 2
    by_chance = normal.inv_cdf(level) * math.sqrt(restricted_variance(more, fewer, margin))
    truly = normal.inv_cdf((1 + power) / 2) * math.sqrt(discordant_share - size**2)
    room = margin - size
    return math.ceil(((by_chance + truly) / room) ** 2 + 0.5 / room)


def _check_share(share: float) -> None:
    if not 0 < share <= 1:
        raise SettingsError(f"discordant_share is a fraction above 0 and at most 1, e.g. 0.1, got {share}")


def _check_power(power: float) -> None:
    if not 0 < power < 1:
        raise SettingsError(f"power must lie strictly between 0 and 1, e.g. 0.8, got {power}")
