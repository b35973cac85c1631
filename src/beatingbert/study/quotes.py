"""Every figure that a page quotes, with what it was computed from, so that a test can compute it again another way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from beatingbert.report.contenders import Contender
from beatingbert.report.text import p_value
from beatingbert.runs.files import write_csv
from beatingbert.statistics.intervals import Interval
from beatingbert.statistics.verdict import Verdict
from beatingbert.study.material import cell_ids
from beatingbert.study.section import exact

Kind = Literal["accuracy", "gap", "latency", "training", "unparsed", "accuracy as first label", "metric", "spread"]
"""How a figure comes from the cells: the mean accuracy of the first; that minus the second's; the median latency or
training time; replies without label; the mean accuracy with those counted as the first label; the mean of a metric;
the best minus the worst accuracy of any one cell."""

ID_DIGITS = 8
COLUMNS = ("place", "kind", "shown", "value", "low", "high", "p_value", "first_cells", "second_cells")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """One figure.

    Attributes:
        place: the sentence or table that quotes it.
        kind: how it comes from the cells.
        shown: as it is quoted.
        value, low, high: exact, fractions, milliseconds or seconds; bounds where it has any.
        p_value: of a gap.
        first, second: ids of the cells that it comes from.
    """

    place: str
    kind: Kind
    shown: str
    value: float
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    first: tuple[str, ...] = ()
    second: tuple[str, ...] = ()


@dataclass(slots=True)
class Quotes:
    """Says figures as a reader wants to see them, and remembers each."""

    said: list[Quote] = field(default_factory=list)

    def accuracy(self, place: str, one: Contender, found: Interval) -> str:
        """'93.2 [91.4, 94.7]', in percent."""
        shown = f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"
        self._note(place, "accuracy", shown, found.value, found.low, found.high, first=one)
        return shown

    def gap(self, place: str, first: Contender, second: Contender, verdict: Verdict, *, turned: bool = False) -> str:
        """'7.9 points (95 % interval +5.0 to +10.9, p < 0.0001)'.

        Args:
            place: where it is quoted.
            first: as the verdict has it.
            second: as the verdict has it.
            verdict: of the first against the second.
            turned: whether the sentence has the second first.
        """
        gap = verdict.gap
        value, low, high = (-gap.value, -gap.high, -gap.low) if turned else (gap.value, gap.low, gap.high)
        level = f"{100 * verdict.level:.0f}"
        sure = p_value(verdict.p_value)
        shown = f"{100 * value:+.1f} points ({level} % interval {100 * low:+.1f} to {100 * high:+.1f}, {sure})"
        ours, theirs = (second, first) if turned else (first, second)
        self._note(place, "gap", shown, value, low, high, first=ours, second=theirs, p_value=verdict.p_value)
        return shown

    def measured(self, place: str, kind: Kind, shown: str, value: float, *of: Contender) -> str:
        """Any other figure, as it is shown."""
        self.said.append(Quote(place=place, kind=kind, shown=shown, value=value, first=cell_ids(*of)))
        return shown

    def _note(
        self,
        place: str,
        kind: Kind,
        shown: str,
        value: float,
        low: float,
        high: float,
        *,
        first: Contender,
        second: Contender | None = None,
        p_value: float | None = None,
    ) -> None:
        others = cell_ids(second) if second is not None else ()
        self.said.append(
            Quote(
                place=place,
                kind=kind,
                shown=shown,
                value=value,
                low=low,
                high=high,
                p_value=p_value,
                first=cell_ids(first),
                second=others,
            )
        )

    def write(self, path: Path) -> None:
        """As CSV, one line per figure."""
        rows = [
            (
                *(one.place, one.kind, one.shown),
                *exact(one.value, one.low, one.high, one.p_value),
                *(" ".join(cells) for cells in (one.first, one.second)),
            )
            for one in self.said
        ]
        write_csv(path, [COLUMNS, *rows])


def name_cells(*contenders: Contender) -> str:
    """The ids of their cells as a page has them, small and in their order."""
    return f"<sub>cells {', '.join(short_ids(contenders))}</sub>"


def without_cells(text: str) -> str:
    """The same for a page that links to where the ids stand."""
    return re.sub(" <sub>cells [^<]*</sub>", "", text)


def short_ids(contenders: Sequence[Contender]) -> list[str]:
    """The first digits of the ids of their cells, as code."""
    return [f"`{one[:ID_DIGITS]}`" for one in cell_ids(*contenders)]
