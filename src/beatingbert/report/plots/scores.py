"""Who scores how much: a dot with its interval per contender, the best on top."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from beatingbert.report.plots import style
from beatingbert.report.plots.points import Point

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW = 0.185
"""Inches per contender."""

MOST = 40
"""Contenders that a page has room for; of more, the best are shown and the picture says so."""

NAME = 46


def draw_scores(points: Sequence[Point], *, title: str, axis: str) -> Figure:
    """One row per contender.

    Args:
        points: at least one, in any order.
        title: above the picture.
        axis: what is measured, with its unit.
    """
    ranked = sorted(points, key=lambda one: -one.value)
    shown = ranked[:MOST]
    figure = style.new_figure(style.PAGE, 0.85 + ROW * len(shown))
    axes = figure.add_subplot()
    for place, one in enumerate(shown):
        axes.plot([one.low, one.high], [place, place], color=one.look.colour, linewidth=1.0, solid_capstyle="butt")
        if len(one.seeds) > 1:
            axes.plot(
                one.seeds, [place] * len(one.seeds), "|", color=one.look.colour, markersize=5, markeredgewidth=0.7
            )
        axes.plot([one.value], [place], marker=one.look.marker, color=one.look.colour, linestyle="")
        axes.annotate(
            f"{one.value:.1f}",
            (1.0, place),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center_baseline",
        )
    axes.set_yticks(range(len(shown)), [style.shorten(one.name, NAME) for one in shown])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.margins(x=0.03)
    axes.grid(True, axis="x")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(axis)
    more = f", best {MOST} of {len(ranked)}" if len(ranked) > len(shown) else ""
    style.set_title(figure, title + more)
    looks = {one.look for one in shown}
    if len(looks) > 1:
        style.show_looks_below(figure, looks)
    return figure
