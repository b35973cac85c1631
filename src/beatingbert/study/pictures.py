"""The pictures of a study: who is ahead by how much, accuracy against latency and price, accuracy by train rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from beatingbert.report.contenders import Contender, Kind
from beatingbert.report.machines import machine_of
from beatingbert.report.plots.gaps import Gap, draw_gaps
from beatingbert.report.plots.latency import draw_latency
from beatingbert.report.plots.learning import draw_learning
from beatingbert.report.plots.points import Curve, Level
from beatingbert.report.plots.style import LOOKS, drawing, save
from beatingbert.report.plots.values import percent_of, point_of, title_of
from beatingbert.report.prices import Prices
from beatingbert.report.text import money
from beatingbert.study.answer import plain_title
from beatingbert.study.clock import Clock
from beatingbert.study.contest import price_of
from beatingbert.study.crossings import LearningCurve
from beatingbert.study.material import Lineup
from beatingbert.study.verdicts import Ruling

Figure = Any  # matplotlib's, which is imported where pictures are drawn


def draw_study(
    folder: Path,
    lineups: Sequence[Lineup],
    rulings: Sequence[Ruling],
    curves: Sequence[LearningCurve],
    clock: Clock,
    prices: Prices,
) -> list[str]:
    """Write all pictures as PNG; the same records give the same bytes.

    Returns:
        Their names without ending.
    """
    names = []
    with drawing():
        for name, figure in _figures(lineups, rulings, curves, clock, prices):
            save(figure, folder, name, formats=("png",))
            names.append(name)
    return names


def _figures(
    lineups: Sequence[Lineup],
    rulings: Sequence[Ruling],
    curves: Sequence[LearningCurve],
    clock: Clock,
    prices: Prices,
) -> Iterator[tuple[str, Figure]]:
    if rulings:
        yield "gaps", _gaps(rulings)
    for lineup in lineups:
        figure = _latency(lineup, clock, prices)
        if figure is not None:
            yield f"latency_{lineup.group.task}", figure
    for task in dict.fromkeys(one.group.task for one in curves):
        yield f"learning_{task}", _learning([one for one in curves if one.group.task == task])


def _gaps(rulings: Sequence[Ruling]) -> Figure:
    neither = replace(LOOKS[Kind.BASELINE], marker="o")
    gaps = []
    for one in rulings:
        ahead = {"llm": LOOKS[one.llm.kind], "encoder": LOOKS[one.encoder.kind]}
        gap = one.verdict.gap
        gaps.append(
            Gap(
                title=f"{plain_title(one.group.task)}\n{one.way} LLMs",
                names=(one.llm.name, one.encoder.name),
                look=ahead.get(one.winner, neither),
                value=100 * gap.value,
                low=100 * gap.low,
                high=100 * gap.high,
            )
        )
    axis = "points of accuracy; left of 0 the encoder is better, right of it the LLM (grey: cannot be told)"
    return draw_gaps(gaps, title="The best LLM minus the best encoder (95 % intervals, all tasks together)", axis=axis)


def _latency(lineup: Lineup, clock: Clock, prices: Prices) -> Figure | None:
    """Accuracy against latency of those whose times count, the price behind each name."""
    group = lineup.group
    points, levels, machine = [], [], ""
    for one in lineup.main:
        if one.is_constant:
            levels.append(Level(name=one.model, look=LOOKS[one.kind], value=percent_of(group, one)))
            continue
        records = clock.runs_of(one)
        if not records:
            continue
        machine = machine or machine_of(records[0])
        price = price_of(records, prices)
        name = _short(one, lineup) + ("" if price is None else f": {money(price)}")
        latency = median(record.efficiency["latency"]["p50_ms"] for record in records)
        points.append(replace(point_of(group, one, "accuracy"), name=name, milliseconds=latency or None))
    if not any(one.milliseconds for one in points):
        return None
    priced = f"behind each name {prices.currency} per million answers"
    title = f"Accuracy against latency on {title_of(group)}\n{machine}; {priced}"
    return draw_latency(points, title=title, axis="accuracy, %", levels=levels)


def _short(one: Contender, lineup: Lineup) -> str:
    """Model and way in few letters: without the train rows, which tables have, and what most LLMs' names end with."""
    model, others = one.model.removesuffix("-instruct"), {other.model for other in lineup.main}
    way = "" if one.kind is Kind.BASELINE else f" {one.how.partition(' on ')[0].replace('optimized by ', '')}"
    return (one.model if model in others else model) + way


def _learning(curves: Sequence[LearningCurve]) -> Figure:
    group, prompted = curves[0].group, curves[0].prompted
    drawn = [
        Curve(
            name=one.name,
            look=LOOKS[next(iter(one.points.values())).kind],
            sizes=tuple(one.points),
            scores=tuple(tuple((100 * group.right(who).mean(axis=1)).tolist()) for who in one.points.values()),
        )
        for one in curves
    ]
    levels = []
    if prompted is not None:
        levels.append(Level(name=prompted.name, look=LOOKS[prompted.kind], value=percent_of(group, prompted)))
    return draw_learning(
        drawn,
        levels,
        title=f"Accuracy by train rows on {title_of(group)}",
        axis="accuracy, % (bars: lowest and highest seed)",
    )
