"""The answers of two classifiers to the same rows, redrawn together within each gold class."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from beatingbert.statistics.bootstrap import batch_sizes, doubt

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    IntArray = npt.NDArray[np.int64]
    FloatArray = npt.NDArray[np.float64]
    ConfusionMetric = Callable[[IntArray], FloatArray]

    Group = tuple[npt.NDArray[np.int64], npt.NDArray[Any]]
    """The rows of one gold class: the pairs of answers that occur, shape (pairs, 2), and how often, shape (pairs,)."""


def group_pairs(gold: IntArray, first: IntArray, second: IntArray, *, classes: int) -> list[Group]:
    """Count the pairs of answers within each gold class; a reply that names no class has the code `classes` here.

    Args:
        gold: shape (rows,), codes from 0 to classes - 1.
        first: shape (rows,), the same codes, or -1 for a reply that names no class.
        second: the same of the other classifier.
        classes: how many classes the task has, seen or not.
    """
    import numpy as np

    answers = np.stack([first, second], axis=1)
    answers = np.where(answers < 0, classes, answers)
    return [np.unique(answers[gold == code], axis=0, return_counts=True) for code in range(classes)]


def open_groups(groups: list[Group]) -> list[Group] | None:
    """The groups with doubt in those where no row tells the two apart; None where there is no such group."""
    import numpy as np

    classes = len(groups)
    apart = [((pairs == code).sum(axis=1) == 1).any() for code, (pairs, _) in enumerate(groups)]
    closed = [code for code, (pairs, _) in enumerate(groups) if len(pairs) and not apart[code]]
    if not closed:
        return None
    opened = list(groups)
    for code in closed:
        pairs, counts = groups[code]
        other = (code + 1) % classes if classes > 1 else classes
        more = np.array([[code, other], [other, code]])
        opened[code] = np.concatenate([pairs, more]), np.append(counts, [doubt(len(closed))] * 2)
    return opened


def draw_gaps(
    groups: list[Group],
    weights: list[Group],
    metric: ConfusionMetric,
    draws: int,
    generator: np.random.Generator,
) -> FloatArray:
    """The gap in every draw, shape (draws,); each gold class keeps its rows and is drawn by its weights."""
    import numpy as np

    classes = len(groups)
    gaps = []
    for size in batch_sizes(draws, cells=2 * classes * (classes + 1)):
        matrices = np.zeros((2, size, classes, classes + 1), dtype=np.int64)
        for code, (pairs, counts) in enumerate(weights):
            support = int(groups[code][1].sum())
            if not support:
                continue
            drawn = generator.multinomial(support, counts / counts.sum(), size=size)
            for side in (0, 1):
                # Adds up the pairs in which this side gave the same answer.
                member = pairs[:, side, None] == np.arange(classes + 1)
                matrices[side, :, code, :] = drawn @ member.astype(np.int64)
        gaps.append(metric(matrices[0]) - metric(matrices[1]))
    return np.concatenate(gaps)
