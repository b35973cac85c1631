"""The confusion matrix: gold labels down, answers across; dark where many rows of a label were answered so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from beatingbert.report.plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL = 0.62
"""Inches per label, where the page has room for it."""

LEAST_WITH_NUMBERS, LEAST_WITH_NAMES = 0.38, 0.15
"""Inches per label from which a cell has room for its number, and a row for its name."""

NAME = 16
CHARACTER = 0.07
"""Inches that a character of a name takes in the mean."""


def draw_confusion(
    labels: Sequence[str], counts: Sequence[Sequence[int]], *, title: Sequence[str], normalised: bool = False
) -> Figure:
    """One matrix.

    Args:
        labels: the task's labels.
        counts: one row per gold label; a column per label and a last one for replies that named none, which is drawn
            only where there are any.
        title: lines above the matrix.
        normalised: numbers are percent of the gold label's rows instead of counts. The colour is that share in both.
    """
    import numpy as np

    cells = np.asarray(counts, dtype=np.int64)
    columns = [*labels, "no label"] if cells[:, -1].any() else list(labels)
    cells = cells[:, : len(columns)]
    support = cells.sum(axis=1, keepdims=True)
    shares = cells / np.maximum(support, 1)
    names = [style.shorten(label, NAME) for label in columns]
    longest = CHARACTER * max(map(len, names))
    beside = 1.4 + longest  # names, axis and colour bar
    cell = min(CELL, (style.PAGE - beside) / len(columns))
    width = max(style.COLUMN, beside + cell * len(columns))
    slanted = longest > cell
    below = 0.3 + 0.6 * longest if slanted else 0.3
    figure = style.new_figure(width, max(2.2, 0.8 + below + cell * len(labels)))
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    style.set_title(figure, *title)
    axes.set_xlabel("answered")
    axes.set_ylabel("gold")
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    if cell >= LEAST_WITH_NAMES:
        axes.set_xticks(range(len(columns)), names, rotation=35 if slanted else 0, ha="right" if slanted else "center")
        axes.set_yticks(range(len(labels)), names[: len(labels)])
        if slanted:
            for text in axes.get_xticklabels():
                text.set_rotation_mode("anchor")
    else:
        axes.set_xlabel("answered (number of the label in the task's order, from 0)")
    if cell >= LEAST_WITH_NUMBERS:
        for (row, column), share in np.ndenumerate(shares):
            number = f"{100 * share:.1f}" if normalised else f"{cells[row, column]:,}"
            ink = style.ink_on(image.cmap(float(share)))
            axes.text(column, row, number, ha="center", va="center_baseline", color=ink)
    bar = figure.colorbar(image, ax=axes, fraction=0.06 if width < 5 else 0.035, pad=0.03, ticks=[0, 0.5, 1])
    bar.ax.set_yticklabels(["0", "50", "100"])
    bar.set_label("% of the gold label")
    bar.outline.set_visible(False)
    return figure
