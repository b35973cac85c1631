"""What of a group goes into a picture: plain numbers in percent and milliseconds."""

from __future__ import annotations

import statistics

from beatingbert.report.contenders import Contender
from beatingbert.report.estimates import estimate
from beatingbert.report.frame import Group
from beatingbert.report.machines import of_one_machine
from beatingbert.report.plots.points import Curve, Level, Point
from beatingbert.report.plots.style import LOOKS
from beatingbert.report.ways import find_ways, untrained
from beatingbert.tasks.catalog import TASKS


def title_of(group: Group) -> str:
    """The task as printed, with its split where it has several, and how many rows were answered."""
    title = TASKS[group.task].title if group.task in TASKS else group.task
    split = f" ({group.split})" if group.title != group.task else ""
    return f"{title}{split} ({group.rows:,} rows)"


def point_of(group: Group, contender: Contender, metric: str) -> Point:
    """A contender's score with its interval, that of each seed, and its latency on the machine of most of its runs.

    Raises:
        KeyError: it has no such metric.
    """
    found = estimate(contender.records, group.split, metric)
    if found is None:
        raise KeyError(metric)
    seeds = [record.scores[group.split]["metrics"][metric]["value"] for record in contender.records]
    *_, records = of_one_machine(contender.records)
    latency = statistics.median(record.efficiency["latency"]["p50_ms"] for record in records)
    return Point(
        name=contender.name,
        look=LOOKS[contender.kind],
        value=100 * found.value,
        low=100 * found.low,
        high=100 * found.high,
        seeds=tuple(100 * one for one in seeds),
        milliseconds=latency if latency > 0 else None,
    )


def percent_of(group: Group, contender: Contender) -> float:
    """Accuracy in percent, the mean of the seeds."""
    return 100 * float(group.right(contender).mean())


def curves_of(group: Group) -> list[Curve]:
    """One curve per way of training, in the order of the group's contenders."""
    return [
        Curve(
            name=way.name,
            look=LOOKS[way.kind],
            sizes=tuple(way.runs),
            scores=tuple(
                tuple(100 * float(run.scores[group.split]["metrics"]["accuracy"]["value"]) for run in runs)
                for runs in way.runs.values()
            ),
        )
        for way in find_ways(group)
    ]


def levels_of(group: Group) -> list[Level]:
    """Everyone whose score does not depend on train rows, at the mean of the seeds."""
    return [
        Level(name=one.model if one.is_constant else one.name, look=LOOKS[one.kind], value=percent_of(group, one))
        for one in untrained(group)
    ]
