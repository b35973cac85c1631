"""What a contender scores: one number with one interval, the same in every table, plot and page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from beatingbert.errors import TooFewExamplesError
from beatingbert.runs.record import RunRecord
from beatingbert.statistics.intervals import Interval, mean_over_seeds

LEVEL = 0.95
FLOORS = {"mcc": -1.0}
CEILINGS = {"brier": 2.0}
"""Where a metric does not lie between 0 and 1."""


def accuracy_of(runs: Sequence[RunRecord], split: str) -> Interval:
    """The mean accuracy with its interval; every scored run has one."""
    found = estimate(runs, split, "accuracy")
    assert found is not None  # a frame takes no run without
    return found


def estimate(runs: Sequence[RunRecord], split: str, name: str) -> Interval | None:
    """The mean of a metric over the seeds of a contender, with its interval; None where the task has no such metric.

    One seed has its record's own interval, which answers for other rows. Several have one that answers for other rows
    and other seeds: the wider the fewer seeds there are and the more they differ, and of two that differ very wide.

    Args:
        runs: one per seed.
        split: which.
        name: of the metric, as the records have it.
    Source: `mean_over_seeds`; metrics other than accuracy by the same rule, with the mean of the seeds' own bounds in
    place of the score interval.
    """
    measured = [run.scores[split]["metrics"][name] for run in runs if name in run.scores[split]["metrics"]]
    if not measured:
        return None
    mean, low, high = (fmean(one[part] for one in measured) for part in ("value", "low", "high"))
    values = [float(one["value"]) for one in measured]
    if len(measured) == 1:
        return Interval(mean, low, high, LEVEL)
    if name == "accuracy":
        return mean_over_seeds(values, level=LEVEL, rows=int(runs[0].scores[split]["rows"]))
    try:
        seeds = mean_over_seeds(values, level=LEVEL)
    except TooFewExamplesError:  # all seeds alike: the doubt of the rows stays
        return Interval(mean, low, high, LEVEL)
    below, above = math.hypot(seeds.value - seeds.low, mean - low), math.hypot(seeds.high - seeds.value, high - mean)
    bounds = max(FLOORS.get(name, 0.0), mean - below), min(CEILINGS.get(name, 1.0), mean + above)
    return Interval(mean, min(mean, bounds[0]), max(mean, bounds[1]), LEVEL)
