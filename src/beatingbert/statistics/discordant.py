"""The rows on which two classifiers differ: how many, how surely the gap, and by chance how often.

Everything here knows counts only: rows that one of the two alone got right, and rows in all.
"""

from __future__ import annotations

import math

# The standard library's module of that name: a normal quantile is not worth loading scipy for.
from statistics import NormalDist
from typing import TYPE_CHECKING

from beatingbert.errors import MisalignedError, SettingsError, TooFewExamplesError
from beatingbert.statistics.intervals import Interval, check_level

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    BoolArray = npt.NDArray[np.bool_]
    IntArray = npt.NDArray[np.int64]
    FloatArray = npt.NDArray[np.float64]


def count_discordant(first: BoolArray, second: BoolArray) -> tuple[int, int, int]:
    """Rows that only `first` got right, rows that only `second` got right, and rows in all.

    Args:
        first: shape (rows,), True where the first classifier was right.
        second: the same of the second; row i is the same example in both.

    Raises:
        MisalignedError: the two arrays differ in length.
        TooFewExamplesError: under two rows.
        TypeError: not arrays of bool.
    """
    import numpy as np

    first, second = np.asarray(first), np.asarray(second)
    check_right(first, second)
    if first.ndim != 1 or first.shape != second.shape:
        raise MisalignedError(
            f"the first classifier has shape {first.shape}, the second {second.shape}; "
            "a paired comparison needs both on the same examples"
        )
    if first.size < 2:
        raise TooFewExamplesError(f"a paired comparison needs at least two examples, got {first.size}")
    return int((first & ~second).sum()), int((second & ~first).sum()), int(first.size)


def check_right(*columns: BoolArray) -> None:
    """Refuse arrays that do not say right or wrong.

    Raises:
        TypeError: label codes, say, would pass for truth values, and the answer would look plausible.
    """
    for column in columns:
        if column.dtype.kind != "b":
            raise TypeError(f"expected arrays of bool (right or wrong), got {column.dtype}")


def check_sides(first: BoolArray, second: BoolArray) -> tuple[BoolArray, BoolArray]:
    """Two sides of several runs (or seeds) each, as arrays over the same rows.

    Raises:
        MisalignedError: not two matrices over the same rows.
        TooFewExamplesError: a side without runs, or under two rows.
        TypeError: not arrays of bool.
    """
    import numpy as np

    first, second = np.asarray(first), np.asarray(second)
    check_right(first, second)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise MisalignedError(
            f"the first side has shape {first.shape}, the second {second.shape}; both must be (runs, rows) over the "
            "same rows"
        )
    if not len(first) or not len(second) or first.shape[1] < 2:
        raise TooFewExamplesError(
            f"a comparison needs a run on each side and two rows, got shapes {first.shape} and {second.shape}"
        )
    return first, second


def count_all_pairs(first: BoolArray, second: BoolArray) -> tuple[IntArray, IntArray, int]:
    """The same for every run of one side against every run of the other.

    Args:
        first: shape (runs, rows), True where right.
        second: shape (other runs, rows), the same rows in the same order.

    Returns:
        Two arrays of shape (runs, other runs), and the number of rows.

    Raises:
        MisalignedError: not two matrices over the same rows.
        TooFewExamplesError: a side without runs, or under two rows.
        TypeError: not arrays of bool.
    """
    import numpy as np

    first, second = check_sides(first, second)
    ours, theirs = first.astype(np.float64), second.astype(np.float64)  # floats multiply fast and count exactly
    both = ours @ theirs.T
    only_first, only_second = ours.sum(axis=1)[:, None] - both, theirs.sum(axis=1)[None, :] - both
    return only_first.astype(np.int64), only_second.astype(np.int64), int(first.shape[1])


def exact_p_values(only_first: IntArray, only_second: IntArray) -> FloatArray:
    """Two-sided exact p-values of the hypothesis that both are right equally often; 1 where they never differ.

    Only discordant rows count; under the hypothesis each is a fair coin.

    Args:
        only_first: rows that only the first got right, of any shape.
        only_second: rows that only the second got right, of the same shape.

    Source: McNemar (1947), with the exact binomial distribution in place of the chi-squared approximation.
    """
    import numpy as np
    from scipy.special import bdtr

    fewer = np.minimum(only_first, only_second)
    # A fair coin is symmetric, so one tail doubled is two-sided.
    p_values: FloatArray = np.minimum(1.0, 2 * bdtr(fewer, np.add(only_first, only_second), 0.5))
    return p_values


def score_interval(only_first: int, only_second: int, rows: int, *, level: float, correction: float = 0.0) -> Interval:
    """Score interval of the difference of two proportions of the same rows.

    Unlike the bootstrap's and Wald's it keeps an honest width where rows are few or hardly any differ: with none of n
    rows discordant it reaches z^2 / (n + z^2) to both sides.

    Args:
        only_first: rows that only the first got right.
        only_second: rows that only the second got right.
        rows: in all.
        level: coverage as a fraction, strictly between 0 and 1.
        correction: rows by which the gap is taken to lie nearer to each bound, for continuity. Without it the interval
            is right on average; with 0.5 it is a little too wide, but either bound errs in no more than (1 - level) / 2
            of all cases even where discordant rows are few.

    Returns:
        Value and bounds as fractions within -1 and 1; above 0 the first is better.

    Raises:
        TooFewExamplesError: under two rows.
        SettingsError: counts that cannot be, or `level` is out of range.
    Source: Tango (1998), equations 6 to 8; the bounds are found by halving.
    """
    check_level(level)
    if rows < 2:
        raise TooFewExamplesError(f"a paired comparison needs at least two examples, got {rows}")
    if min(only_first, only_second, rows - only_first - only_second) < 0:
        raise SettingsError(f"{only_first} and {only_second} discordant rows of {rows} cannot be")
    z = NormalDist().inv_cdf((1 + level) / 2)
    value = (only_first - only_second) / rows
    high = _upper_bound(only_first, only_second, rows, z, correction)
    low = -_upper_bound(only_second, only_first, rows, z, correction)
    return Interval(value, min(low, value), max(high, value), level)


def _upper_bound(only_first: int, only_second: int, rows: int, z: float, correction: float) -> float:
    """The largest difference that the counts do not speak against."""
    low, high = (only_first - only_second) / rows, 1.0
    for _ in range(60):  # halves the bracket to below the last digit
        gap = (low + high) / 2
        far = rows * gap - (only_first - only_second) - correction
        spread = restricted_variance(only_first / rows, only_second / rows, gap)
        low, high = (low, gap) if far > z * math.sqrt(rows * spread) else (gap, high)
    return high


def restricted_variance(only_first: float, only_second: float, gap: float) -> float:
    """Variance of one row's difference, were the true difference `gap` and all else as likely as can be.

    Args:
        only_first: share of rows that only the first got right.
        only_second: share of rows that only the second got right.
        gap: from 0 to 1, the supposed difference, first minus second.
    Source: Tango (1998), equation 8.
    """
    half = only_first + only_second - (2 - only_first + only_second) * gap
    share = (math.sqrt(half * half + 8 * only_second * gap * (1 - gap)) + half) / 4  # that only the second gets right
    return max(0.0, 2 * share + gap * (1 - gap))
