"""From how many train rows on one way of answering stays ahead of another whose score needs none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beatingbert.errors import MisalignedError, TooFewExamplesError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    BoolArray = npt.NDArray[np.bool_]
    FloatArray = npt.NDArray[np.float64]


def rows_from_which(sizes: FloatArray, gaps: FloatArray) -> FloatArray:
    """Train rows from which gaps stay at 0 or above; 0 where they always are, infinity where the last is below.

    Between two sizes the gap is taken to lie on a line over the logarithm of the rows.

    Args:
        sizes: shape (sizes,), ascending, above 0.
        gaps: shape (draws, sizes), score at that size minus the score to be overtaken.

    Returns:
        Shape (draws,).

    Raises:
        MisalignedError: a shape does not fit.
    """
    import numpy as np

    if gaps.ndim != 2 or gaps.shape[1] != len(sizes) or not len(sizes):
        raise MisalignedError(f"{len(sizes)} sizes need gaps of shape (draws, {len(sizes)}), got {gaps.shape}")
    behind = gaps < 0
    last = len(sizes) - 1 - behind[:, ::-1].argmax(axis=1)  # the largest size at which it is behind
    after = np.minimum(last + 1, len(sizes) - 1)
    draws = np.arange(len(gaps))
    low, high = gaps[draws, last], gaps[draws, after]
    step = np.where(high > low, high - low, 1.0)
    share = -low / step
    logs = np.log(sizes)
    found = np.exp((1 - share) * logs[last] + share * logs[after])
    found = np.where(behind[:, -1], np.inf, found)
    settled: FloatArray = np.where(behind.any(axis=1), found, 0.0)
    return settled


def redraw_scores(runs: list[BoolArray], *, draws: int, seed: int) -> FloatArray:
    """Mean accuracies on redrawn rows and seeds: a draw has the same rows for everybody, and own seeds for each.

    Args:
        runs: per contender shape (seeds, rows), True where right; row i is the same example everywhere.
        draws: resamples.
        seed: of these.

    Returns:
        Shape (draws, contenders).

    Raises:
        MisalignedError: contenders with different rows.
        TooFewExamplesError: no contender.
    Source: Efron and Tibshirani (1993), chapter 8: rows and seeds are drawn as what they are, two factors that cross.
    """
    import numpy as np

    if not runs:
        raise TooFewExamplesError("nobody's scores can be redrawn; give at least one contender")
    rows = runs[0].shape[1]
    if any(one.shape[1] != rows for one in runs):
        raise MisalignedError(f"contenders with {sorted({one.shape[1] for one in runs})} rows did not answer the same")
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(rows, np.full(rows, 1 / rows), size=draws) / rows
    columns = []
    for one in runs:
        seeds = generator.multinomial(len(one), np.full(len(one), 1 / len(one)), size=draws) / len(one)
        columns.append(((weights @ one.T.astype(np.float64)) * seeds).sum(axis=1))
    scores: FloatArray = np.stack(columns, axis=1)
    return scores
