"""How many rows would settle what contenders with several seeds each leave open."""

from __future__ import annotations

import math

# The standard library's module of that name: a normal quantile is not worth loading scipy for.
from statistics import NormalDist
from typing import TYPE_CHECKING

from beatingbert.statistics.discordant import check_sides
from beatingbert.statistics.intervals import check_level
from beatingbert.statistics.paired import seed_variance
from beatingbert.statistics.verdict import MOST_ROWS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    BoolArray = npt.NDArray[np.bool_]


def rows_to_settle(first: BoolArray, second: BoolArray, *, level: float, power: float = 0.8) -> int | None:
    """About how many rows it takes to find the measured gap of two mean accuracies significant, with these seeds.

    More rows do not make seeds scatter less: where the seeds' part of the doubt alone hides the gap, no number of rows
    will do. The seeds' part holds some of the rows' chance, so the number is rather too large.

    Args:
        first: shape (seeds, rows), True where that seed of the first contender was right.
        second: shape (other seeds, rows) of the second; row i is the same example everywhere.
        level: 1 minus the chance of a false claim, strictly between 0 and 1.
        power: how often a gap of this size is to be found, as a fraction strictly between 0 and 1.

    Returns:
        None where no number of rows that anyone has would do, more seeds perhaps.

    Raises:
        MisalignedError, TooFewExamplesError: see `check_sides`.
        SettingsError: `level` is out of range.
    Source: the two parts of the variance as in `seeded_gap`; power by the normal approximation, with one seed a side as
    Connor (1987), the measured variance in place of the one under no difference.
    """
    check_level(level)
    first, second = check_sides(first, second)
    differences = first.mean(axis=0) - second.mean(axis=0)
    gap = abs(float(differences.mean()))
    if gap == 0:
        return None
    normal = NormalDist()
    reach = normal.inv_cdf((1 + level) / 2) + normal.inv_cdf(power)
    seeds = sum(seed_variance(side)[0] for side in (first, second) if len(side) > 1)
    room = (gap / reach) ** 2 - seeds
    if room <= 0:
        return None
    rows = math.ceil(float(differences.var()) / room)
    return rows if rows <= MOST_ROWS else None
