"""What a decision says, once, for every place where it is shown. Texts are plain: whoever shows them escapes them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from beatingbert.decision.choice import Finalist
from beatingbert.decision.curve import Crossing
from beatingbert.decision.grounds import Grounds
from beatingbert.decision.trials import FITTED_AGAIN, METRIC_NAMES, Metric
from beatingbert.report.text import duration, figure, in_points, money, shorten, storage
from beatingbert.statistics.intervals import Interval

SHOWN_SUSPECTS = 15
TEXT = 90  # characters of a suspect row that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading with what stands below it.

    Attributes:
        title: the heading.
        lines: paragraphs.
        columns: headings of the table, empty for none.
        rows: of the table.
        left: how many of its columns hold texts of any origin; the others hold our own figures.
        pictured: whether the learning curve stands below.
    """

    title: str
    lines: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = field(default=())
    left: int = 1
    pictured: bool = False


def sections(decision: Grounds) -> tuple[Section, ...]:
    """Everything, in the order in which one wants to know it."""
    found = (
        Section(title=f"Decision for {decision.title}", lines=tuple(recommendation(decision))),
        _finalists(decision),
        Section(title="What more labels would bring", lines=tuple(labels_needed(decision)), pictured=True),
        _left(decision),
        _suspects(decision),
        Section(title="On what grounds", lines=tuple(_grounds(decision))),
    )
    return tuple(one for one in found if one.lines or one.rows)


def recommendation(decision: Grounds) -> list[str]:
    """Who is recommended, why not the best if another is, and how far the runner-up is."""
    choice, metric = decision.choice, decision.metric
    told = ["This was stopped before the end: it rests on what was finished by then."] if decision.partial else []
    one = choice.recommended
    if one is None:
        return [*told, *_nobody(decision)]
    rows = decision.rows[decision.test]
    told.append(
        f"Recommended: {one.candidate.name}. {METRIC_NAMES[metric]} {shown_interval(metric, one.test(metric))} on "
        f"{rows:,} test rows, {_cost_words(one, decision)}."
    )
    best = choice.best
    if best is not None and best is not one:
        told.append(
            f"{best.candidate.name} was ahead on the development part ({shown(metric, best.development)} against "
            f"{shown(metric, one.development)}), within the margin of {_margin(metric, decision.margin)} that does not "
            f"matter, and costs more: {_cost_words(best, decision)}."
        )
    if choice.runner_up is not None and choice.gap is not None:
        told.append(_runner_up(one, choice.runner_up, choice.gap, metric))
    else:
        told.append("There is no runner-up: nobody else got to the end within the limits.")
    return told


def labels_needed(decision: Grounds) -> list[str]:
    """The crossing, and the extrapolation."""
    told = []
    if decision.crossing is not None:
        told.append(crossing_sentence(decision.crossing, have=decision.rows["train"]))
    elif decision.finalists:
        told.append("No LLM was prompted, so nothing is known of where one would be ahead.")
    metric = decision.metric
    told += [
        f"Extrapolated, not measured: with {one.rows:,} train rows {one.candidate} would reach about "
        f"{shown(metric, one.score.value)} on the development part (band {shown(metric, one.score.low)} to "
        f"{shown(metric, one.score.high)}, if its curve goes on as a power law); now it has {shown(metric, one.now)}."
        for one in decision.outlook
    ]
    if not decision.outlook and decision.curves:
        told.append("The curve has too few sizes, or does not rise, so what more labels would bring is not guessed.")
    return told


def crossing_sentence(crossing: Crossing, *, have: int) -> str:
    """Below which number of labelled rows the LLM is ahead."""
    if crossing.kind == "crosses" and crossing.rows is not None:
        low = f"fewer than {crossing.fewest:,}" if crossing.low == 0 else about(crossing.low)
        high = f"more than {crossing.most:,}" if math.isinf(crossing.high) else about(crossing.high)
        return (
            f"Below about {about(crossing.rows)} labelled rows {crossing.prompted} is ahead, above them "
            f"{crossing.trained} (95 % band: {low} to {high}); you have {have:,} to train on."
        )
    if crossing.kind == "trained ahead":
        doubt = "" if crossing.high == 0 else ", though not surely"
        return (
            f"No crossing within your data: {crossing.trained} is ahead of {crossing.prompted} with "
            f"{crossing.fewest:,} labelled rows already, the fewest that were tried{doubt}; you have {have:,}."
        )
    doubt = "" if math.isinf(crossing.low) else ", though not surely"
    return (
        f"No crossing within your data: {crossing.prompted} is ahead of {crossing.trained} up to {crossing.most:,} "
        f"labelled rows, the most that were tried{doubt}; you have {have:,}."
    )


def shown(metric: Metric, value: float) -> str:
    """A score as tables show it: a correlation as it is, the others in percent."""
    return f"{value:.3f}" if metric == "mcc" else f"{100 * value:.1f}"


def shown_interval(metric: Metric, interval: Interval) -> str:
    """A score with its interval."""
    return f"{shown(metric, interval.value)} [{shown(metric, interval.low)}, {shown(metric, interval.high)}]"


def about(rows: float) -> str:
    """A number of rows in two figures."""
    if rows < 10:
        return f"{rows:.0f}"
    unit = 10 ** (math.floor(math.log10(rows)) - 1)
    return f"{round(rows / unit) * unit:,}"


