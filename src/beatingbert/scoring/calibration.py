"""How far an engine's probabilities can be believed: expected calibration error, Brier score, reliability table.

Smaller is better for both. They are measured on all rows or not at all: where a single prediction has no probabilities
there is no number, since those that have some are another sample than those that do not.

A row whose reply names no label but that has probabilities is wrong, as everywhere, and is as confident as its highest
probability. A gold label that the probabilities leave out has probability 0. For multiple choice the probabilities of
a row are those of its own choices, which is all that either number asks for.

The negative log-likelihood is left out: one gold label of probability 0, such as the majority baseline gives, makes it
infinite whatever the other rows say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeVar

from beatingbert.errors import BeatingBertError, SettingsError
from beatingbert.statistics.intervals import Interval, check_level, percentile_interval
from beatingbert.tasks.prediction import Prediction

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    IntArray = npt.NDArray[np.int64]
    FloatArray = npt.NDArray[np.float64]
    BoolArray = npt.NDArray[np.bool_]

Measured = TypeVar("Measured")

BINS = 15
"""Equal-width bins of the confidence: ((k - 1) / 15, k / 15] for k = 1 to 15, and 0 in the first."""

CELLS_PER_BATCH = 1_000_000
"""Rows of resamples held at once: 8 MB a column, whatever the number of rows and draws."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The rows whose confidence lies above `low` and not above `high`.

    Attributes:
        low, high: of the confidence.
        count: rows in the bin.
        confidence: their mean; None without rows.
        accuracy: share of them that is right; None without rows.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None

    def to_json(self) -> dict[str, float | int | None]:
        """The same five entries as plain JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Certainties:
    """What the rows of one split say of their own certainty, in an order that depends on their values alone.

    Attributes:
        confidence: shape (rows,), probability of the label that was answered.
        right: shape (rows,), whether it is the gold label.
        squared_error: shape (rows,), the row's Brier score, 0 to 2.
        opposite_error: shape (rows,), what it would be if the row were wrong instead of right, or right instead of
            wrong; a wrong one with the most probable other label as gold.
    """

    confidence: FloatArray
    right: BoolArray
    squared_error: FloatArray
    opposite_error: FloatArray


def gather(gold: Sequence[str], predictions: Sequence[Prediction]) -> Certainties | None:
    """The certainties of all rows; None where any prediction has no probabilities.

    Args:
        gold: one label per row, or position of the right choice.
        predictions: in the order of `gold`.

    Raises:
        BeatingBertError: probabilities that are none.
    """
    import numpy as np

    rows = []
    for truth, one in zip(gold, predictions, strict=True):
        if one.probabilities is None:
            return None
        _check(one.question_id, one.probabilities)
        confidence = max(one.probabilities.values()) if one.label is None else one.probabilities.get(one.label, 0.0)
        right = one.label == truth
        others = [value for label, value in one.probabilities.items() if label != truth]
        elsewhere = max(others, default=0.0) if right else confidence  # of the gold label, had it gone the other way
        opposite = math.fsum(value**2 for value in one.probabilities.values()) + 1 - 2 * elsewhere
        rows.append((confidence, float(right), squared_error(one.probabilities, truth), opposite))
    columns = np.array(sorted(rows), dtype=np.float64).T
    return Certainties(columns[0], columns[1] == 1, columns[2], columns[3])


def _check(question_id: str, probabilities: Mapping[str, float]) -> None:
    values = list(probabilities.values())
    if not all(0 <= value <= 1 for value in values) or abs(sum(values) - 1) > 1e-3:  # NaN fails the first comparison
        raise BeatingBertError(
            f"question {question_id!r} was answered with probabilities {dict(probabilities)}, which do not lie between "
            "0 and 1 and sum to 1; the model's numbers have probably overflowed: try --no_fp16"
        )


def squared_error(probabilities: Mapping[str, float], gold: str) -> float:
    """Sum over the labels of (probability - 1 if it is the gold label, else 0) squared; between 0 and 2.

    With two labels it is twice the square that scikit-learn's binary score takes of the positive label alone.

    Source: Brier (1950), the form for any number of classes.
    """
    total = math.fsum((value - (label == gold)) ** 2 for label, value in probabilities.items())
    return total if gold in probabilities else total + 1.0


def brier_score(rows: Certainties) -> float:
    """Mean of the rows' squared errors: 0 is certain and right everywhere, 2 certain and wrong everywhere."""
    return float(rows.squared_error.mean())


def expected_calibration_error(confidence: FloatArray, right: BoolArray) -> float:
    """Mean over the rows of |accuracy - mean confidence| of their bin, as a fraction.

    Args:
        confidence: shape (rows,), between 0 and 1; at least one row.
        right: shape (rows,), whether the answer is right.

    Source: Guo et al. (2017), equation 3, with their 15 bins.
    """
    return float(_errors((right - confidence)[None], bin_of(confidence)[None])[0])


def bin_of(confidence: FloatArray) -> IntArray:
    """The bin of each row, 0 to 14; a confidence on a bound belongs to the bin below it."""
    import numpy as np

    return np.searchsorted(np.arange(1, BINS) / BINS, confidence, side="left").astype(np.int64)


