"""`beatingbert report`: all runs of a folder as tables, claims, results, plots and a page."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

from rich.markup import escape

from beatingbert.cli.console import live, out
from beatingbert.cli.run import print_leaderboard
from beatingbert.report.analysis import Format, Written, analyse, describe_skipped
from beatingbert.report.frame import titles_of
from beatingbert.report.leaderboard import Standing, standings_of
from beatingbert.report.scattered import describe_scattered
from beatingbert.report.significance import group_sentence, overall_sentence

MOST_SHOWN = 60
BEST = 20
MOST_FAILED = 10


@dataclass(frozen=True, kw_only=True)
class Report:
    """Show all finished runs of a folder, say who is ahead and how surely, and write it all as files.

    Attributes:
        results_dir: Folder that holds the runs.
        output_dir: Where the files go. Default: analysis/ in the results folder.
        format: What to write: tables (Markdown), plots, csv (with Parquet), html, or all.
        margin: Difference of accuracies that does not matter, as a fraction: 0.01 is one point.
        prices: Your own price file (TOML) for the cost of a million answers. Default: examples.
    """

    results_dir: Path = Path("results")
    output_dir: Path | None = None
    format: Format = "all"
    margin: float = 0.01
    prices: Path | None = None

    def __call__(self) -> int:
        """Write, then print."""
        with live("report") as progress:
            written = analyse(
                self.results_dir,
                self.output_dir,
                formats=self.format,
                margin=self.margin,
                prices=self.prices,
                progress=progress,
            )
        _tell(written)
        return 0


def _tell(written: Written) -> None:
    findings = written.findings
    found = standings_of(findings.frame)
    shown = found if len(found) <= MOST_SHOWN else _best_of_each(found)
    print_leaderboard(shown)
    if len(shown) < len(found):
        out.print(f"the best {BEST} of each task; {len(found) - len(shown):,} more are in performance_table.md")
    out.print()
    several = len(findings.contests) > 1
    for contest, title in zip(findings.contests, titles_of(findings.frame.groups), strict=True):
        told = group_sentence(contest)
        if told:
            place = f"{title}, {contest.group.rows:,} rows: " if several else ""
            out.print(f"[bold]{escape(place + told)}[/bold]")
    together = overall_sentence(findings.contests)
    if together:
        out.print(f"[bold]Over all: {escape(together)}[/bold]")
    for line in describe_skipped(findings.frame):
        out.print(f"skipped {escape(line)}")
    for line in describe_scattered(findings.frame.groups):
        out.print(f"note: {escape(line)}")
    failed, undrawn = written.arrears.failed, written.arrears.undrawn
    for line in failed[:MOST_FAILED]:
        out.print(f"no error analysis of {escape(line)}")
    if len(failed) > MOST_FAILED:
        out.print(f"no error analysis of {len(failed) - MOST_FAILED:,} more runs")
    if undrawn:
        out.print(f"runs without pictures of their own: {undrawn:,}; the next report goes on with them")
    out.print(f"prices: {escape(findings.prices.source)}")
    out.print(f"written to {escape(str(written.folder))}/: {escape(', '.join(_names(written)))}")


def _best_of_each(found: list[Standing]) -> list[Standing]:
    """Of every task the first `BEST`, which are the most accurate."""
    by_task = groupby(found, key=lambda one: one.name)
    return [one for _, of_task in by_task for one in islice(of_task, BEST)]


def _names(written: Written) -> list[str]:
    """The files, those in folders together as one."""
    return list(dict.fromkeys(file.parts[0] + ("/" if len(file.parts) > 1 else "") for file in written.files))