def _runner_up(one: Finalist, other: Finalist, gap: Interval, metric: Metric) -> str:
    bounds = f"{_gap(metric, gap.value)} (95 % interval {_gap(metric, gap.low)} to {_gap(metric, gap.high)})"
    if gap.low > 0:
        return f"Runner-up: {other.candidate.name}. On the same test rows {one.candidate.name} is ahead by {bounds}."
    if gap.high < 0:
        return (
            f"Runner-up: {other.candidate.name}. On the same test rows it is ahead, the recommended one has {bounds}; "
            "the choice was made on the development part, as it must be."
        )
    return (
        f"Runner-up: {other.candidate.name}. On the same test rows no difference can be claimed: {bounds} for "
        f"{one.candidate.name}."
    )


def _nobody(decision: Grounds) -> list[str]:
    able = [one for one in decision.finalists if not one.candidate.is_constant]
    if not able:
        return ["No recommendation: no candidate got to the end within the budget and the limits."]
    told = [f"{one.candidate.name} {'; '.join(one.broken)}" for one in able]
    return ["No recommendation: no candidate is within the limits.", *(f"{line}." for line in told)]


def _finalists(decision: Grounds) -> Section:
    metric = decision.metric
    rows = []
    for one in decision.finalists:
        efficiency = one.record.efficiency
        marks = [
            *(["recommended"] if one is decision.choice.recommended else []),
            *(["runner-up"] if one is decision.choice.runner_up else []),
            *(["on the front"] if any(one is other for other in decision.front) else []),
            *_trained_on_less(one, decision.rows["train"]),
            *one.broken,
        ]
        rows.append(
            (
                one.candidate.name,
                "; ".join(marks) or "-",
                shown_interval(metric, one.test(metric)),
                shown(metric, one.development),
                f"{efficiency['latency']['p50_ms']:.1f} / {efficiency['latency']['p95_ms']:.1f}",
                figure(one.memory_gb, 2),
                storage(efficiency["disk_bytes"]),
                money(one.cost_per_million),
                duration(efficiency["train_seconds"]),
            )
        )
    columns = ("candidate", "", f"{METRIC_NAMES[metric]}, test [95 %]", "development", "p50 / p95 ms", "GB", "on disk")
    return Section(
        title="Who got to the end",
        lines=(
            "On the front: nobody is as good or better in quality, latency, memory and cost at once. Costs are those "
            f"of a million answers in {decision.currency} ({decision.prices}).",
        )
        if rows
        else (),
        columns=(*columns, "cost", "training"),
        rows=tuple(rows),
        left=2,
    )


def _trained_on_less(one: Finalist, rows: int) -> list[str]:
    """A remark where there was no time for all rows."""
    used = (one.record.data.get("train_rows") or 0) - one.record.notes.get(FITTED_AGAIN, 0)
    return [f"trained on {used:,} of {rows:,} rows"] if one.candidate.learns and used and used < rows else []


def _left(decision: Grounds) -> Section:
    return Section(
        title="Not tried to the end",
        columns=("candidate", "why"),
        rows=tuple((one.candidate.name, one.reason) for one in decision.left),
        left=2,
    )


def _suspects(decision: Grounds) -> Section:
    title, look = "Rows worth a second look", decision.second_look
    if look is None:
        return Section(title=title, lines=("There was no time left to look for wrong labels.",))
    left_out = f" {look.left_out:,} rows of classes with too few rows were left out." if look.left_out else ""
    lines = (
        f"Among {look.rows:,} train and development rows {look.found:,} have a label that {look.by}, fitted on the "
        f"others, would not give with some certainty (confident learning).{left_out}",
    )
    rows = tuple(
        (one.id, one.label, one.suggested, shorten(one.text, TEXT), f"{100 * one.probability:.1f}")
        for one in look.suspects[:SHOWN_SUSPECTS]
    )
    columns = ("row", "label", "perhaps", "text", "label's probability, %")
    return Section(title=title, lines=lines, columns=columns, rows=rows, left=4)


def _grounds(decision: Grounds) -> list[str]:
    rows, timing = decision.rows, decision.timing
    limits = ", ".join(f"{name} {value:g}" for name, value in decision.limits.given().items()) or "none"
    downloads = f", downloads of {duration(timing.downloading)} not counted" if timing.downloading >= 1 else ""
    return [
        f"{len(decision.labels):,} classes; {rows['train']:,} rows to learn from, {rows['development']:,} to choose "
        f"on, {rows[decision.test]:,} test rows that nobody saw before the end. "
        f"{METRIC_NAMES[decision.metric]} decides; "
        f"differences up to {_margin(decision.metric, decision.margin)} do not matter. Limits: {limits}.",
        *_fitted_again(decision),
        f"Budget {duration(timing.budget)}, spent {duration(timing.spent)}{downloads}.",
        *decision.findings,
    ]


def _fitted_again(decision: Grounds) -> list[str]:
    names = [one.candidate.name for one in decision.finalists if one.record.notes.get(FITTED_AGAIN)]
    if not names:
        return []
    return [
        f"{', '.join(names)}: fitted once more with the development rows besides, what was chosen kept, before "
        "answering the test rows. Scores on the development part are of before."
    ]


def _cost_words(one: Finalist, decision: Grounds) -> str:
    efficiency = one.record.efficiency
    memory = [f"{one.memory_gb:.2f} GB of memory"] if one.memory_gb is not None else []
    disk = [f"{storage(efficiency['disk_bytes'])} on disk"] if efficiency["disk_bytes"] else []
    cost = one.cost_per_million
    price = [f"{money(cost)} {decision.currency} for a million answers"] if cost is not None else []
    return ", ".join([f"{one.latency_ms:.1f} ms a question", *memory, *disk, *price])


def _gap(metric: Metric, value: float) -> str:
    return f"{value:+.3f}" if metric == "mcc" else f"{100 * value:+.1f} points"


def _margin(metric: Metric, margin: float) -> str:
    return f"{margin:g}" if metric == "mcc" else in_points(margin)
