"""Who is recommended: chosen on the development part, reported on test, under the user's limits.

Of those within the margin of the best the one that costs least wins: a difference that does not matter is no reason to
pay for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from beatingbert.decision.candidates import Candidate
from beatingbert.decision.limits import Limits, memory_gb
from beatingbert.decision.trials import MEASURES, Metric
from beatingbert.report.prices import Prices
from beatingbert.runs.record import RunRecord
from beatingbert.scoring.metrics import encode_labels
from beatingbert.statistics.intervals import Interval
from beatingbert.statistics.paired import metric_gap
from beatingbert.tasks.example import Example
from beatingbert.tasks.prediction import Prediction

LEVEL = 0.95
DRAWS = 2000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finalist:
    """A candidate that has answered the test rows.

    Attributes:
        candidate: who.
        record: of its run.
        predictions: of the first reported split.
        development: the metric on the development part, where it was chosen.
        broken: limits that it breaks, in words.
        cost_per_million: of answers, in the prices' currency; None where no price applies.
    """

    candidate: Candidate
    record: RunRecord
    predictions: Sequence[Prediction]
    development: float
    broken: tuple[str, ...] = ()
    cost_per_million: float | None = None

    def test(self, metric: Metric) -> Interval:
        """The metric on the test rows, as the run's record has it."""
        found = self.record.metrics[metric]
        return Interval(found["value"], found["low"], found["high"], LEVEL)

    @property
    def latency_ms(self) -> float:
        """Of one question, the median."""
        return float(self.record.efficiency["latency"]["p50_ms"])

    @property
    def memory_gb(self) -> float | None:
        """Peak while answering."""
        return memory_gb(self.record.efficiency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The recommendation.

    Attributes:
        recommended: who; None where nobody is within the limits.
        best: who is best on the development part within the limits; the same, unless a cheaper one is within the
            margin.
        runner_up: the best of the others within the limits.
        gap: metric of the recommended minus that of the runner-up on the test rows.
    """

    recommended: Finalist | None
    best: Finalist | None
    runner_up: Finalist | None
    gap: Interval | None


def as_finalist(
    candidate: Candidate,
    record: RunRecord,
    predictions: Sequence[Prediction],
    *,
    development: float,
    limits: Limits,
    prices: Prices,
) -> Finalist:
    """A candidate with its run, held against limits and prices."""
    return Finalist(
        candidate=candidate,
        record=record,
        predictions=predictions,
        development=development,
        broken=tuple(limits.broken_by(record)),
        cost_per_million=prices.cost(record).per_million,
    )


def choose(
    finalists: Sequence[Finalist],
    *,
    examples: Sequence[Example],
    labels: Sequence[str],
    metric: Metric,
    margin: float,
    seed: int,
) -> Choice:
    """Recommend one.

    Args:
        finalists: who has answered the test rows.
        examples: these rows.
        labels: of the task.
        metric: what decides.
        margin: up to which a difference does not matter, as a fraction.
        seed: of the interval's draws.
    """
    allowed = [one for one in finalists if not one.broken and not one.candidate.is_constant]
    ranked = sorted(allowed, key=lambda one: (-one.development, _price(one)))
    if not ranked:
        return Choice(recommended=None, best=None, runner_up=None, gap=None)
    best = ranked[0]
    near = [one for one in ranked if best.development - one.development <= margin + 1e-12]
    recommended = min(near, key=_price)
    others = [one for one in ranked if one is not recommended]
    runner_up = others[0] if others else None
    gap = None
    if runner_up is not None:
        gap = paired_gap(recommended, runner_up, examples=examples, labels=labels, metric=metric, seed=seed)
    return Choice(recommended=recommended, best=best, runner_up=runner_up, gap=gap)


def paired_gap(
    first: Finalist,
    second: Finalist,
    *,
    examples: Sequence[Example],
    labels: Sequence[str],
    metric: Metric,
    seed: int,
) -> Interval:
    """The metric of the first minus that of the second on the same rows, with a bootstrap interval."""
    gold = [example.label for example in examples]
    codes = [encode_labels(labels, gold, _in_order(one, examples)) for one in (first, second)]
    return metric_gap(
        codes[0][0],
        codes[0][1],
        codes[1][1],
        MEASURES[metric],
        classes=len(labels),
        level=LEVEL,
        draws=DRAWS,
        seed=seed,
    )


def pareto_front(finalists: Sequence[Finalist], metric: Metric) -> list[Finalist]:
    """Those that nobody beats in quality, latency, memory and cost at once; the floor does not count.

    One beats another if it is nowhere worse and somewhere better.
    """
    usable = [one for one in finalists if not one.candidate.is_constant]
    marks = {id(one): _marks(one, metric) for one in usable}

    def beaten(one: Finalist) -> bool:
        own = marks[id(one)]
        return any(
            all(a <= b for a, b in zip(marks[id(other)], own, strict=True)) and marks[id(other)] != own
            for other in usable
        )

    return [one for one in usable if not beaten(one)]


def _marks(one: Finalist, metric: Metric) -> tuple[float, ...]:
    """The smaller the better, each of them; what nobody knows is the worst there is."""
    unknown = float("inf")
    memory = one.memory_gb
    return (
        -one.test(metric).value,
        one.latency_ms,
        unknown if memory is None else memory,
        unknown if one.cost_per_million is None else one.cost_per_million,
    )


def _price(one: Finalist) -> tuple[float, float]:
    """What is compared between those that are as good: cost where there is one, then latency."""
    return (float("inf") if one.cost_per_million is None else one.cost_per_million, one.latency_ms)


def _in_order(one: Finalist, examples: Sequence[Example]) -> list[str | None]:
    answered = {prediction.question_id: prediction.label for prediction in one.predictions}
    return [answered[example.question.id] for example in examples]
