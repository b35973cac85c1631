"""Who makes the same mistakes: a square of numbers between 0 and 1, one row and column per contender."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from beatingbert.report.plots import style

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.figure import Figure

    FloatArray = npt.NDArray[np.float64]

MOST = 30
MOST_WITH_NUMBERS = 14
MOST_WITH_EVERY_PLACE = 18
NAME = 36
MISSING = "#EDEDED"


def draw_heatmap(names: Sequence[str], values: FloatArray, *, title: str, bar: str) -> Figure:
    """The square; its diagonal is left grey, since everyone agrees with himself.

    Args:
        names: one per row and column, at most 30.
        values: shape (names, names), 0 to 1, or NaN where the number does not exist.
        title: above the square.
        bar: what the numbers are.
    """
    import numpy as np
    from matplotlib import colormaps

    shown = values.astype(np.float64).copy()
    np.fill_diagonal(shown, np.nan)
    numbered = len(names) <= MOST_WITH_NUMBERS
    cell = 0.29 if numbered else 0.17
    figure = style.new_figure(style.PAGE, max(2.0, 0.75 + cell * len(names)))
    axes = figure.add_subplot()
    image = axes.imshow(
        shown,
        cmap=colormaps["cividis"].with_extremes(bad=MISSING),
        vmin=0,
        vmax=1,
        aspect="auto",
        interpolation="nearest",
    )
    style.set_title(figure, title)
    places = range(len(names))
    axes.set_yticks(places, [f"{style.shorten(name, NAME)}  {at + 1}" for at, name in enumerate(names)])
    step = 1 if len(names) <= MOST_WITH_EVERY_PLACE else 5
    axes.set_xticks(places[step - 1 :: step], [str(at + 1) for at in places[step - 1 :: step]])
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    if numbered:
        for (row, column), value in np.ndenumerate(shown):
            if not np.isnan(value):
                ink = style.ink_on(image.cmap(float(value)))
                axes.text(column, row, f"{value:.2f}", ha="center", va="center_baseline", color=ink)
    legend = figure.colorbar(image, ax=axes, fraction=0.03, pad=0.02, ticks=[0, 0.5, 1])
    legend.set_label(bar)
    legend.outline.set_visible(False)
    return figure
