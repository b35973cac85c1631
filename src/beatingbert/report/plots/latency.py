"""What accuracy costs in time: accuracy against the latency of one question, with those whom nobody beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from beatingbert.report.plots import style
from beatingbert.report.plots.labels import box_of, extent_of, place_names
from beatingbert.report.plots.points import Level, Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

MOST_NAMES = 12
"""Contenders up to which names are written beside their dots, if all of them find room there."""

MOST_NUMBERS = 30
"""Contenders up to which dots have numbers with a key to them; of more, those of the front and then the best have."""

NAME_BESIDE, NAME_IN_KEY = 46, 34
LINE = 0.15
"""Inches that one line of the key takes."""


def pareto_front(costs: Sequence[float], gains: Sequence[float]) -> list[int]:
    """Who is beaten by nobody: positions by ascending cost.

    One beats another if it costs no more and gains no less, and is better in one of them. Of equals in both, all stay.
    """
    front: list[int] = []
    for at in sorted(range(len(costs)), key=lambda one: (costs[one], -gains[one])):
        best = gains[front[-1]] if front else float("-inf")
        if gains[at] > best or (front and (costs[at], gains[at]) == (costs[front[-1]], best)):
            front.append(at)
    return front


def draw_latency(points: Sequence[Point], *, title: str, axis: str, levels: Sequence[Level] = ()) -> Figure:
    """A dot per contender that has a latency, its interval as a thin line, the front as steps.

    Where the names do not all find room beside their dots, numbers stand there and a key at the right.

    Args:
        points: at least one has `milliseconds`.
        title: above the picture.
        axis: what is measured, with its unit.
        levels: contenders that take no time worth naming, drawn across.
    """
    timed = [one for one in points if one.milliseconds]
    front = pareto_front([_cost(one) for one in timed], [one.value for one in timed])
    rest = sorted(set(range(len(timed))) - set(front), key=lambda at: -timed[at].value)
    named = [timed[at] for at in (*reversed(front), *rest)]
    steps = [timed[at] for at in front]
    if len(named) <= MOST_NAMES:
        names = [style.shorten(one.name, NAME_BESIDE) for one in named]
        figure, left_out = _draw(named, names, steps, levels, title, axis, key="")
        if not left_out:
            return figure
    names = [style.shorten(one.name, NAME_IN_KEY) for one in named]
    lines = [f"{number}  {name}" for number, name in enumerate(names[:MOST_NUMBERS], start=1)]
    if len(names) > MOST_NUMBERS:
        lines.append(f"and {len(names) - MOST_NUMBERS} without a number")
    numbers = [str(number) for number in range(1, len(lines) + 1)][: len(names)]
    return _draw(named, numbers[:MOST_NUMBERS], steps, levels, title, axis, key="\n".join(lines))[0]


def _draw(
    points: Sequence[Point],
    names: Sequence[str],
    steps: Sequence[Point],
    levels: Sequence[Level],
    title: str,
    axis: str,
    *,
    key: str,
) -> tuple[Figure, list[str]]:
    """The picture with so many of the points named, and the names that found no room."""
    figure = style.new_figure(style.PAGE, max(3.6, 1.0 + LINE * (key.count("\n") + 1)))
    axes = figure.add_subplot()
    axes.set_xscale("log")
    for one in points:
        axes.plot([_cost(one)] * 2, [one.low, one.high], color=one.look.colour, linewidth=0.6, alpha=0.45)
        axes.plot([_cost(one)], [one.value], marker=one.look.marker, color=one.look.colour, linestyle="", zorder=3)
    corners = [(_cost(one), one.value) for one in steps]
    axes.step(*zip(*corners, strict=True), where="post", color=style.GREY, linewidth=0.8, zorder=1)
    notes = [_draw_level(axes, level) for level in levels]
    costs = [_cost(one) for one in points]
    axes.set_xlim(min(costs) / 1.8, max(costs) * 1.8)
    axes.margins(y=0.08)
    style.plain_log_ticks(axes.xaxis, "ms")
    axes.grid(True)
    axes.set_xlabel("latency of one question, median (log scale)")
    axes.set_ylabel(axis)
    style.set_title(figure, *title.splitlines())
    if len({one.look for one in points}) > 1:
        style.show_looks_below(figure, {one.look for one in points})
    if key:
        axes.annotate(key, (1.02, 1.0), xycoords="axes fraction", va="top", linespacing=1.3, annotation_clip=False)
    style.lay_out(figure)
    named = points[: len(names)]
    left, right = axes.get_xlim()
    lines = [((_cost(one), one.low), (_cost(one), one.high)) for one in points]
    lines += [((left, one.value), (right, one.value)) for one in levels]
    for (cost, value), (next_cost, next_value) in pairwise(corners):
        lines += [((cost, value), (next_cost, value)), ((next_cost, value), (next_cost, next_value))]
    left_out = place_names(
        axes,
        names,
        [(_cost(one), one.value) for one in named],
        size=style.RC["lines.markersize"] + 1,
        colours=[one.look.colour for one in named],
        avoid=[*(box_of(axes, *ends) for ends in lines), *map(extent_of, notes)],
    )
    return figure, left_out


def _cost(point: Point) -> float:
    return float(point.milliseconds or 0)


def _draw_level(axes: Axes, level: Level) -> Text:
    axes.axhline(level.value, color=level.look.colour, linewidth=0.8, linestyle=":", zorder=0)
    return axes.annotate(
        f"{level.name} {level.value:.1f}",
        (1.0, level.value),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 2),
        textcoords="offset points",
        ha="right",
        color=level.look.colour,
    )
