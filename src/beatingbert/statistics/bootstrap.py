"""Confusion matrices redrawn, and the quantiles of a metric over the draws that make an honest interval.

A bootstrap can only redraw what was seen. A class whose rows are all right would be right in every draw, however few
its rows; such a class is *closed*, and `open_classes` says with what doubt it is drawn once more.
"""

from __future__ import annotations

from collections.abc import Callable

# The standard library's module of that name: a normal quantile is not worth loading scipy for.
from statistics import NormalDist
from typing import TYPE_CHECKING

from beatingbert.statistics.confusion import draw_confusions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    IntArray = npt.NDArray[np.int64]
    FloatArray = npt.NDArray[np.float64]
    ConfusionMetric = Callable[[IntArray], FloatArray]

CELLS_PER_BATCH = 4_000_000
"""Cells of confusion matrices held at once while drawing: 32 MB, whatever the number of classes."""

TIED = 1e-12
"""Metric values closer than this are the same: two ways to sum the same counts may differ in the last digit."""


def draw_values(
    weights: IntArray | FloatArray,
    supports: IntArray,
    metric: ConfusionMetric,
    *,
    draws: int,
    generator: np.random.Generator,
) -> FloatArray:
    """The metric in every draw, shape (draws,); a class's answers are drawn in proportion to its row of `weights`.

    Args:
        weights: shape (classes, classes + 1).
        supports: shape (classes,), rows per gold class in every draw.
        metric: from confusion matrices of shape (..., classes, classes + 1) to values of shape (...).
        draws: how many.
        generator: where the chance comes from.

    Raises:
        SettingsError: fewer than one draw.
    """
    import numpy as np

    totals = weights.sum(axis=1, keepdims=True)
    rates = weights / np.where(totals > 0, totals, 1)
    sizes = batch_sizes(draws, cells=rates.size)
    return np.concatenate([metric(draw_confusions(rates, supports, draws=n, generator=generator)) for n in sizes])


def batch_sizes(draws: int, *, cells: int) -> list[int]:
    """How many draws of so many cells to hold at once, time after time; their sum is `draws`."""
    batch = max(1, CELLS_PER_BATCH // cells)
    return [min(batch, draws - start) for start in range(0, draws, batch)] or [draws]


def doubt(closed: int) -> float:
    """Rows of what was not seen that each of `closed` classes is given: half a row, at most one row over all.

    Half a row is Jeffreys's prior for a proportion. One row over all keeps many classes of few rows from being drowned
    in doubt.
    """
    return min(0.5, 1 / closed)


def open_classes(observed: IntArray) -> FloatArray | None:
    """Weights to draw from in which no class is all right or all wrong; None where there is no such class.

    Args:
        observed: shape (classes, classes + 1), the confusion matrix.

    Returns:
        The counts; to a class that is all right or all wrong `doubt` of a right row is added, and to one that is all
        right as much of a wrong row, spread evenly over the other classes.
    """
    import numpy as np

    classes = len(observed)
    hits, supports = np.diagonal(observed), observed.sum(axis=1)
    all_right, all_wrong = (hits == supports) & (supports > 0), (hits == 0) & (supports > 0)
    closed = np.flatnonzero(all_right | all_wrong)
    if not closed.size:
        return None
    weights, part = observed.astype(np.float64), doubt(closed.size)
    for code in closed:
        weights[code, code] += part
        if all_right[code]:
            others = [other for other in range(classes) if other != code] or [classes]
            weights[code, others] += part / len(others)
    return weights


def acceleration(observed: IntArray, metric: ConfusionMetric) -> float:
    """How much the metric's spread changes with its value, from leaving out one row at a time.

    Rows of one cell are alike, so each cell is left out once and counts as often as it has rows.

    Args:
        observed: shape (classes, classes + 1), the confusion matrix; each class is a sample of its own.
        metric: from confusion matrices of shape (..., classes, classes + 1) to values of shape (...).

    Returns:
        0 where the metric does not depend on any row.
    Source: Efron and Tibshirani (1993), equation 14.15, each class a sample of its own as in scipy.stats.bootstrap.
    """
    import numpy as np

    gold, answer = np.nonzero(observed)
    counts, supports = observed[gold, answer], observed.sum(axis=1)
    values = []
    start = 0
    for size in batch_sizes(len(gold), cells=observed.size):
        left = np.repeat(observed[None], size, axis=0)
        left[np.arange(size), gold[start : start + size], answer[start : start + size]] -= 1
        values.append(metric(left))
        start += size
    without = np.concatenate(values)
    means = np.bincount(gold, counts * without, len(observed)) / np.maximum(supports, 1)
    sizes = supports[gold]
    influence = (sizes - 1) * (means[gold] - without) / sizes
    spread = float((counts * influence**2).sum())
    # Rounding alone must not pass for influence.
    return float((counts * influence**3).sum()) / (6 * spread**1.5) if spread > TIED**2 else 0.0


def bca_tails(value: float, values: FloatArray, *, acceleration: float, level: float) -> tuple[float, float]:
    """Which quantiles of the draws bound the interval, corrected for bias and for a spread that changes with the value.

    Args:
        value: what was measured on the rows themselves.
        values: shape (draws,), what was measured on each resample.
        acceleration: of the metric at the rows.
        level: coverage as a fraction, strictly between 0 and 1.

    Source: Efron (1987); Efron and Tibshirani (1993), section 14.3. Draws that tie with the value count half, which
    matters for counts.
    """
    import numpy as np

    normal = NormalDist()
    below = float(np.mean(values < value - TIED) + np.mean(values <= value + TIED)) / 2
    edge = 0.5 / len(values)
    bias = normal.inv_cdf(min(max(below, edge), 1 - edge))

    def corrected(tail: float) -> float:
        reach = bias + normal.inv_cdf(tail)
        shrink = 1 - acceleration * reach
        if shrink <= 0:
            return 1.0 if acceleration > 0 else 0.0
        return normal.cdf(bias + reach / shrink)

    return corrected((1 - level) / 2), corrected((1 + level) / 2)
