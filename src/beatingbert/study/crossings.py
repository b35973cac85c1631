"""How many labelled rows it takes to overtake the best prompted LLM, by every way of training at several sizes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from beatingbert.report.contenders import Contender, Kind
from beatingbert.report.estimates import accuracy_of
from beatingbert.report.frame import Group
from beatingbert.report.ways import TRAINED
from beatingbert.statistics.crossing import redraw_scores, rows_from_which
from beatingbert.statistics.intervals import Interval
from beatingbert.study.material import Lineup, train_rows, way_of

LEVEL, DRAWS, SEED = 0.95, 2000, 99


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningCurve:
    """One way of training at several sizes.

    Attributes:
        group: the rows.
        name: model and engine.
        points: train rows to who was trained on so many, ascending.
        prompted: the most accurate prompted LLM; None where there is none.
        rows: from which it stays ahead of that; 0 from the fewest that were tried, infinity for never, None where
            there is nobody to overtake.
        low, high: the band around it, from redrawn rows and seeds.
    """

    group: Group
    name: str
    points: dict[int, Contender]
    prompted: Contender | None
    rows: float | None
    low: float
    high: float

    def accuracy(self, rows: int) -> Interval:
        """At one size."""
        return accuracy_of(self.points[rows].records, self.group.split)


def find_curves(lineup: Lineup) -> list[LearningCurve]:
    """One per way that was trained at two sizes or more."""
    sizes: dict[tuple[str, str, int], dict[int, Contender]] = defaultdict(dict)
    for one in (*lineup.smaller, *lineup.main):
        if one.engine in TRAINED and train_rows(one):
            sizes[way_of(one)][train_rows(one)] = one
    prompted = [one for one in lineup.main if one.kind is Kind.PROMPTED]
    best = max(prompted, key=lambda one: float(lineup.group.right(one).mean()), default=None)
    return [_curve(lineup.group, dict(sorted(of_one.items())), best) for of_one in sizes.values() if len(of_one) > 1]


def _curve(group: Group, points: dict[int, Contender], prompted: Contender | None) -> LearningCurve:
    import numpy as np

    first = next(iter(points.values()))
    name = first.model if first.kind is Kind.BASELINE else f"{first.model} ({_trained(first)})"
    if prompted is None:
        return LearningCurve(group=group, name=name, points=points, prompted=None, rows=None, low=0.0, high=0.0)
    runs = [group.right(one) for one in (prompted, *points.values())]
    sizes = np.array(list(points), dtype=np.float64)
    measured = np.array([[one.mean() for one in runs]])
    drawn = redraw_scores(runs, draws=DRAWS, seed=SEED)
    rows = float(rows_from_which(sizes, measured[:, 1:] - measured[:, :1])[0])
    found = np.sort(rows_from_which(sizes, drawn[:, 1:] - drawn[:, :1]))
    # Whole places: between two of them there may be infinity.
    low, high = (float(found[round(share * (DRAWS - 1))]) for share in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return LearningCurve(
        group=group, name=name, points=points, prompted=prompted, rows=rows, low=min(low, rows), high=max(high, rows)
    )


def _trained(one: Contender) -> str:
    return "fine-tuned" if one.engine == "encoder" else one.how.partition(" on ")[0]
