"""All runs as one table in the terminal: how good, how fast, how large."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from beatingbert.report.contenders import describe
from beatingbert.report.frame import Frame, titles_of
from beatingbert.report.text import duration, figure, percent, whole
from beatingbert.report.unknown import peak_mib
from beatingbert.runs.record import RunRecord

NAMES = ("task", "model", "how")
QUALITY = ("accuracy [95 %]", "macro-F1", "MCC", "ECE")  # of the last the smaller is the better
COST = ("p50 / p95 ms", "per s", "MiB", "training")
COUNTS = ("rows", "unparsed", "cut")
COLUMNS = (*NAMES, *QUALITY, *COST, *COUNTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One run on one evaluation split, as plain values.

    Attributes:
        name: task, with the split where a task has several.
        how: in words, e.g. "fine-tuned on 3,600" or "5-shot".
        metrics: name to {"value", "low", "high"}.
        record: the run.
        score: the split's scorecard as plain JSON.
    """

    name: str
    how: str
    metrics: dict[str, dict[str, float]]
    record: RunRecord
    score: dict[str, Any]

    def cells(self) -> dict[str, str]:
        """Column to what stands there, in the order of `COLUMNS`."""
        efficiency = self.record.efficiency
        latency = efficiency["latency"]
        values = (
            self.name,
            self.record.model,
            self.how,
            percent(self.metrics.get("accuracy"), bounds=True),
            percent(self.metrics.get("macro_f1")),
            figure(self.metrics.get("mcc", {}).get("value"), 3),
            figure(self.metrics.get("ece", {}).get("value"), 3),
            f"{latency['p50_ms']:.1f} / {latency['p95_ms']:.1f}",
            f"{efficiency['throughput']['questions_per_second']:,.0f}",
            whole(peak_mib(efficiency)),
            duration(efficiency["train_seconds"]),
            f"{self.score['rows']:,}",
            str(self.score["unparsed"]),
            str(self.score["truncated"]["rows"]),
        )
        return dict(zip(COLUMNS, values, strict=True))


def standings(records: Iterable[RunRecord]) -> list[Standing]:
    """Every scored run, by task and split, then by the number of rows it answered, the most accurate first."""
    return _ranked(
        (record, split, record.cell.task if len(record.scores) == 1 else f"{record.cell.task} ({split})")
        for record in records
        for split in record.scores
    )


def standings_of(frame: Frame) -> list[Standing]:
    """The same, with runs that answered different rows of a task under different names."""
    return _ranked(
        (record, group.split, title)
        for group, title in zip(frame.groups, titles_of(frame.groups), strict=True)
        for contender in group.contenders
        for record in (*contender.records, *contender.repeats)
    )


def _ranked(runs: Iterable[tuple[RunRecord, str, str]]) -> list[Standing]:
    found = [
        Standing(
            name=name,
            how=describe(record),
            metrics=record.scores[split]["metrics"],
            record=record,
            score=record.scores[split],
        )
        for record, split, name in runs
    ]
    return sorted(
        found,
        # Runs on fewer rows stand apart: a place among others is for those who answered the same questions.
        key=lambda one: (one.name, -one.score["rows"], -one.metrics["accuracy"]["value"], one.record.run_name),
    )
