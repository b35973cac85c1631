"""Whether one classifier beats another on the same rows, and by how much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beatingbert.errors import MisalignedError, SettingsError, TooFewExamplesError
from beatingbert.statistics.intervals import Interval, check_level, percentile_interval

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    BoolArray = npt.NDArray[np.bool_]


def accuracy_gap(first: BoolArray, second: BoolArray, *, level: float, draws: int, seed: int) -> Interval:
    """Bootstrap interval of accuracy(first) - accuracy(second) on the same examples.

    Where every row is alike (both always agree, say) half a row is added to each of the three outcomes before drawing,
    so that agreement on few rows is not stated as certainty.

    Args:
        first: shape (rows,), True where the first classifier was right.
        second: the same of the second; row i is the same example in both.
        level: coverage as a fraction, strictly between 0 and 1.
        draws: resamples; whole examples are drawn, so pairs stay together.
        seed: has no default, because a report must be able to name it.

    Returns:
        Value and bounds as fractions: 0.02 means two accuracy points; above 0, `first` is better.

    Raises:
        MisalignedError: the two arrays differ in length.
        TooFewExamplesError: under two examples the interval does not exist; we never return a flattering zero.
        SettingsError: `level` or `draws` is out of range.
    Source: Efron and Tibshirani (1993), chapter 13, percentile method.
    """
    import numpy as np

    check_level(level)
    if draws < 1:
        raise SettingsError(f"draws must be at least 1, got {draws}")
    only_first, only_second, rows = _count_discordant(first, second)
    outcomes = np.array([only_first, only_second, rows - only_first - only_second], dtype=np.float64)
    if outcomes.max() == rows:
        outcomes += 0.5
    # How often each outcome is drawn is multinomial: the same as drawing the rows, many times faster.
    drawn = np.random.default_rng(seed).multinomial(rows, outcomes / outcomes.sum(), size=draws)
    return percentile_interval((only_first - only_second) / rows, (drawn[:, 0] - drawn[:, 1]) / rows, level=level)


def mcnemar_exact(first: BoolArray, second: BoolArray) -> float:
    """Two-sided exact p-value of the hypothesis that both classifiers are right equally often.

    Only the rows that exactly one of them got right count; under the hypothesis each is a fair coin.

    Args:
        first: shape (rows,), True where the first classifier was right.
        second: the same of the second; row i is the same example in both.

    Returns:
        Between 0 and 1; 1.0 where no row is discordant.

    Raises:
        MisalignedError: the two arrays differ in length.
        TooFewExamplesError: under two examples.
    Source: McNemar (1947), with the exact binomial distribution in place of the chi-squared approximation.
    """
    only_first, only_second, _ = _count_discordant(first, second)
    coins, fewer = only_first + only_second, min(only_first, only_second)
    # Whole numbers of any size keep the tail exact, and a fair coin is symmetric, so one tail doubled is two-sided.
    tail = term = 1
    for heads in range(fewer):
        term = term * (coins - heads) // (heads + 1)
        tail += term
    return min(1.0, 2 * tail / (1 << coins))


def _count_discordant(first: BoolArray, second: BoolArray) -> tuple[int, int, int]:
    """Rows that only `first` got right, rows that only `second` got right, and rows in all."""
    import numpy as np

    first, second = np.asarray(first), np.asarray(second)
    if first.dtype != np.bool_ or second.dtype != np.bool_:
        # Label codes would pass for truth values, and the answer would look plausible.
        raise TypeError(f"expected arrays of bool (right or wrong), got {first.dtype} and {second.dtype}")
    if first.ndim != 1 or first.shape != second.shape:
        raise MisalignedError(
            f"the first classifier has shape {first.shape}, the second {second.shape}; "
            "a paired comparison needs both on the same examples"
        )
    if first.size < 2:
        raise TooFewExamplesError(f"a paired comparison needs at least two examples, got {first.size}")
    return int((first & ~second).sum()), int((second & ~first).sum()), int(first.size)
