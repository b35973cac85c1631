"""Every run as plain values, one row per run and split, for pandas, R or a spreadsheet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from beatingbert.report.contenders import SIDES, contender_id, describe
from beatingbert.report.frame import Frame
from beatingbert.report.prices import Prices
from beatingbert.runs.files import write_csv
from beatingbert.runs.record import RunRecord

METRICS = ("accuracy", "macro_f1", "mcc", "ece", "brier")

TEXT = (
    *("run_name", "folder", "cell_id", "contender_id", "task", "split", "mode", "engine", "side", "model", "how"),
    *("settings", "select_on", "data_source", "data_revision", "rows_fingerprint", "prompt_sha256"),
    *("cost_currency", "cost_basis", "device", "precision", "machine", "gpus", "version", "commit"),
    *("started_at", "finished_at"),
)
SCORES = tuple(f"{name}{part}" for name in METRICS for part in ("", "_low", "_high"))
SPEED = (
    *("p50_ms", "p95_ms", "questions_per_second", "answer_process_mib", "answer_device_mib", "fit_process_mib"),
    *("fit_device_mib", "load_seconds", "train_seconds", "cost_per_million_answers"),
)
COUNTS = (
    *("seed", "engine_version", "train_size", "eval_size", "train_rows", "rows", "unparsed", "truncated_rows"),
    *("lost_tokens", "parameters", "disk_bytes"),
)
COLUMNS = (
    *("run_name", "task", "split", "engine", "side", "model", "how", "seed", "repeat", "rows", *SCORES),
    *("unparsed", "truncated_rows", "lost_tokens", *SPEED, "cost_currency", "cost_basis"),
    *("parameters", "disk_bytes", "device", "precision", "machine", "gpus", "mode", "train_size", "train_rows"),
    *("eval_size", "select_on", "settings", "engine_version", "prompt_sha256", "data_source", "data_revision"),
    *("rows_fingerprint", "cell_id", "contender_id", "version", "commit", "started_at", "finished_at", "folder"),
)
"""The order of the columns; every name above stands in it once."""


def all_results(frame: Frame, prices: Prices) -> list[dict[str, Any]]:
    """One row per run and split, with the keys of `COLUMNS`; None where something was not measured or does not apply.

    A run on an unlabelled split has one row without metrics. `repeat` is true of a run whose cell was run again later:
    tables and comparisons leave it out. Fractions are fractions, memory is in MiB, times are in the unit of their name.
    """
    groups: dict[tuple[Path, str], str] = {}
    repeats: set[Path] = set()
    for group in frame.groups:
        for contender in group.contenders:
            repeats |= {record.folder for record in contender.repeats}
            for record in (*contender.records, *contender.repeats):
                groups[record.folder, group.split] = group.fingerprint
    rows = []
    for record in frame.records:
        whole = {**_run(record, frame.root), **_efficiency(record), **_cost(record, prices)}
        whole["repeat"] = record.folder in repeats
        for split, score in _splits(record):
            fingerprint = groups.get((record.folder, split))
            one = {**whole, "split": split, "rows_fingerprint": fingerprint, **_score(score)}
            rows.append({name: one[name] for name in COLUMNS})
    return rows


def write_all_results_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """The rows as CSV; empty cells where something was not measured."""
    write_csv(path, [COLUMNS, *(["" if row[name] is None else row[name] for name in COLUMNS] for row in rows)])


def write_all_results_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    """The rows as Parquet, typed, texts as they are."""
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {
        **dict.fromkeys(TEXT, pa.string()),
        **dict.fromkeys((*SCORES, *SPEED), pa.float64()),
        **dict.fromkeys(COUNTS, pa.int64()),
        "repeat": pa.bool_(),
    }
    schema = pa.schema([(name, kinds[name]) for name in COLUMNS])
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), path)


def _splits(record: RunRecord) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """The run's splits with their scores; the unlabelled one without."""
    yield from record.scores.items()
    if not record.scores:
        yield next(iter(record.data.get("splits", {})), "test"), None


def _run(record: RunRecord, root: Path) -> dict[str, Any]:
    cell, machine = record.cell, record.environment.get("machine", {})
    gpus = machine.get("gpus")
    return {
        "run_name": record.run_name,
        # Relative, so that the table can be published.
        "folder": record.folder.relative_to(root).as_posix(),
        "cell_id": cell.id,
        "contender_id": contender_id(record),
        **{name: getattr(cell, name) for name in ("task", "mode", "engine", "seed", "engine_version")},
        **{name: getattr(cell, name) for name in ("train_size", "eval_size", "select_on")},
        "prompt_sha256": cell.prompt_sha256 or None,
        "settings": json.dumps(dict(cell.settings), sort_keys=True),
        "side": str(SIDES[cell.engine]),
        "model": record.model,
        "how": describe(record),
        "data_source": record.data.get("source"),
        "data_revision": record.data["revision"],
        "train_rows": record.data.get("train_rows"),
        "machine": machine.get("cpu"),
        "gpus": None if not gpus else ", ".join(str(one["name"]) for one in gpus),
        "version": (record.environment.get("packages") or {}).get("beatingbert"),
        "commit": (record.environment.get("git") or {}).get("commit"),
        "started_at": record.started_at,
        "finished_at": record.finished_at,
    }


def _efficiency(record: RunRecord) -> dict[str, Any]:
    efficiency = record.efficiency
    memory = efficiency["memory"]
    return {
        **{name: efficiency["latency"][name] for name in ("p50_ms", "p95_ms")},
        "questions_per_second": efficiency["throughput"]["questions_per_second"],
        **{
            f"{phase}_{name}": memory.get(phase, {}).get(name)
            for phase in ("answer", "fit")
            for name in ("process_mib", "device_mib")
        },
        **{
            name: efficiency[name]
            for name in ("load_seconds", "train_seconds", "parameters", "disk_bytes", "device", "precision")
        },
    }


def _cost(record: RunRecord, prices: Prices) -> dict[str, Any]:
    cost = prices.cost(record)
    known = cost.per_million is not None
    return {
        "cost_per_million_answers": cost.per_million,
        "cost_currency": prices.currency if known else None,
        "cost_basis": cost.basis,
    }


def _score(score: Mapping[str, Any] | None) -> dict[str, Any]:
    metrics = {} if score is None else score["metrics"]
    counts = {"rows": None, "unparsed": None, "truncated_rows": None, "lost_tokens": None}
    if score is not None:
        cut = score["truncated"]
        counts = {"rows": score["rows"], "unparsed": score["unparsed"]}
        counts |= {"truncated_rows": cut["rows"], "lost_tokens": cut.get("lost_tokens")}
    parts = (("", "value"), ("_low", "low"), ("_high", "high"))
    return {
        **{f"{name}{end}": metrics.get(name, {}).get(part) for name in METRICS for end, part in parts},
        **counts,
    }
