"""Contenders that differ in nothing but their train rows, as the page's learning curves."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import asdict
from statistics import fmean

from beatingbert.report.contenders import Contender
from beatingbert.report.frame import Group
from beatingbert.report.page.data import Curve, CurvePoint, Estimate, Kind
from beatingbert.report.page.sheets import kind_of

MOST_LEVELS = 5
"""Of those whose answers do not depend on train rows, the most accurate."""

ROWS = re.compile(r" on [\d,]+")


def gather_curves(group: Group, title: str) -> list[Curve]:
    """One curve per way of training, and a level for each of the best who do not learn; none without two sizes."""
    ways: dict[str, list[Contender]] = defaultdict(list)
    levels = []
    for one in group.contenders:
        kind = kind_of(one.engine)
        if kind is Kind.PROMPTED or one.engine == "majority":
            name = one.model if one.engine == "majority" else one.name
            levels.append(Curve(task=title, kind=kind, name=name, points=(_point(0, [one], group.split),)))
        elif one.records[0].data.get("train_rows"):
            cell = asdict(one.records[0].cell)
            del cell["seed"], cell["train_size"]
            ways[json.dumps(cell, sort_keys=True)].append(one)
    curves = [_curve(group, title, contenders) for contenders in ways.values()]
    if all(len(curve.points) < 2 for curve in curves):
        return []
    levels.sort(key=lambda one: (-one.points[0].accuracy.value, one.name))
    return [*curves, *levels[:MOST_LEVELS]]


def _curve(group: Group, title: str, contenders: list[Contender]) -> Curve:
    sizes: dict[int, list[Contender]] = defaultdict(list)
    for one in contenders:
        sizes[int(one.records[0].data["train_rows"])].append(one)
    first = contenders[0]
    return Curve(
        task=title,
        kind=kind_of(first.engine),
        name=f"{first.model} ({ROWS.sub('', first.how, count=1)})",
        points=tuple(_point(rows, sizes[rows], group.split) for rows in sorted(sizes)),
    )


def _point(rows: int, contenders: list[Contender], split: str) -> CurvePoint:
    found = [record.scores[split]["metrics"]["accuracy"] for one in contenders for record in one.records]
    accuracy = Estimate(*(fmean(one[part] for one in found) for part in ("value", "low", "high")))
    return CurvePoint(train_rows=rows, accuracy=accuracy, seeds=len(found))
