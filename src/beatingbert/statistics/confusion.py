"""Confusion matrices, observed and redrawn, with the metrics that can be read from them.

Everything is an array: `classes` classes are numbered from 0, and a reply that names no class is -1. A confusion matrix
has shape (classes, classes + 1): row i counts the examples of gold class i, column j those answered j, and the last
column those that were not answered with any class. Metrics take any number of matrices at once, shape
(..., classes, classes + 1), and return shape (...), which is what makes a bootstrap of thousands of draws cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from beatingbert.errors import DataError, MisalignedError, SettingsError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    IntArray = npt.NDArray[np.int64]
    FloatArray = npt.NDArray[np.float64]

UNPARSED = -1
"""The code of a reply that names no class."""


def count_confusion(gold: IntArray, predicted: IntArray, *, classes: int) -> IntArray:
    """Count how often each gold class received each answer.

    Args:
        gold: shape (rows,), codes from 0 to classes - 1.
        predicted: shape (rows,), codes from 0 to classes - 1, or `UNPARSED`.
        classes: how many classes the task has, seen or not.

    Returns:
        Shape (classes, classes + 1); the last column counts unparsed replies.

    Raises:
        MisalignedError: the two arrays differ in length.
        DataError: a code lies outside its range.
    """
    import numpy as np

    gold, predicted = np.asarray(gold, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    if gold.ndim != 1 or gold.shape != predicted.shape:
        raise MisalignedError(
            f"gold has shape {gold.shape} and predicted {predicted.shape}; both must be one column over the same rows"
        )
    _check_codes("gold", gold, lowest=0, classes=classes)
    _check_codes("predicted", predicted, lowest=UNPARSED, classes=classes)
    columns = np.where(predicted == UNPARSED, classes, predicted)
    flat = np.bincount(gold * (classes + 1) + columns, minlength=classes * (classes + 1))
    return flat.reshape(classes, classes + 1).astype(np.int64)


def _check_codes(name: str, codes: IntArray, *, lowest: int, classes: int) -> None:
    outside = codes[(codes < lowest) | (codes >= classes)]
    if outside.size:
        raise DataError(f"{name} holds code {outside[0]}; codes run from {lowest} to {classes - 1}")


def draw_confusions(rates: FloatArray, supports: IntArray, *, draws: int, generator: np.random.Generator) -> IntArray:
    """Redraw confusion matrices, each gold class keeping its number of rows.

    Drawing n rows of one class with replacement gives answer counts that are multinomial with the rates observed in
    that class; drawing the counts is therefore the same bootstrap as drawing the rows, many times faster.

    Args:
        rates: shape (classes, classes + 1), the share of each answer within a gold class; each row sums to 1.
        supports: shape (classes,), rows per gold class; a class with none stays empty.
        draws: how many matrices.
        generator: where the chance comes from.

    Returns:
        Shape (draws, classes, classes + 1).

    Raises:
        SettingsError: fewer than one draw.
    """
    import numpy as np

    if draws < 1:
        raise SettingsError(f"draws must be at least 1, got {draws}")
    drawn = np.zeros((draws, *rates.shape), dtype=np.int64)
    for row, support in enumerate(supports):
        if support:
            drawn[:, row, :] = generator.multinomial(int(support), rates[row], size=draws)
    return drawn


def confusion_accuracy(confusion: IntArray) -> FloatArray:
    """Share of rows answered with their gold class; an unparsed reply is wrong.

    Args:
        confusion: shape (..., classes, classes + 1), each matrix with at least one row counted.
    """
    import numpy as np

    right = np.diagonal(confusion, axis1=-2, axis2=-1).sum(axis=-1)
    accuracy: FloatArray = right / confusion.sum(axis=(-2, -1))
    return accuracy


def confusion_macro_f1(confusion: IntArray) -> FloatArray:
    """Mean over all classes of F1 = 2 TP / (2 TP + FP + FN), 0 for a class that is neither present nor answered.

    An unparsed reply is a false negative of its gold class; it is a false positive of none.

    Args:
        confusion: shape (..., classes, classes + 1).
    """
    import numpy as np

    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    present = confusion.sum(axis=-1)
    answered = confusion[..., :-1].sum(axis=-2)
    scores: FloatArray = 2 * hits / np.maximum(present + answered, 1)  # hits is 0 wherever the sum is
    means: FloatArray = scores.mean(axis=-1)
    return means


def confusion_mcc(confusion: IntArray) -> FloatArray:
    """Matthews correlation of gold class and answer, 0 where either never varies.

    An unparsed reply is an answer of its own that agrees with no gold class.

    Args:
        confusion: shape (..., classes, classes + 1).

    Source: Matthews (1975); the form for several classes is R_K of Gorodkin (2004).
    """
    import numpy as np

    counts = confusion.astype(np.float64)  # squares of row counts leave 64-bit integers on large data
    total = counts.sum(axis=(-2, -1))
    present, answered = counts.sum(axis=-1), counts.sum(axis=-2)
    right = np.diagonal(counts, axis1=-2, axis2=-1).sum(axis=-1)
    shared = right * total - (present * answered[..., :-1]).sum(axis=-1)
    spread = (total**2 - (present**2).sum(axis=-1)) * (total**2 - (answered**2).sum(axis=-1))
    correlation: FloatArray = np.where(spread > 0, shared / np.sqrt(np.where(spread > 0, spread, 1.0)), 0.0)
    return correlation
