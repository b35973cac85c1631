"""How far a score measured on so many rows may lie from the score on all rows there are.

No interval here has zero width merely because all rows at hand agree: ten right answers out of ten do not prove that
the eleventh will be right.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

# The standard library's module of that name: a normal quantile is not worth loading scipy for.
from statistics import NormalDist
from typing import TYPE_CHECKING

from beatingbert.errors import SettingsError, TooFewExamplesError
from beatingbert.statistics.confusion import count_confusion, draw_confusions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    IntArray = npt.NDArray[np.int64]
    FloatArray = npt.NDArray[np.float64]
    ConfusionMetric = Callable[[IntArray], FloatArray]

CELLS_PER_BATCH = 4_000_000
"""Cells of confusion matrices held at once while drawing: 32 MB, whatever the number of classes."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with how sure it is.

    Attributes:
        value: what was measured.
        low, high: bounds, in the unit of `value`; `low <= value <= high`.
        level: coverage as a fraction: 0.95 of such intervals hold the true value.
    """

    value: float
    low: float
    high: float
    level: float

    def __post_init__(self) -> None:
        """Refuse bounds on the wrong side of the value, and anything that is not a number."""
        if not self.low <= self.value <= self.high:
            raise SettingsError(f"an interval must hold its value: {self.low} <= {self.value} <= {self.high} is false")


def check_level(level: float) -> None:
    """Refuse a coverage that no interval can have.

    Raises:
        SettingsError: `level` is not strictly between 0 and 1.
    """
    if not 0 < level < 1:
        raise SettingsError(f"level must lie strictly between 0 and 1, e.g. 0.95, got {level}")


def wilson(successes: int, n: int, *, level: float) -> Interval:
    """Score interval of a proportion, such as an accuracy.

    Args:
        successes: how many of the rows, 0 to n.
        n: rows in all.
        level: coverage as a fraction, strictly between 0 and 1.

    Returns:
        Value and bounds as fractions, within 0 and 1.

    Raises:
        TooFewExamplesError: n is 0.
        SettingsError: `successes` or `level` is out of range.
    Source: Wilson (1927), without continuity correction.
    """
    check_level(level)
    if n < 1:
        raise TooFewExamplesError(f"a proportion needs at least one row, got n={n}")
    if not 0 <= successes <= n:
        raise SettingsError(f"successes must lie between 0 and n={n}, got {successes}")
    share = successes / n
    z = NormalDist().inv_cdf((1 + level) / 2)
    shrink = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / shrink
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / shrink
    # At 0 and n successes a bound equals the share; rounding must not push it past.
    return Interval(share, max(0.0, min(centre - reach, share)), min(1.0, max(centre + reach, share)), level)


def stratified_bootstrap(
    gold: IntArray,
    predicted: IntArray,
    metric: ConfusionMetric,
    *,
    classes: int,
    level: float,
    draws: int,
    seed: int,
) -> Interval:
    """Percentile bootstrap of a metric, redrawing rows within each gold class.

    The bounds answer for other rows with the same class balance, since each class keeps its number of rows.

    Where every draw gives the same value (all rows right, or all answered alike) the bootstrap has nothing to say. Each
    class's answers are then redrawn from rates to which half a row per class was added, which keeps the interval open
    at about the width of Wilson's.

    Args:
        gold: shape (rows,), codes from 0 to classes - 1.
        predicted: shape (rows,), the same codes, or -1 for a reply that names no class, wrong for every class.
        metric: from confusion matrices of shape (..., classes, classes + 1) to values of shape (...).
        classes: how many classes the task has, seen or not.
        level: coverage as a fraction, strictly between 0 and 1.
        draws: resamples.
        seed: has no default, because a report must be able to name it.

    Returns:
        Value on the rows given, and bounds in the metric's unit, widened where needed to hold the value.

    Raises:
        MisalignedError: the two arrays differ in length.
        DataError: a code lies outside its range.
        TooFewExamplesError: under two rows.
        SettingsError: `level` or `draws` is out of range.
    Source: Efron and Tibshirani (1993), chapter 13, percentile method; half a row: Jeffreys's prior, as in Brown, Cai
    and DasGupta (2001).
    """
    import numpy as np

    check_level(level)
    observed = count_confusion(gold, predicted, classes=classes)
    supports = observed.sum(axis=1)
    if supports.sum() < 2:
        raise TooFewExamplesError(f"a bootstrap needs at least two rows, got {supports.sum()}")
    generator = np.random.default_rng(seed)
    values = _draw_values(observed, supports, metric, draws=draws, generator=generator)
    if np.ptp(values) == 0:
        opened = observed + np.array([0.5] * classes + [0.0])
        values = _draw_values(opened, supports, metric, draws=draws, generator=generator)
    return percentile_interval(float(metric(observed)), values, level=level)


def _draw_values(
    weights: npt.NDArray[np.int64] | FloatArray,
    supports: IntArray,
    metric: ConfusionMetric,
    *,
    draws: int,
    generator: np.random.Generator,
) -> FloatArray:
    """The metric in every draw, shape (draws,); a class's answers are drawn in proportion to its row of `weights`."""
    import numpy as np

    rates = weights / np.maximum(weights.sum(axis=1, keepdims=True), 0.5)
    batch = max(1, CELLS_PER_BATCH // rates.size)
    sizes = [min(batch, draws - start) for start in range(0, draws, batch)] or [draws]
    return np.concatenate([metric(draw_confusions(rates, supports, draws=n, generator=generator)) for n in sizes])


def percentile_interval(value: float, values: FloatArray, *, level: float) -> Interval:
    """The percentile interval of bootstrap `values`, widened where needed to hold the measured `value`.

    Args:
        value: what was measured on the rows themselves.
        values: shape (draws,), what was measured on each resample.
        level: coverage as a fraction, strictly between 0 and 1.
    """
    import numpy as np

    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, min(float(low), value), max(float(high), value), level)
