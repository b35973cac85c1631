"""What accuracy costs in time: accuracy against the latency of one question, with those whom nobody beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from beatingbert.report.plots import style
from beatingbert.report.plots.labels import place_names
from beatingbert.report.plots.points import Level, Point

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_NAMES = 25


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

    Names are written where there is room for them, those of the front first; the title says how many have none.

    Args:
        points: at least one has `milliseconds`.
        title: above the picture.
        axis: what is measured, with its unit.
        levels: contenders that take no time worth naming, drawn across.
    """
    timed = [one for one in points if one.milliseconds]
    costs = [float(one.milliseconds or 0) for one in timed]
    figure = style.new_figure(style.PAGE, 3.6)
    axes = figure.add_subplot()
    axes.set_xscale("log")
    for one, cost in zip(timed, costs, strict=True):
        axes.plot([cost, cost], [one.low, one.high], color=one.look.colour, linewidth=0.6, alpha=0.45)
        axes.plot([cost], [one.value], marker=one.look.marker, color=one.look.colour, linestyle="", zorder=3)
    front = pareto_front(costs, [one.value for one in timed])
    axes.step(
        [costs[at] for at in front],
        [timed[at].value for at in front],
        where="post",
        color=style.GREY,
        linewidth=0.8,
        zorder=1,
    )
    for level in levels:
        axes.axhline(level.value, color=style.GREY, linewidth=0.8, linestyle=":", zorder=0)
    axes.set_xlim(min(costs) / 1.6, max(costs) * 3.0)
    axes.margins(y=0.08)
    style.plain_log_ticks(axes.xaxis, "ms")
    axes.grid(True)
    axes.set_xlabel("latency of one question, median (log scale)")
    axes.set_ylabel(axis)
    axes.set_title(style.shorten(title, 84), loc="left")
    looks = {one.look for one in timed}
    if len(looks) > 1:
        style.show_looks_below(figure, looks)
    for level in levels:
        axes.annotate(
            f"{level.name} {level.value:.1f}",
            (1.0, level.value),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 2),
            textcoords="offset points",
            ha="right",
            color=style.GREY,
        )
    order = [*reversed(front), *sorted(set(range(len(timed))) - set(front), key=lambda at: -timed[at].value)]
    named = order[:MOST_NAMES]
    style.lay_out(figure)
    left_out = place_names(
        axes,
        [style.shorten(timed[at].name, 40) for at in named],
        [(costs[at], timed[at].value) for at in named],
        size=style.RC["lines.markersize"] + 1,
        colours=[timed[at].look.colour for at in named],
    )
    unnamed = len(left_out) + len(order) - len(named)
    if unnamed:
        axes.set_title(f"{style.shorten(title, 66)} ({unnamed} not named)", loc="left")
    return figure
