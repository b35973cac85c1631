"""`beatingbert inspect`: a look at a table of one's own before any model sees it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from beatingbert.cli.console import live, out
from beatingbert.cli.own_table import OwnTable
from beatingbert.errors import SettingsError
from beatingbert.runs.files import write_json
from beatingbert.tables.finding import counted, shown
from beatingbert.tables.own import OwnData
from beatingbert.tasks.splits import Splits

if TYPE_CHECKING:  # it needs numpy, which no other command should wait for
    from beatingbert.tables.look import Look

MOST_CLASSES = 12


@dataclass(frozen=True, kw_only=True)
class Inspect(OwnTable):
    """Look at a table of your own: how it is read, what is odd in it, what is done about it.

    Attributes:
        json: File for everything that is found, as JSON.
    """

    json: Path | None = None

    def __call__(self) -> int:
        """Read, look, split, print."""
        from beatingbert.tables.divide import split_own
        from beatingbert.tables.look import look

        if self.json is not None and not self.json.parent.is_dir():
            raise SettingsError(f"no folder {str(self.json.parent)!r} for --json; make it first")
        if self.json is not None and self.json.exists() and self.json.suffix != ".json":
            raise SettingsError(
                f"--json would write over {str(self.json)!r}; name a new file, or one that ends in .json"
            )
        if self.json is not None and self.json.exists() and self.data.is_file() and self.json.samefile(self.data):
            raise SettingsError("--json names the table itself; name another file")
        own = self.read(must_be_sure=False)
        print_reading(own)
        with live("inspect") as progress:
            progress("looking for repeats", 0, 1)
            looked = look(own)
            _, splits = split_own(own, looked=looked)
        print_look(looked, splits)
        if self.json is not None:
            sizes = {"train": len(splits.train), "development": len(splits.development)}
            sizes |= {name: len(rows) for name, rows in splits.evaluation.items()}
            write_json(self.json, looked.as_json() | {"splits": sizes})
            out.print(f"\nwritten to {escape(str(self.json))}")
        return 0


def print_reading(own: OwnData) -> None:
    """How the table was read: files, columns, and what its owner may want to say otherwise."""
    table = _table("", "", "")
    for name, part in own.parts.items():
        for what, value, how in part.reading.lines():
            prefix = "" if len(own.parts) == 1 else f"{name}: "
            _row(table, prefix + what, shown(value, 80), how)
    for role, column in own.columns.names().items():
        _row(table, role, shown(column), f"column, {own.columns.how.get(role, 'guessed')}")
    out.print(table)
    for doubt in own.doubts:
        out.print(f"[yellow]?[/yellow] {escape(shown(doubt.question, 300))}")
        out.print(f"  taken: {escape(shown(doubt.default))} (say otherwise with --{doubt.flag})")


def print_look(looked: Look, splits: Splits) -> None:
    """What it holds, what is odd, and how it is split."""
    out.print()
    out.print(_classes(looked))
    lengths = looked.lengths
    middle, high, most = (f"{value:,}" for value in lengths.words)
    out.print(f"\nwords of a text: {middle} in the middle, {high} at 95 %, {most} at most", end="")
    letters = lengths.letters
    out.print(f"; letters: {letters[0]:,}, {letters[1]:,}, {letters[2]:,}")
    if looked.findings:
        out.print()
        table = _table("found", "", "what is done about it", lines=True)
        for finding in looked.findings:
            examples = "".join(f"\n[dim]{escape(shown(one, 120))}[/dim]" for one in finding.examples)
            table.add_row(escape(finding.kind), escape(shown(finding.what, 400)) + examples, escape(finding.treatment))
        out.print(table)
    sizes = [("train", splits.train), ("development", splits.development), *splits.evaluation.items()]
    out.print("\nsplit: " + ", ".join(f"{name} {counted(len(rows), 'row')}" for name, rows in sizes))


def _classes(looked: Look) -> Table:
    """The most frequent classes, rows of each part."""
    parts = list(looked.classes)
    table = _table("class", *parts, "share")
    first = looked.classes[parts[0]]
    names = list(dict.fromkeys(name for counts in looked.classes.values() for name in counts))
    total = sum(first.values())
    for name in islice(names, MOST_CLASSES):
        counts = [f"{looked.classes[part].get(name, 0):,}" for part in parts]
        table.add_row(escape(shown(name, 40)), *counts, f"{100 * first.get(name, 0) / total:.1f} %")
    if len(names) > MOST_CLASSES:
        rest = names[MOST_CLASSES:]
        counts = [f"{sum(looked.classes[part].get(name, 0) for name in rest):,}" for part in parts]
        share = sum(first.get(name, 0) for name in rest) / total
        table.add_row(f"{counted(len(rest), 'more class', 'more classes')}", *counts, f"{100 * share:.1f} %")
    return table


def _row(table: Table, *cells: str) -> None:
    table.add_row(*map(escape, cells))


def _table(*columns: str, lines: bool = False) -> Table:
    table = Table(
        box=None, pad_edge=False, header_style="bold", show_header=any(columns), padding=(0, 2, int(lines), 0)
    )
    for number, column in enumerate(columns):
        right = number > 0 and columns[0] == "class"
        table.add_column(column, no_wrap=number == 0, justify="right" if right else "left")
    return table
