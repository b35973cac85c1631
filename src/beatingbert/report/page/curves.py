"""The page's learning curves."""

from __future__ import annotations

from collections.abc import Sequence

from beatingbert.report.contenders import Contender
from beatingbert.report.estimates import accuracy_of
from beatingbert.report.frame import Group
from beatingbert.report.page.data import Curve, CurvePoint, Estimate
from beatingbert.report.ways import find_ways, untrained
from beatingbert.runs.record import RunRecord

MOST_LEVELS = 5
"""Of those whose answers do not depend on train rows, the most accurate."""


def gather_curves(group: Group, title: str) -> list[Curve]:
    """One curve per way of training, and a level for each of the best who do not learn; none without two sizes."""
    ways = find_ways(group)
    if all(len(way.runs) < 2 for way in ways):
        return []
    curves = [
        Curve(
            task=title,
            kind=way.kind,
            name=way.name,
            points=tuple(_point(rows, runs, group.split) for rows, runs in way.runs.items()),
        )
        for way in ways
    ]
    levels = [_level(one, title, group.split) for one in untrained(group)]
    levels.sort(key=lambda one: (-one.points[0].accuracy.value, one.name))
    return [*curves, *levels[:MOST_LEVELS]]


def _level(one: Contender, title: str, split: str) -> Curve:
    name = one.model if one.is_constant else one.name
    return Curve(task=title, kind=one.kind, name=name, points=(_point(0, one.records, split),))


def _point(rows: int, runs: Sequence[RunRecord], split: str) -> CurvePoint:
    return CurvePoint(train_rows=rows, accuracy=Estimate.of(accuracy_of(runs, split)), seeds=len(runs))
