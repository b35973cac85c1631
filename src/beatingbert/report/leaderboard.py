"""All runs as one table: how good, how fast, how large. The same rows go to the terminal, to Markdown and to CSV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beatingbert.report.text import duration, escape_markdown, figure, percent
from beatingbert.runs.record import RunRecord
from beatingbert.runs.store import write_csv

NAMES = ("task", "model", "how")
QUALITY = ("accuracy [95 %]", "macro-F1", "MCC", "ECE")  # of the last the smaller is the better
COST = ("p50 / p95 ms", "per s", "MiB", "training")
COUNTS = ("rows", "unparsed", "cut")
COLUMNS = (*NAMES, *QUALITY, *COST, *COUNTS)
METRICS = ("accuracy", "macro_f1", "mcc", "ece", "brier")  # as the CSV has them


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
        # Apart from device memory where there is a device: process memory says little there.
        memory = efficiency["memory"]["answer"]
        peak = memory["process_mib"] if memory["device_mib"] is None else memory["device_mib"]
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
            "-" if peak is None else f"{peak:,.0f}",
            duration(efficiency["train_seconds"]),
            f"{self.score['rows']:,}",
            str(self.score["unparsed"]),
            str(self.score["truncated"]["rows"]),
        )
        return dict(zip(COLUMNS, values, strict=True))


def standings(records: Iterable[RunRecord]) -> list[Standing]:
    """Every scored run, by task and split, the most accurate first."""
    found = [
        Standing(
            name=record.cell.task if len(record.scores) == 1 else f"{record.cell.task} ({split})",
            how=describe(record),
            metrics=score["metrics"],
            record=record,
            score=score,
        )
        for record in records
        for split, score in record.scores.items()
    ]
    return sorted(found, key=lambda one: (one.name, -one.metrics["accuracy"]["value"], one.record.run_name))


def describe(record: RunRecord) -> str:
    """How a run answers, in a few words."""
    settings = record.cell.settings
    rows = record.data.get("train_rows")
    if record.cell.engine in ("llm", "lora", "served"):
        shots = f"{settings['shots']}-shot" if settings["shots"] else "zero-shot"
        adapted = f"LoRA r{record.notes.get('rank', settings.get('rank'))}" + (f" on {rows:,}" if rows else "")
        calibration = settings.get("calibration", "none")  # runs of before there was any do not name it
        how = [
            adapted if record.cell.engine == "lora" else shots,
            "by letter" if settings.get("choice_by") == "letter" else "",
            f"{calibration} calibration" if calibration != "none" else "",
            "written" if record.notes.get("answer_by", settings["answer_by"]) == "generation" else "",
        ]
        return ", ".join(filter(None, how))
    trained = "fine-tuned" if record.cell.engine == "encoder" else "trained"
    return f"{trained} on {rows:,}" if rows else trained


def markdown_table(found: Sequence[Standing]) -> str:
    """A GitHub table; texts cannot break it."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * 3 + " ---: |" * (len(COLUMNS) - 3)]
    lines += ["| " + " | ".join(map(escape_markdown, one.cells().values())) + " |" for one in found]
    return "\n".join(lines) + "\n"


def write_table_csv(path: Path, found: Sequence[Standing]) -> None:
    """Plain numbers, one row per run and split, for a spreadsheet or pandas."""
    metrics = [f"{name}{part}" for name in METRICS for part in ("", "_low", "_high")]
    names = ["task", "split_or_task", "engine", "model", "how", *metrics, "p50_ms", "p95_ms", "questions_per_second"]
    names += ["process_mib", "device_mib", "load_seconds", "train_seconds", "parameters", "disk_bytes"]
    names += ["rows", "unparsed", "truncated", "device", "precision", "seed", "run_name", "cell_id"]
    rows: list[list[Any]] = [names]
    for one in found:
        record, efficiency = one.record, one.record.efficiency
        memory = efficiency["memory"]["answer"]
        values = [one.metrics.get(name, {}).get(part, "") for name in METRICS for part in ("value", "low", "high")]
        rows.append(
            [record.cell.task, one.name, record.cell.engine, record.model, one.how, *values]
            + [efficiency["latency"]["p50_ms"], efficiency["latency"]["p95_ms"]]
            + [efficiency["throughput"]["questions_per_second"], memory["process_mib"], memory["device_mib"]]
            + [efficiency[name] for name in ("load_seconds", "train_seconds", "parameters", "disk_bytes")]
            + [one.score["rows"], one.score["unparsed"], one.score["truncated"]["rows"]]
            + [efficiency["device"], efficiency["precision"], record.cell.seed, record.run_name, record.cell.id]
        )
    write_csv(path, rows)
