"""The leaderboard's columns: a plain table, read by the HTML as it is and by the sorting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from beatingbert.report.page.data import Row
from beatingbert.report.text import duration, figure, money, whole


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        title: its heading.
        tip: what the heading does not say.
        value: what a row is sorted by; None comes last in either direction.
        show: what stands there.
        falls: whether the first click puts the largest first.
    """

    title: str
    tip: str
    value: Callable[[Row], float | str | None]
    show: Callable[[Row], str]
    falls: bool = True

    @property
    def is_number(self) -> bool:
        """Whether it is set flush right and sorted by size."""
        return self.title not in ("task", "model", "how", "on")


def _fraction(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _milliseconds(value: float) -> str:
    return f"{value:,.1f}" if value >= 0.05 else "<0.1"


COLUMNS = (
    Column("task", "what was asked; the split where a task reports several", lambda r: r.task, lambda r: r.task, False),
    Column("model", "the checkpoint's short name", lambda r: r.model, lambda r: r.model, False),
    Column("how", "how it answers", lambda r: r.how, lambda r: r.how, False),
    Column(
        "accuracy",
        "per cent of the rows; the line below is its 95 % interval, on one scale for the whole table",
        lambda r: r.accuracy.value,
        lambda r: _fraction(r.accuracy.value),
    ),
    Column("macro-F1", "mean of the labels' F1, per cent", lambda r: r.macro_f1, lambda r: _fraction(r.macro_f1)),
    Column("MCC", "Matthews correlation: 0 is chance, 1 is perfect", lambda r: r.mcc, lambda r: figure(r.mcc, 3)),
    Column(
        "ECE",
        "expected calibration error: how far probabilities are from how often they are right; smaller is better",
        lambda r: r.ece,
        lambda r: figure(r.ece, 3),
        False,
    ),
    Column(
        "p50 ms",
        "median latency, one question at a time, warm",
        lambda r: r.p50_ms,
        lambda r: _milliseconds(r.p50_ms),
        False,
    ),
    Column(
        "p95 ms",
        "latency that 95 of 100 questions stay under",
        lambda r: r.p95_ms,
        lambda r: _milliseconds(r.p95_ms),
        False,
    ),
    Column("per s", "questions per second, in batches", lambda r: r.per_second, lambda r: f"{r.per_second:,.0f}"),
    Column("MiB", "peak memory while answering", lambda r: r.memory_mib, lambda r: whole(r.memory_mib), False),
    Column(
        "price",
        "of a million answers; prices are in the notes",
        lambda r: r.cost_per_million,
        lambda r: money(r.cost_per_million),
        False,
    ),
    Column("training", "time to train", lambda r: r.train_seconds, lambda r: duration(r.train_seconds), False),
    Column(
        "on",
        "the machine, by its letter in the notes, and the precision of the weights",
        lambda r: f"{r.machine} {r.precision}",
        lambda r: f"{r.machine} {r.precision}",
        False,
    ),
    Column("rows", "questions answered", lambda r: r.rows, lambda r: f"{r.rows:,}"),
    Column("seeds", "runs that the figures are means of", lambda r: r.seeds, lambda r: str(r.seeds)),
    Column(
        "no label",
        "replies that named no label; they count as wrong",
        lambda r: r.unparsed,
        lambda r: f"{r.unparsed:,}",
    ),
    Column("cut", "questions that lost tokens", lambda r: r.truncated, lambda r: f"{r.truncated:,}"),
)
