"""One finished run in the terminal: what was asked, how good, how fast, and where it was surest and wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from beatingbert.cli.console import out
from beatingbert.report.answers import Answers, read_answers
from beatingbert.report.contenders import describe
from beatingbert.report.machines import machine_of
from beatingbert.report.text import duration, figure, many, percent, shorten, storage
from beatingbert.runs.record import RunRecord

MISTAKES = 10
METRICS = {"accuracy": "accuracy", "macro_f1": "macro-F1", "mcc": "MCC", "ece": "ECE", "brier": "Brier score"}
IN_PERCENT = ("accuracy", "macro_f1", "acc", "acc_norm")


def print_run(record: RunRecord) -> None:
    """Print all of it."""
    out.print(f"[bold]{escape(f'{record.model} ({describe(record)}) on {record.cell.task}')}[/bold]")
    out.print(escape(str(record.folder)))
    _print_pairs("settings", _settings(record))
    _print_pairs("data", _data(record))
    _print_pairs("efficiency", _efficiency(record))
    for split, score in record.scores.items():
        rows = (
            f"{split}: {score['rows']:,} rows, {score['unparsed']:,} without label, {score['truncated']['rows']:,} cut"
        )
        out.print(f"\n[bold]{escape(rows)}[/bold]")
        out.print(_metrics(score["metrics"]))
        matrix = score.get("confusion_matrix", {})
        if matrix.get("labels"):
            out.print()
            out.print(_confusion(matrix["labels"], matrix["rows"]))
        answers = read_answers(record.folder, split)
        wrong = surest_mistakes(answers, MISTAKES)
        if wrong:
            out.print(f"\n{len(wrong)} of {int((~answers.right).sum()):,} mistakes, the surest first")
            out.print(rows_table(answers, wrong, {"answer": answers}))
    if not record.scores:
        out.print("\nanswers to an unlabelled split: there is nothing to score")


def surest_mistakes(answers: Answers, most: int) -> list[int]:
    """Positions of wrong answers, those with the highest probability first; replies without label come last."""
    wrong = [at for at, right in enumerate(answers.right) if not right]
    sure = {at: _confidence(answers, at) or 0.0 for at in wrong}
    return sorted(wrong, key=lambda at: -sure[at])[:most]


def rows_table(answers: Answers, rows: Iterable[int], runs: Mapping[str, Answers]) -> Table:
    """Some rows with their gold label, what each of some runs answered, by heading, and the question if it was kept."""
    rows = list(rows)
    asked = [shorten(one.line, 80) if (one := answers.asked[at]) else "" for at in rows]
    table = _table("id", "gold", *runs, *(["question"] if any(asked) else []))
    for at, question in zip(rows, asked, strict=True):
        given = [_answer(one, at) for one in runs.values()]
        table.add_row(*map(escape, (answers.ids[at], answers.gold[at], *given, *([question] if any(asked) else []))))
    return table


def _answer(answers: Answers, at: int) -> str:
    """The label with its probability, or what was written instead of one."""
    label = answers.label[at]
    if label is None:
        reply = answers.reply[at]
        return f"no label: {shorten(reply, 30)!r}" if reply else "no label"
    sure = _confidence(answers, at)
    return str(label) if sure is None else f"{label} {sure:.2f}"


def _confidence(answers: Answers, at: int) -> float | None:
    return (answers.probabilities[at] or {}).get(answers.label[at] or "")


def _settings(record: RunRecord) -> dict[str, Any]:
    cell = record.cell
    names = ("engine", "engine_version", "seed", "train_size", "eval_size", "select_on")
    checkpoint = {f"checkpoint {name}": value for name, value in record.checkpoint.items() if value}
    return {**{name: getattr(cell, name) for name in names}, **cell.settings, **checkpoint, "cell": cell.id}


def _data(record: RunRecord) -> dict[str, Any]:
    told = {name: value for name, value in record.data.items() if not isinstance(value, Mapping | list)}
    parts = record.data.get("splits", {})
    told |= {f"split {name}": _used(used) for name, used in parts.items()}
    return told


def _used(used: Any) -> str:
    if not isinstance(used, Mapping):
        return str(used)
    return ", ".join(f"{name} {value}" for name, value in used.items() if not isinstance(value, Mapping | list))


def _efficiency(record: RunRecord) -> dict[str, Any]:
    found = record.efficiency
    memory = found["memory"]["answer"]
    device = "" if memory["device_mib"] is None else f", device {memory['device_mib']:,.0f} MiB"
    return {
        "machine": f"{machine_of(record)}, {found['device']}, {found['precision']}",
        "latency p50 / p95": f"{found['latency']['p50_ms']:.1f} / {found['latency']['p95_ms']:.1f} ms",
        "throughput": f"{found['throughput']['questions_per_second']:,.1f} per s",
        "peak memory": memory.get("reason") or f"process {memory['process_mib']:,.0f} MiB{device}",
        "parameters, on disk": f"{many(found['parameters'])}, {storage(found['disk_bytes'])}",
        "load, training": f"{duration(found['load_seconds'])}, {duration(found['train_seconds'])}",
        "finished": record.finished_at,
    }


def _metrics(metrics: Mapping[str, Mapping[str, float]]) -> Table:
    table = _table("metric", "value", "95 % interval")
    for name, metric in metrics.items():
        if name in IN_PERCENT:
            value, _, bounds = percent(metric, bounds=True).partition(" ")
        else:
            value, bounds = figure(metric["value"], 3), f"[{metric['low']:.3f}, {metric['high']:.3f}]"
        table.add_row(escape(METRICS.get(name, name)), value, escape(bounds))
    return table


def _confusion(labels: Sequence[str], rows: Sequence[Sequence[int]]) -> Table:
    table = _table("gold / answered", *labels, "no label")
    for label, counts in zip(labels, rows, strict=True):
        table.add_row(escape(label), *(f"{count:,}" for count in counts))
    return table


def _print_pairs(title: str, pairs: Mapping[str, Any]) -> None:
    out.print(f"\n[bold]{title}[/bold]")
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in pairs.items():
        table.add_row(escape(name), escape("all" if value is None and name.endswith("_size") else str(value)))
    out.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(escape(column))
    return table
