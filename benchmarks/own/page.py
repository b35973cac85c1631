"""Tables of the contest: for a terminal, and for docs/OWN_DATA_BENCH.md between its markers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table as Shown

from beatingbert.report.text import duration, escape_markdown, markdown_table, percent, points
from beatingbert.runs.files import write_text
from beatingbert.statistics.intervals import Interval
from benchmarks.own.figures import Line, Table
from benchmarks.own.systems import OURS, PEERS
from benchmarks.table import put_between_markers

PAGE = Path(__file__).resolve().parents[2] / "docs" / "OWN_DATA_BENCH.md"
GROUP = "own_data"
COLUMNS = ("system", "what it did", "accuracy [95 %]", "macro-F1 [95 %]", "ours ahead by [95 %]", "took")
LEFT = 2  # columns of words
SAID = {
    "ahead": "ours is ahead",
    "as good": "ours is at least as good, to within 1 point",
    "behind": "ours is behind",
    "open": "who is better cannot be told",
}


def cells(line: Line) -> tuple[str, ...]:
    """One line, in the order of `COLUMNS`."""
    notes = ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in line.result.notes.items())
    return (
        title(line.system),
        notes,
        _bounds(line.accuracy),
        _bounds(line.macro_f1),
        "-" if line.lead is None else f"{points(line.lead.value)} [{points(line.lead.low)}, {points(line.lead.high)}]",
        duration(line.seconds),
    )


def title(system: str) -> str:
    """A system as a reader knows it."""
    return next((one.title for one in PEERS if one.name == system), "beatingbert decide" if system == OURS else system)


def _bounds(one: Interval) -> str:
    return percent({"value": one.value, "low": one.low, "high": one.high}, bounds=True)


def heading(table: Table) -> str:
    """Which table, and how many rows."""
    rows = table.rows
    learnt = f"{rows.train + rows.development:,} rows to learn from ({rows.development:,} of them for choosing)"
    return f"{table.file}: {learnt}, {rows.test:,} test rows, {len(rows.labels)} classes"


def sentences(table: Table) -> list[str]:
    """What the table says, and who is missing from it and why."""
    best, found = table.best_peer, []
    if best is not None and best.lead is not None:
        lead = best.lead
        found.append(
            f"Beside the best peer ({title(best.system)}) {SAID[table.verdict]}: macro-F1 {points(lead.value)} points "
            f"(95 % interval {points(lead.low)} to {points(lead.high)})."
        )
    return found + [f"Missing: {title(name)}: {reason}." for name, reason in table.missing.items()]


def render_terminal(table: Table) -> Shown:
    """For rich to print."""
    shown = Shown(title=escape(heading(table)), title_justify="left", box=None, pad_edge=False)
    for place, name in enumerate(COLUMNS):
        shown.add_column(escape(name), justify="left" if place < LEFT else "right", overflow="fold")
    for line in table.lines:
        shown.add_row(*map(escape, cells(line)), style="bold" if line.system == OURS else None)
    return shown


def render_markdown(tables: Sequence[Table], *, budget: float, cores: int) -> str:
    """The section of the page."""
    parts = [conditions(tables, budget=budget, cores=cores)]
    for table in tables:
        parts.append(f"### {escape_markdown(heading(table))}")
        if table.lines:
            parts.append(markdown_table(COLUMNS, [cells(line) for line in table.lines], left=LEFT).rstrip())
        parts += [escape_markdown(one) for one in sentences(table)]
    return "\n\n".join(parts)


def conditions(tables: Sequence[Table], *, budget: float, cores: int) -> str:
    """When and where this was measured, and with which versions, as one sentence."""
    results = [line.result for table in tables for line in table.lines]
    days = sorted({one.finished for one in results})
    versions: dict[str, dict[str, str]] = {}
    for one in results:
        family = one.system.partition("-")[0]
        versions.setdefault(family, {}).update(one.versions)
    told = "; ".join(
        f"{family}: {', '.join(f'{name} {version}' for name, version in found.items())}"
        for family, found in sorted(versions.items(), key=lambda item: (item[0] != OURS, item[0]))
    )
    when = " to ".join(dict.fromkeys((days[0], days[-1]))) if days else "no day"
    cpus = " and ".join(sorted({one.cpu for one in results})) or "no machine"
    each = f"{duration(budget)} and {cores} core{'s' if cores > 1 else ''} each"
    return escape_markdown(f"Measured on {when}: {cpus}, {each}. {told}.")


def write_page(tables: Sequence[Table], *, budget: float, cores: int, page: Path = PAGE) -> None:
    """Replace the section of the page.

    Raises:
        SettingsError: the page lacks its markers.
    """
    content = render_markdown(tables, budget=budget, cores=cores)
    write_text(page, put_between_markers(page.read_text(encoding="utf-8"), GROUP, content))
