"""The two tables of a report in Markdown: how good, and at what cost. One row per contender, seeds joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean, median, stdev
from typing import Any

from beatingbert.report.contenders import Contender
from beatingbert.report.estimates import accuracy_of
from beatingbert.report.fields import Field, short_split
from beatingbert.report.machines import Letters, by_machine
from beatingbert.report.prices import Prices
from beatingbert.report.text import (
    duration,
    escape_markdown,
    figure,
    many,
    markdown_table,
    money,
    percent,
    storage,
    whole,
)
from beatingbert.report.unknown import known_median, peak_mib
from beatingbert.runs.record import RunRecord

Marks = Mapping[tuple[str, str], str]
"""(fingerprint of the group, contender's id) to the mark of its verdict."""


def performance_table(fields: Sequence[Field], marks: Marks, legend: str) -> str:
    """How good every contender is, a table per task and set of rows, the most accurate first.

    Args:
        fields: who stands in which table.
        marks: how each did against the best of the other side.
        legend: what the marks mean.
    """
    parts = ["# Performance\n"]
    for field in fields:
        splits = [group.split for group in field.groups]
        several = len(splits) > 1
        names = [f"{escape_markdown(short_split(split))} " if several else "" for split in splits]
        columns = ["model", "how", "seeds", *(f"{name}accuracy [95 %]" for name in names)]
        columns += ["verdict", "macro-F1", "MCC", "ECE", "unparsed", "cut"]
        ranked = sorted(field.contenders, key=lambda one: (-_mean(one, splits[0], "accuracy"), one.name))
        rows = []
        for one in ranked:
            cells = [one.model, one.how, str(len(one.records)), *(accuracy(one, split) for split in splits)]
            cells.append(" / ".join(marks.get((group.fingerprint, one.id), "-") for group in field.groups))
            cells += [" / ".join(_metric(one, split, name) for split in splits) for name in ("macro_f1", "mcc", "ece")]
            cells += [" / ".join(_count(one, split, name) for split in splits) for name in ("unparsed", "truncated")]
            rows.append(cells)
        parts += [f"## {escape_markdown(field.heading)}\n", markdown_table(columns, rows, left=2)]
        parts.append(f"{escape_markdown(field.provenance)}{_partial(field)}\n")
    return "\n".join([*parts, _PERFORMANCE_NOTES, legend])


_PERFORMANCE_NOTES = """\
Accuracy and macro-F1 in percent, the mean over seeds. In brackets the 95 % interval: of one seed it answers for other
rows, of several for other rows and other seeds, so that two seeds that differ leave it wide; behind it ± one standard
deviation between seeds. ECE is the expected calibration error: smaller is better. "unparsed" replies named no label and
count as wrong; "cut" inputs lost tokens. Both are counted over all seeds.
"""


def efficiency_table(fields: Sequence[Field], prices: Prices) -> str:
    """What every contender costs, a table per task and set of rows; runs on different machines are never joined."""
    columns = ["model", "how", "machine", "precision", "runs", "p50 / p95 ms", "per s", "peak MiB", "parameters"]
    columns += ["disk", "training", f"{escape_markdown(prices.currency)} per million answers"]
    letters = Letters()
    unpriced: dict[str, None] = {}
    parts = ["# Efficiency\n"]
    for field in fields:
        rows: list[tuple[tuple[str, float], list[str]]] = []
        for one in field.contenders:
            for (machine, precision), records in by_machine([*one.records, *one.repeats]).items():
                letter = letters.of(machine)
                costs = [prices.cost(record) for record in records]
                unpriced |= dict.fromkeys(cost.basis for cost in costs if cost.per_million is None)
                known = [cost.per_million for cost in costs if cost.per_million is not None]
                cells = [one.model, one.how, letter, precision, str(len(records)), *_speeds(records)]
                order = (letter, median(record.efficiency["latency"]["p50_ms"] for record in records))
                rows.append((order, [*cells, money(median(known)) if known else "-"]))
        ranked = [cells for _, cells in sorted(rows)]
        parts += [f"## {escape_markdown(field.heading)}\n", markdown_table(columns, ranked, left=4)]
        parts.append(f"{escape_markdown(field.provenance)}\n")
    told = [f"- {letter}: {escape_markdown(machine)}" for machine, letter in letters.given.items()]
    missing = [f"- no price: {escape_markdown(reason)}" for reason in unpriced]
    source = f"Prices: {escape_markdown(prices.source)}."
    return "\n".join([*parts, "Machines:\n", *told, "", source, _EFFICIENCY_NOTES, *missing, ""])


_EFFICIENCY_NOTES = """
Latency is one question at a time after warm-up, "per s" is throughput at the best batch size, memory is the peak while
answering: the device's where there is one, else the whole process's; of a model behind a server nobody knows it. Of
several runs each figure is the median. The price of a million answers is that of the whole machine for the time they
take; training comes on top, once.
"""


def accuracy(one: Contender, split: str) -> str:
    """The mean over seeds with its interval, e.g. '85.4 [82.9, 87.6] ± 0.8'."""
    told = percent(asdict(accuracy_of(one.records, split)), bounds=True)
    return told if len(one.records) == 1 else f"{told} ± {100 * stdev(_values(one, split, 'accuracy')):.1f}"


def _values(one: Contender, split: str, name: str) -> list[float]:
    """The metric of each seed that has it."""
    metrics = [record.scores[split]["metrics"] for record in one.records]
    return [float(found[name]["value"]) for found in metrics if name in found]


def _mean(one: Contender, split: str, name: str) -> float:
    return fmean(_values(one, split, name))


def _metric(one: Contender, split: str, name: str) -> str:
    values = _values(one, split, name)
    if not values:
        return "-"
    return f"{100 * fmean(values):.1f}" if name == "macro_f1" else figure(fmean(values), 3)


def _count(one: Contender, split: str, name: str) -> str:
    counts = [record.scores[split][name] for record in one.records]
    return f"{sum(one['rows'] if name == 'truncated' else one for one in counts):,}"


def _partial(field: Field) -> str:
    """A note where only a part of a split was found."""
    used = field.contenders[0].records[0].data.get("splits", {})
    parts = [group.split for group in field.groups if _is_partial(used.get(group.split))]
    return f"; only a part of {escape_markdown(', '.join(parts))} was found" if parts else ""


def _is_partial(used: Any) -> bool:
    return isinstance(used, Mapping) and bool(used.get("partial"))


def _speeds(records: Sequence[RunRecord]) -> list[str]:
    found = [record.efficiency for record in records]
    p50, p95 = (median(one["latency"][name] for one in found) for name in ("p50_ms", "p95_ms"))
    return [
        f"{p50:.1f} / {p95:.1f}",
        f"{median(one['throughput']['questions_per_second'] for one in found):,.0f}",
        whole(known_median(map(peak_mib, found))),
        many(known_median(one["parameters"] for one in found)),
        storage(known_median(one["disk_bytes"] for one in found)),
        duration(median(one["train_seconds"] for one in found)),
    ]
