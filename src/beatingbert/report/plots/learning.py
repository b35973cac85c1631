"""What more labelled rows bring: accuracy against train rows, with those who need none as lines across."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from beatingbert.report.plots import style
from beatingbert.report.plots.labels import spread
from beatingbert.report.plots.points import Curve, Level

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CURVES = len(style.LINES)
MOST_LEVELS = 6
NAME = 34
LINE = 0.145
"""Inches that one line of text takes."""


def draw_learning(curves: Sequence[Curve], levels: Sequence[Level], *, title: str, axis: str) -> Figure:
    """One line per way of training, through the mean of its seeds; bars reach from the lowest seed to the highest.

    Args:
        curves: at least one; the best at their largest size are kept where there are more than eight.
        levels: the best six are kept.
        title: above the picture.
        axis: what is measured, with its unit.
    """
    kept = sorted(curves, key=lambda one: -_mean(one.scores[-1]))[:MOST_CURVES]
    flat = sorted(levels, key=lambda one: -one.value)[:MOST_LEVELS]
    figure = style.new_figure(style.PAGE, max(3.3, 1.3 + LINE * (len(kept) + len(flat))))
    axes = figure.add_subplot()
    axes.set_xscale("log")
    named: list[tuple[str, float, str]] = []
    for number, curve in enumerate(kept):
        colour, marker = style.LINES[number], style.MARKERS[number]
        means = [_mean(scores) for scores in curve.scores]
        for size, scores in zip(curve.sizes, curve.scores, strict=True):
            axes.plot([size, size], [min(scores), max(scores)], color=colour, linewidth=0.9, solid_capstyle="butt")
        axes.plot(curve.sizes, means, color=colour, marker=marker)
        named.append((style.shorten(curve.name, NAME), means[-1], colour))
    for number, level in enumerate(flat):
        dash = style.DASHES[1 + number % 3]
        axes.axhline(level.value, color=style.GREY, linewidth=0.9, linestyle=dash, zorder=0)
        named.append((style.shorten(level.name, NAME), level.value, style.GREY))
    axes.margins(y=0.06)
    sizes = [size for curve in kept for size in curve.sizes]
    axes.set_xlim(min(sizes) / 1.25, max(sizes) * 1.25)
    style.plain_log_ticks(axes.xaxis, "")
    axes.grid(True)
    axes.set_xlabel("labelled rows trained on (log scale)")
    axes.set_ylabel(axis)
    axes.set_title(style.shorten(title, 84), loc="left")
    _name_at_the_right(axes, named)
    return figure


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _name_at_the_right(axes: Axes, named: Sequence[tuple[str, float, str]]) -> None:
    """Each name beside the end of its line, pushed up or down where names would lie on each other."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    low, high = axes.get_ylim()
    gap = (high - low) * LINE / (figure.get_size_inches()[1] - 0.9)
    ends = named
    for (name, value, colour), height in zip(ends, spread([end for _, end, _ in ends], gap), strict=True):
        axes.annotate(
            name,
            (1.0, value),
            xycoords=("axes fraction", "data"),
            xytext=(1.035, height),
            textcoords=("axes fraction", "data"),
            va="center",
            color=colour,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 0},
        )
    axes.set_ylim(low, high)