def reliability(confidence: FloatArray, right: BoolArray) -> tuple[ReliabilityBin, ...]:
    """The reliability table: all 15 bins in order, those without rows too.

    Args:
        confidence: shape (rows,), between 0 and 1.
        right: shape (rows,), whether the answer is right.
    """
    import numpy as np

    bins = bin_of(confidence)
    counts = np.bincount(bins, minlength=BINS).tolist()
    sums = np.bincount(bins, weights=confidence, minlength=BINS).tolist()
    hits = np.bincount(bins, weights=right, minlength=BINS).tolist()
    return tuple(
        ReliabilityBin(at / BINS, (at + 1) / BINS, n, sums[at] / n if n else None, hits[at] / n if n else None)
        for at, n in enumerate(counts)
    )


def calibration_metrics(rows: Certainties, *, level: float, draws: int, seed: int) -> dict[str, Interval]:
    """ECE and Brier score with bounds from a bootstrap of whole rows.

    Brier has the percentile interval. ECE cannot: absolute gaps never cancel, so noise makes the measured value too
    large and a resample, noisy twice over, larger still. In simulations with 60 to 1,000 rows of a calibrated
    classifier the percentile interval never once held the true value, 0. ECE's interval is therefore
    - the percentile interval,
    - reaching down as far below the value as it reaches above it (the upper tail mirrored, which takes the bias out),
    - and from 0 where a calibrated classifier with the same confidences would, by chance alone, show as large a value
      in more than (1 - level) / 2 of the draws.
    It held the true value in 92 to 99 % of those simulations at a level of 95 % (true values 0 to 0.2). The value
    itself is the common, biased one, so that it compares with what others report.

    Where all rows are right, or all wrong, half a row of the other kind is among those drawn: few rows that agree do
    not prove that the next one will, as in `stratified_bootstrap`.

    Args:
        rows: at least two.
        level: coverage as a fraction, strictly between 0 and 1.
        draws: resamples.
        seed: of the resamples.

    Raises:
        SettingsError: `level` or `draws` is out of range.
    Source: Efron and Tibshirani (1993), chapter 13; resampling as if calibrated: Broecker and Smith (2007).
    """
    import numpy as np

    check_level(level)
    if draws < 1:
        raise SettingsError(f"draws must be at least 1, got {draws}")
    confidence, right = rows.confidence, rows.right
    generator = np.random.default_rng(seed)
    errors, briers = _resample(rows, draws, generator)
    by_chance = _if_calibrated(confidence, draws, generator)
    ece = expected_calibration_error(confidence, right)
    drawn = percentile_interval(ece, errors, level=level)
    low = max(0.0, min(drawn.low, 2 * ece - drawn.high))
    if ece <= np.quantile(by_chance, (1 + level) / 2):
        low = 0.0
    return {
        "ece": Interval(ece, low, drawn.high, level),
        "brier": percentile_interval(brier_score(rows), briers, level=level),
    }


def _errors(gaps: FloatArray, bins: IntArray) -> FloatArray:
    """ECE of many samples at once.

    Args:
        gaps: shape (samples, rows), 1 where right, else 0, minus the confidence.
        bins: shape (samples, rows).

    Returns:
        Shape (samples,).
    """
    import numpy as np

    samples, count = gaps.shape
    cells = bins + BINS * np.arange(samples)[:, None]
    sums = np.bincount(cells.ravel(), weights=gaps.ravel(), minlength=samples * BINS).reshape(samples, BINS)
    errors: FloatArray = np.abs(sums).sum(axis=1) / count
    return errors


def _resample(rows: Certainties, draws: int, generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """ECE and Brier score of resampled rows, each of shape (draws,)."""
    import numpy as np

    count = len(rows.right)
    confidence, right, squared = rows.confidence, rows.right, rows.squared_error
    weight = float(count)
    if right.all() or not right.any():
        confidence = np.append(confidence, confidence.mean())
        right = np.append(right, not right[0])
        squared = np.append(squared, rows.opposite_error.mean())
        weight += 0.5
    gaps, bins = right - confidence, bin_of(confidence)

    def measure(size: int) -> tuple[FloatArray, FloatArray]:
        chosen = (generator.random((size, count)) * weight).astype(np.int64)
        return _errors(gaps[chosen], bins[chosen]), squared[chosen].mean(axis=1)

    measured = list(_in_batches(measure, draws, count))
    return np.concatenate([errors for errors, _ in measured]), np.concatenate([briers for _, briers in measured])


def _if_calibrated(confidence: FloatArray, draws: int, generator: np.random.Generator) -> FloatArray:
    """ECE of a classifier that is right exactly as often as it says, shape (draws,)."""
    import numpy as np

    bins = bin_of(confidence)

    def measure(size: int) -> FloatArray:
        right = generator.random((size, len(confidence))) < confidence
        return _errors(right - confidence, np.broadcast_to(bins, right.shape))

    return np.concatenate(list(_in_batches(measure, draws, len(confidence))))


def _in_batches(measure: Callable[[int], Measured], draws: int, rows: int) -> Iterator[Measured]:
    batch = max(1, CELLS_PER_BATCH // rows)
    for start in range(0, draws, batch):
        yield measure(min(batch, draws - start))
