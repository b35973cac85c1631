"""The reliability diagram: how often answers of some confidence are right, over how many answers have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from beatingbert.report.plots import style
from beatingbert.statistics.intervals import wilson

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL = 0.95


def draw_reliability(bins: Sequence[Mapping[str, Any]], *, title: Sequence[str], ece: float | None = None) -> Figure:
    """Accuracy against confidence with Wilson's intervals, and below it the rows per bin.

    Args:
        bins: as `Scorecard.reliability` in its JSON: "low", "high", "count", "confidence", "accuracy".
        title: lines above the diagram.
        ece: expected calibration error, told in the diagram.
    """
    figure = style.new_figure(style.COLUMN, 3.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color=style.GREY, linewidth=0.8, linestyle="--")
    filled = [one for one in bins if one["count"]]
    for one in filled:
        interval = wilson(round(one["accuracy"] * one["count"]), one["count"], level=LEVEL)
        upper.plot([one["confidence"]] * 2, [interval.low, interval.high], color=style.BLUE, linewidth=0.8)
    upper.plot(
        [one["confidence"] for one in filled],
        [one["accuracy"] for one in filled],
        color=style.BLUE,
        marker="o",
        linewidth=1.0,
    )
    upper.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="accuracy")
    style.set_title(figure, *title)
    upper.grid(True)
    if ece is not None:
        upper.text(0.03, 0.95, f"ECE {ece:.3f}", transform=upper.transAxes, va="top")
    middles = [(one["low"] + one["high"]) / 2 for one in bins]
    widths = [one["high"] - one["low"] for one in bins]
    lower.bar(middles, [one["count"] for one in bins], width=widths, color=style.SKY, edgecolor="white", linewidth=0.5)
    lower.set(xlabel="confidence in the answer", ylabel="rows")
    lower.grid(True, axis="y")
    lower.yaxis.get_major_locator().set_params(nbins=3, integer=True)
    figure.align_ylabels([upper, lower])
    return figure
