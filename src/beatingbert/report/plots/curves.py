"""Contenders that differ in nothing but their train rows, joined to curves."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import asdict

from beatingbert.report.contenders import Contender
from beatingbert.report.frame import Group
from beatingbert.report.plots.points import Curve, Level
from beatingbert.report.plots.values import is_constant, look_of, percent_of

TRAINED = ("encoder", "lora", "linear", "optimized")
"""Engines whose answers depend on how many train rows there are; the others are levels."""

ROWS = re.compile(r" on [\d,]+")


def curves_of(group: Group) -> list[Curve]:
    """One curve per way of training, in the order of the group's contenders."""
    ways: dict[str, list[Contender]] = defaultdict(list)
    for one in group.contenders:
        if one.engine in TRAINED and one.records[0].data.get("train_rows"):
            cell = asdict(one.records[0].cell)
            for name in ("seed", "train_size"):
                del cell[name]
            ways[json.dumps(cell, sort_keys=True)].append(one)
    return [_curve(group, contenders) for contenders in ways.values()]


def levels_of(group: Group) -> list[Level]:
    """Everyone else, at the mean of the seeds."""
    return [
        Level(name=one.model if is_constant(one) else one.name, look=look_of(one), value=percent_of(group, one))
        for one in group.contenders
        if one.engine not in TRAINED
    ]


def _curve(group: Group, contenders: list[Contender]) -> Curve:
    scores: dict[int, list[float]] = defaultdict(list)
    for one in contenders:
        for record, right in zip(one.records, group.right(one), strict=True):
            scores[int(record.data["train_rows"])].append(100 * float(right.mean()))
    sizes = tuple(sorted(scores))
    how = ROWS.sub("", contenders[0].how, count=1)
    return Curve(
        name=f"{contenders[0].model} ({how})",
        look=look_of(contenders[0]),
        sizes=sizes,
        scores=tuple(tuple(scores[size]) for size in sizes),
    )
