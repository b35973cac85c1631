"""How far classifiers give the same answers, and make the same mistakes, on the same rows.

Two that err on the same rows are hard for the same reasons; two that err on different rows can be combined.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from beatingbert.errors import DataError, MisalignedError, TooFewExamplesError
from beatingbert.statistics.confusion import UNPARSED
from beatingbert.statistics.discordant import check_right

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    BoolArray = npt.NDArray[np.bool_]
    IntArray = npt.NDArray[np.int64]
    FloatArray = npt.NDArray[np.float64]


def cohen_kappa(first_codes: IntArray, second_codes: IntArray, classes: int) -> float:
    """Agreement of two classifiers beyond chance: 1 is always, 0 as often as chance, below 0 less.

    Args:
        first_codes: shape (rows,), codes from 0 to classes - 1, or -1 for a reply that names no class, which counts as
            a class of its own.
        second_codes: the same of the second; row i is the same example in both.
        classes: how many classes the task has.

    Returns:
        `nan` where both always give one and the same answer: chance alone would agree.

    Raises:
        MisalignedError: the two arrays differ in length.
        DataError: a code lies outside its range.
        TooFewExamplesError: no rows.
    Source: Cohen (1960).
    """
    import numpy as np

    first_codes, second_codes = np.asarray(first_codes), np.asarray(second_codes)
    if first_codes.ndim != 1 or first_codes.shape != second_codes.shape:
        raise MisalignedError(
            f"the first classifier has shape {first_codes.shape}, the second {second_codes.shape}; both must be one "
            "column over the same rows"
        )
    return float(cohen_kappas(np.stack([first_codes, second_codes]), classes)[0, 1])


def cohen_kappas(codes: IntArray, classes: int) -> FloatArray:
    """`cohen_kappa` of every two runs.

    Args:
        codes: shape (runs, rows), codes from 0 to classes - 1, or -1.
        classes: how many classes the task has.

    Returns:
        Shape (runs, runs), symmetric; `nan` where a pair always gives one and the same answer.

    Raises:
        MisalignedError: not a matrix.
        DataError: a code lies outside its range.
        TooFewExamplesError: no rows.
    """
    import numpy as np

    codes = np.asarray(codes)
    runs, rows = _check_matrix(codes)
    outside = codes[(codes < UNPARSED) | (codes >= classes)]
    if outside.size:
        raise DataError(f"the answers hold code {outside[0]}; codes run from {UNPARSED} to {classes - 1}")
    agreed, by_chance = np.zeros((runs, runs)), np.zeros((runs, runs))
    for code in range(UNPARSED, classes):
        given = (codes == code).astype(np.float64)  # floats multiply fast and count exactly
        shares = given.sum(axis=1)
        agreed += given @ given.T
        by_chance += np.outer(shares, shares)
    room = rows**2 - by_chance
    kappas: FloatArray = np.where(room > 0, (agreed * rows - by_chance) / np.where(room > 0, room, 1), math.nan)
    return kappas


def error_overlap(first_right: BoolArray, second_right: BoolArray) -> float:
    """Rows that both got wrong, as a share of the rows that either got wrong.

    Args:
        first_right: shape (rows,), True where the first classifier was right.
        second_right: the same of the second; row i is the same example in both.

    Returns:
        Between 0, no mistake in common, and 1, all; `nan` where neither made one.

    Raises:
        MisalignedError: the two arrays differ in length.
        TooFewExamplesError: no rows.
        TypeError: not arrays of bool.
    Source: Jaccard (1901).
    """
    import numpy as np

    first_right, second_right = np.asarray(first_right), np.asarray(second_right)
    check_right(first_right, second_right)
    if first_right.ndim != 1 or first_right.shape != second_right.shape:
        raise MisalignedError(
            f"the first classifier has shape {first_right.shape}, the second {second_right.shape}; both must be one "
            "column over the same rows"
        )
    return float(error_overlaps(np.stack([first_right, second_right]))[0, 1])


def error_overlaps(right: BoolArray) -> FloatArray:
    """`error_overlap` of every two runs.

    Args:
        right: shape (runs, rows), True where right.

    Returns:
        Shape (runs, runs), symmetric; `nan` where a pair made no mistake.

    Raises:
        MisalignedError: not a matrix.
        TooFewExamplesError: no rows.
        TypeError: not bool.
    """
    import numpy as np

    right = np.asarray(right)
    check_right(right)
    _check_matrix(right)
    wrong = (~right).astype(np.float64)
    both, each = wrong @ wrong.T, wrong.sum(axis=1)
    either = each[:, None] + each[None, :] - both
    overlaps: FloatArray = np.where(either > 0, both / np.where(either > 0, either, 1), math.nan)
    return overlaps


def _check_matrix(values: BoolArray | IntArray) -> tuple[int, int]:
    if values.ndim != 2:
        raise MisalignedError(f"expected shape (runs, rows), got {values.shape}")
    if not values.shape[1]:
        raise TooFewExamplesError("agreement needs at least one row, got none")
    return values.shape[0], values.shape[1]
