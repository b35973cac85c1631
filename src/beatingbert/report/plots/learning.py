"""What more labelled rows bring: accuracy against train rows, with those who need none as lines across."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from beatingbert.report.contenders import Kind
from beatingbert.report.plots import style
from beatingbert.report.plots.labels import spread
from beatingbert.report.plots.points import Curve, Level

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CURVES = len(style.LINES)
MOST_LEVELS = 4
NAME = 34
LINE = 0.145
"""Inches that one line of text takes."""


def draw_learning(curves: Sequence[Curve], levels: Sequence[Level], *, title: str, axis: str) -> Figure:
    """One line per way of training, through the mean of its seeds; bars reach from the lowest seed to the highest.

    Args:
        curves: at least one; the best at their largest size are kept where there are more than eight.
        levels: the best four are kept, and every baseline.
        title: above the picture.
        axis: what is measured, with its unit.
    """
    kept = sorted(curves, key=lambda one: -_mean(one.scores[-1]))[:MOST_CURVES]
    floor = [one for one in levels if one.look is style.LOOKS[Kind.BASELINE]]
    flat = sorted((one for one in levels if one not in floor), key=lambda one: -one.value)[:MOST_LEVELS] + floor
    figure = style.new_figure(style.PAGE, max(3.3, 1.3 + LINE * (len(kept) + len(flat))))
    axes = figure.add_subplot()
    axes.set_xscale("log")
    named: list[tuple[str, float, str]] = []
    right = max(size for curve in kept for size in curve.sizes) * 1.25
    for curve, (colour, marker) in zip(kept, style.tell_apart([one.look for one in kept]), strict=True):
        means = [_mean(scores) for scores in curve.scores]
        for size, scores in zip(curve.sizes, curve.scores, strict=True):
            axes.plot([size, size], [min(scores), max(scores)], color=colour, linewidth=0.9, solid_capstyle="butt")
        axes.plot(curve.sizes, means, color=colour, marker=marker)
        # From its last size the eye is led to its name.
        axes.plot([curve.sizes[-1], right], [means[-1]] * 2, color=colour, linewidth=0.5, linestyle=":")
        named.append((style.shorten(curve.name, NAME), means[-1], colour))
    for level in flat:
        axes.axhline(level.value, color=level.look.colour, linewidth=0.9, linestyle="--", zorder=0)
        named.append((style.shorten(level.name, NAME), level.value, level.look.colour))
    axes.margins(y=0.06)
    sizes = [size for curve in kept for size in curve.sizes]
    axes.set_xlim(min(sizes) / 1.25, right)
    style.plain_log_ticks(axes.xaxis, "")
    axes.grid(True)
    axes.set_xlabel("labelled rows trained on (log scale)")
    axes.set_ylabel(axis)
    style.set_title(figure, title)
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
    heights = spread([value for _, value, _ in named], gap, low=low, high=high)
    for (name, value, colour), height in zip(named, heights, strict=True):
        axes.annotate(
            name,
            (1.0, value),
            xycoords=("axes fraction", "data"),
            xytext=(1.035, height),
            textcoords=("axes fraction", "data"),
            va="center",
            color=colour,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.5,
                "shrinkA": 1,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
        )
    axes.set_ylim(low, high)
