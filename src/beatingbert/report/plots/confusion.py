"""The confusion matrix: gold labels down, answers across; dark where many rows of a label were answered so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from beatingbert.report.plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL = 0.62
"""Inches per label where cells carry their numbers."""

MOST_WITH_NUMBERS = 10
"""Labels up to which a cell has room for its number."""

MOST_WITH_NAMES = 40


def draw_confusion(
    labels: Sequence[str], counts: Sequence[Sequence[int]], *, title: str, normalised: bool = False
) -> Figure:
    """One matrix.

    Args:
        labels: the task's labels.
        counts: one row per gold label; a column per label and a last one for replies that named none, which is drawn
            only where there are any.
        title: above the matrix.
        normalised: numbers are percent of the gold label's rows instead of counts. The colour is that share in both.
    """
    import numpy as np

    cells = np.asarray(counts, dtype=np.int64)
    columns = [*labels, "no label"] if cells[:, -1].any() else list(labels)
    cells = cells[:, : len(columns)]
    support = cells.sum(axis=1, keepdims=True)
    shares = cells / np.maximum(support, 1)
    cell = CELL if len(labels) <= MOST_WITH_NUMBERS else max(0.14, min(0.3, style.PAGE / 1.4 / len(labels)))
    names = [style.shorten(label, 16) for label in columns]
    margin = 0.5 + 0.07 * max(map(len, names))
    width = max(style.COLUMN, margin + 0.7 + cell * len(columns))
    figure = style.new_figure(width, max(1.9, 1.2 + cell * len(labels)))
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axes.set_title(style.shorten(title, int(width / 0.075)), loc="left")
    axes.set_xlabel("answered")
    axes.set_ylabel("gold")
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    if len(columns) <= MOST_WITH_NAMES:
        slanted = max(map(len, names)) * 0.07 > cell
        axes.set_xticks(range(len(columns)), names, rotation=35 if slanted else 0, ha="right" if slanted else "center")
        axes.set_yticks(range(len(labels)), names[: len(labels)])
        if slanted:
            for text in axes.get_xticklabels():
                text.set_rotation_mode("anchor")
    if len(labels) <= MOST_WITH_NUMBERS:
        for (row, column), share in np.ndenumerate(shares):
            number = f"{100 * share:.1f}" if normalised else f"{cells[row, column]:,}"
            colour = "white" if share > 0.55 else "black"
            axes.text(column, row, number, ha="center", va="center", color=colour)
    bar = figure.colorbar(image, ax=axes, fraction=0.06, pad=0.03, ticks=[0, 0.5, 1])
    bar.ax.set_yticklabels(["0", "50", "100"])
    bar.set_label("% of the gold label's rows")
    bar.outline.set_visible(False)  # type: ignore[operator]  # matplotlib's own annotation is too narrow
    return figure
