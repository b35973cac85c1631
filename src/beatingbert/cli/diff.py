"""`beatingbert diff`: two runs on the same rows, and where they part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.markup import escape
from rich.table import Table

from beatingbert.cli.console import out
from beatingbert.cli.run_page import rows_table
from beatingbert.errors import SettingsError
from beatingbert.report.contenders import describe
from beatingbert.report.difference import Difference, SettingsDifference, differences, differing_settings
from beatingbert.report.lookup import find_run
from beatingbert.report.significance import sentence
from beatingbert.report.text import percent
from beatingbert.runs.record import RunRecord


@dataclass(frozen=True, kw_only=True)
class Diff:
    """Hold two runs against each other on the same rows; refused where the rows are not the same.

    Attributes:
        first: A run's folder, or its name under the results folder.
        second: The other run.
        results_dir: Where runs are looked for by name.
        margin: Difference of accuracies that does not matter, as a fraction: 0.01 is one point.
        rows: How many of the rows to show that one alone got right.
    """

    first: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="RUN_A")]]
    second: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="RUN_B")]]
    results_dir: Path = Path("results")
    margin: float = 0.01
    rows: int = 10

    def __call__(self) -> int:
        """Print it."""
        if self.rows < 0:
            raise SettingsError(f"--rows must be 0 or more, got {self.rows}")
        first, second = (find_run(name, self.results_dir) for name in (self.first, self.second))
        names = _names(first, second)
        found = differences(first, second, margin=self.margin)
        for number, name in enumerate(names):
            out.print(f"{'AB'[number]}: {escape(name)}, {escape(str((first, second)[number].folder))}")
        for one in found:
            self._print_split(one, first, second, names, claims=len(found))
        _print_settings(differing_settings(first, second))
        return 0

    def _print_split(
        self, one: Difference, first: RunRecord, second: RunRecord, names: tuple[str, str], *, claims: int
    ) -> None:
        out.print(f"\n[bold]{escape(first.cell.task)}, {escape(one.split)}: {len(one.first.ids):,} rows[/bold]")
        out.print(f"[bold]{escape(sentence(*names, one.verdict, claims=claims))}[/bold]")
        for letter, record in zip("AB", (first, second), strict=True):
            accuracy = percent(record.scores[one.split]["metrics"]["accuracy"], bounds=True)
            out.print(f"accuracy of {letter}: {escape(accuracy)}")
        out.print(
            f"both right {one.both_right:,}, only A {len(one.only_first):,}, only B {len(one.only_second):,}, "
            f"both wrong {one.both_wrong:,}"
        )
        for letter, rows in (("A", one.only_first), ("B", one.only_second)):
            shown = rows[: self.rows]
            if shown:
                out.print(f"\n{len(shown)} of the {len(rows):,} rows that only {letter} got right")
                out.print(rows_table(one.first, shown, {"A": one.first, "B": one.second}))


def _names(first: RunRecord, second: RunRecord) -> tuple[str, str]:
    """Model and how it answers; the run's name where that would be the same."""
    ours, theirs = (f"{one.model} ({describe(one)})" for one in (first, second))
    return (ours, theirs) if ours != theirs else (first.run_name, second.run_name)


def _print_settings(settings: SettingsDifference) -> None:
    out.print()
    for letter, alone in (("A", settings.only_first), ("B", settings.only_second)):
        if alone:
            told = ", ".join(f"{name} {value}" for name, value in alone.items())
            out.print(f"only {letter} has: {escape(told)}")
    if not settings.both:
        out.print("no setting that both have differs")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("what differs", "A", "B"):
        table.add_column(column)
    for name, values in settings.both.items():
        table.add_row(*map(escape, (name, *values)))
    out.print(table)
