"""Who is ahead, task by task: the gap between two sides with its interval, and no gap as a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from beatingbert.report.plots import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = 52
ROW = 0.42
"""Inches that one gap takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One gap.

    Attributes:
        title: what it is about.
        names: of the two who are compared, the first minus the second.
        look: of whoever is ahead.
        value, low, high: in points.
    """

    title: str
    names: tuple[str, str]
    look: style.Look
    value: float
    low: float
    high: float


def draw_gaps(gaps: Sequence[Gap], *, title: str, axis: str) -> Figure:
    """A dot and a bar per gap, from top to bottom in the order given.

    Args:
        gaps: at least one.
        title: above the picture.
        axis: what is measured, with its unit and which side lies where.
    """
    figure = style.new_figure(style.PAGE, 1.1 + ROW * len(gaps))
    axes = figure.add_subplot()
    for place, one in enumerate(reversed(gaps)):
        axes.plot([one.low, one.high], [place] * 2, color=one.look.colour, linewidth=1.4)
        axes.plot([one.value], [place], marker=one.look.marker, color=one.look.colour, linestyle="")
        names = f"{style.shorten(one.names[0], NAME)} against {style.shorten(one.names[1], NAME)}"
        axes.annotate(
            names,
            (0.0, place),
            xycoords=("axes fraction", "data"),
            xytext=(0, 6),
            textcoords="offset points",
        )
    axes.axvline(0.0, color=style.GREY, linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(gaps)), [one.title for one in reversed(gaps)])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.6, len(gaps) - 0.3)
    axes.grid(True, axis="x")
    axes.set_xlabel(axis)
    style.set_title(figure, title)
    return figure
