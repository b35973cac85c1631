"""A block of a page: its Markdown, and its tables as rows for CSV; and how cells and numbers look in both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from beatingbert.report.contenders import Contender
from beatingbert.report.estimates import estimate
from beatingbert.report.text import figure
from beatingbert.report.text import p_value as say_p_value
from beatingbert.statistics.intervals import Interval
from beatingbert.study.material import cell_ids

Rows = list[list[Any]]  # texts, and numbers as `exact` gives them


@dataclass(frozen=True, slots=True)
class Section:
    """One block.

    Attributes:
        text: as Markdown, ending with a line end.
        tables: name of a CSV file to its rows, the headings first.
    """

    text: str
    tables: Mapping[str, Rows] = field(default_factory=dict)


def exact(*numbers: float | None) -> list[Any]:
    """Numbers for CSV, in six digits, so that the last bits of another processor do not show; blank for none.

    They stay numbers: a text that begins with a minus is disarmed as a formula.
    """
    return ["" if number is None else float(f"{number:.6g}") for number in numbers]


def in_percent(found: Interval, *, signed: bool = False) -> str:
    """'85.4 [82.9, 87.6]', or with signs."""
    sign = "+" if signed else ""
    value, low, high = (f"{100 * number:{sign}.1f}" for number in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]"


def bare_p(value: float) -> str:
    """'0.03' or '< 0.0001'."""
    return say_p_value(value).removeprefix("p ").removeprefix("= ")


def metric_of(one: Contender, split: str, name: str) -> str:
    """A metric's mean over seeds: macro-F1 in percent, others as they are; a dash where there is none."""
    found = estimate(one.records, split, name)
    if found is None:
        return "-"
    return f"{100 * found.value:.1f}" if name == "macro_f1" else figure(found.value, 3)


def full_ids(*contenders: Contender) -> str:
    """The ids of their cells, for CSV."""
    return " ".join(cell_ids(*contenders))
