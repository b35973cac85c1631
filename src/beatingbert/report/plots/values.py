"""What of a contender goes into a picture."""

from __future__ import annotations

import statistics

from beatingbert.report.contenders import Contender, Side
from beatingbert.report.frame import Group
from beatingbert.report.plots import style
from beatingbert.report.plots.points import Point
from beatingbert.runs.record import RunRecord
from beatingbert.statistics.intervals import wilson
from beatingbert.tasks.catalog import TASKS

LEVEL = 0.95


def title_of(group: Group) -> str:
    """The task as printed, with its split where it has several, and how many rows were answered."""
    title = TASKS[group.task].title if group.task in TASKS else group.task
    split = f" ({group.split})" if group.title != group.task else ""
    return f"{title}{split} ({group.rows:,} rows)"


def look_of(contender: Contender) -> style.Look:
    """How a contender's kind is drawn."""
    if contender.side is Side.ENCODER:
        return style.ENCODER
    if contender.side is Side.BASELINE:
        return style.BASELINE
    return style.ADAPTED if contender.engine == "lora" else style.PROMPTED


def point_of(group: Group, contender: Contender, metric: str) -> Point:
    """A contender's score in percent: the mean of its seeds with the interval for other rows.

    For accuracy that is Wilson's around the mean, for any other metric the mean of the seeds' own bounds. How far seeds
    differ is shown beside it and not mixed in.
    """
    measured = [record.scores[group.split]["metrics"][metric] for record in contender.records]
    value, low, high = (100 * statistics.fmean(one[part] for one in measured) for part in ("value", "low", "high"))
    if metric == "accuracy" and len(measured) > 1:
        around = wilson(round(group.rows * value / 100), group.rows, level=LEVEL)
        low, high = min(value, 100 * around.low), max(value, 100 * around.high)
    latency = statistics.median(record.efficiency["latency"]["p50_ms"] for record in contender.records)
    return Point(
        name=contender.name,
        look=look_of(contender),
        value=value,
        low=low,
        high=high,
        seeds=tuple(100 * one["value"] for one in measured),
        milliseconds=latency if latency > 0 else None,
    )


def percent_of(group: Group, contender: Contender) -> float:
    """Accuracy in percent, the mean of the seeds."""
    return 100 * float(group.right(contender).mean())


def is_constant(contender: Contender) -> bool:
    """Whether it answers without reading."""
    return contender.engine == "majority"


def machine_of(record: RunRecord) -> str:
    """What the run's times are true of: its GPU or its processor, by name."""
    machine = record.environment.get("machine", {})
    device = str(record.efficiency["device"])
    gpus = machine.get("gpus") or []
    if device != "cpu" and gpus:
        return str(gpus[0].get("name", device))
    cores = machine.get("logical_cores")
    return f"{machine.get('cpu', device)}" + (f", {cores} cores" if cores else "")
