"""Everything that a decision rests on, as numbers; what is said of them in words is made by `words`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beatingbert.decision.choice import Choice, Finalist
from beatingbert.decision.climb import Left
from beatingbert.decision.curve import Crossing, Curve, Outlook
from beatingbert.decision.limits import Limits
from beatingbert.decision.second_look import SecondLook
from beatingbert.decision.trials import Metric
from beatingbert.statistics.intervals import Interval

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds of wall-clock time.

    Attributes:
        budget: that were given.
        spent: of them, all in all.
        downloading: besides; downloads do not count.
    """

    budget: float
    spent: float
    downloading: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Grounds:
    """What was decided, and on what grounds.

    Attributes:
        title: of the data.
        labels: of the task.
        metric: what decides.
        margin: up to which a difference does not matter, as a fraction.
        limits: of the user's.
        rows: part ("train", "development", or the name of a reported split) to its number of rows.
        test: name of the split that is reported.
        finalists: who answered it, best first on the development part.
        choice: who is recommended.
        front: finalists that nobody beats in quality, latency, memory and cost at once.
        left: who was not tried to the end, and why.
        curves: scores by train rows, on the development part.
        crossing: where the trained overtake the prompted; None where nobody was prompted.
        outlook: what more rows would probably bring.
        second_look: suspect labels; None where there was no time.
        timing: what it took.
        currency, prices: of the costs, and where they come from.
        partial: whether it was interrupted.
        folder: where everything lies.
        classifier: where the recommended one lies, ready for work; None where it is not kept.
        findings: what was noticed about the data.
    """

    title: str
    labels: tuple[str, ...]
    metric: Metric
    margin: float
    limits: Limits
    rows: dict[str, int]
    test: str
    finalists: tuple[Finalist, ...]
    choice: Choice
    front: tuple[Finalist, ...]
    left: tuple[Left, ...]
    curves: tuple[Curve, ...]
    crossing: Crossing | None
    outlook: tuple[Outlook, ...]
    second_look: SecondLook | None
    timing: Timing
    currency: str
    prices: str
    partial: bool
    folder: Path
    classifier: Path | None = None
    findings: Sequence[str] = ()

    @property
    def recommended(self) -> str | None:
        """Name of the recommended candidate."""
        return None if self.choice.recommended is None else self.choice.recommended.candidate.name

    @property
    def runner_up(self) -> str | None:
        """Name of the runner-up."""
        return None if self.choice.runner_up is None else self.choice.runner_up.candidate.name

    def to_json(self) -> dict[str, Any]:
        """All numbers as plain JSON."""
        choice = self.choice
        return {
            "format": FORMAT,
            "title": self.title,
            "labels": list(self.labels),
            "metric": self.metric,
            "margin": self.margin,
            "limits": self.limits.given(),
            "rows": self.rows,
            "partial": self.partial,
            "recommended": self.recommended,
            "best_on_development": None if choice.best is None else choice.best.candidate.name,
            "runner_up": self.runner_up,
            "gap": None if choice.gap is None else _bounds(choice.gap),
            "finalists": [self._finalist(one) for one in self.finalists],
            "left": [{"candidate": one.candidate.name, "reason": one.reason} for one in self.left],
            "curves": [
                {
                    "candidate": one.candidate.name,
                    "points": [{"rows": point.rows, **_bounds(point.score)} for point in one.points],
                }
                for one in self.curves
            ],
            "crossing": None if self.crossing is None else _crossing(self.crossing),
            "extrapolated": [
                {"candidate": one.candidate, "rows": one.rows, "now": one.now, **_bounds(one.score)}
                for one in self.outlook
            ],
            "second_look": None if self.second_look is None else _second_look(self.second_look),
            "seconds": {
                "budget": self.timing.budget,
                "spent": self.timing.spent,
                "downloading": self.timing.downloading,
            },
            "prices": {"currency": self.currency, "source": self.prices},
            "classifier": None if self.classifier is None else self.classifier.name,
        }

    def _finalist(self, one: Finalist) -> dict[str, Any]:
        return {
            "candidate": one.candidate.name,
            "run": one.record.run_name,
            "development": one.development,
            "test": _bounds(one.test(self.metric)),
            "latency_ms": one.record.efficiency["latency"]["p50_ms"],
            "latency_p95_ms": one.record.efficiency["latency"]["p95_ms"],
            "memory_gb": one.memory_gb,
            "disk_mb": None
            if one.record.efficiency["disk_bytes"] is None
            else one.record.efficiency["disk_bytes"] / 1e6,
            "cost_per_million": one.cost_per_million,
            "on_pareto_front": any(one is other for other in self.front),
            "breaks": list(one.broken),
        }


def _bounds(interval: Interval) -> dict[str, float]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def _crossing(one: Crossing) -> dict[str, Any]:
    return {
        "prompted": one.prompted,
        "trained": one.trained,
        "kind": one.kind,
        "rows": one.rows,
        "low": one.low,
        "high": None if math.isinf(one.high) else one.high,  # JSON has no infinity
        "fewest_tried": one.fewest,
        "most_tried": one.most,
    }


def _second_look(look: SecondLook) -> dict[str, Any]:
    return {
        "by": look.by,
        "rows": look.rows,
        "left_out": look.left_out,
        "found": look.found,
        "suspects": [
            {"id": one.id, "label": one.label, "suggested": one.suggested, "probability": one.probability}
            for one in look.suspects
        ],
    }
