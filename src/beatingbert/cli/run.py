"""`beatingbert run` and the study's scripts: one run, told in a few lines."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from beatingbert.checkpoints.reference import describe_download
from beatingbert.cli.console import err, live, out
from beatingbert.experiments import company
from beatingbert.experiments.config import RunConfig
from beatingbert.experiments.runner import run
from beatingbert.report.leaderboard import COST, COUNTS, NAMES, QUALITY, Standing, standings
from beatingbert.runs.record import RunRecord


def run_and_tell(config: RunConfig) -> int:
    """Do one run, show its table and say where it lies."""
    if not company.is_main():
        run(config)
        return 0
    record = run_live(config)
    if record.notes.get("collapsed"):
        out.print(
            "warning: the training collapsed: every answer on the development part is the same class. Try another "
            "--seed, a lower --lr, more --epochs, or --retry_collapsed 3"
        )
    found = standings([record])
    if found:
        print_leaderboard(found)
    else:
        out.print(f"answered {record.efficiency['throughput']['n']:,} questions of the unlabelled test split")
    for split, used in record.data["splits"].items():
        if isinstance(used, dict) and used.get("partial"):
            out.print(f"note: only a part of split {escape(split)} was found ({used['labelled']:,} rows)")
    if record.scores:
        # Here and not in `run`: half a second does not matter after one run, and would after each of a suite.
        from beatingbert.report.plots.of_run import ensure_drawn

        ensure_drawn(record.folder)
    out.print(f"run: {escape(str(record.folder))}")
    return 0


def run_live(config: RunConfig, *, title: str | None = None, announce: bool = True) -> RunRecord:
    """Do one run with live progress, after telling what it will download unless that has been told already."""
    notice = describe_download(config.model)
    if notice and announce:
        err.print(escape(notice))
    with live(title or f"{config.model} on {config.task}") as progress:
        return run(config, progress=progress)


def print_leaderboard(found: list[Standing]) -> None:
    """The leaderboard as one table, or as two where the terminal is too narrow: how good, then at what cost.

    The task is a column only where there are several.
    """
    tasks = list(dict.fromkeys(one.name for one in found))
    names = NAMES if len(tasks) > 1 else NAMES[1:]
    title = f"{tasks[0]}, {found[0].score['rows']:,} rows" if len(tasks) == 1 else None
    whole = _table(found, (*names, *QUALITY, *COST, *COUNTS), title)
    if Console(width=10_000).measure(whole).maximum <= out.width:
        out.print(whole)
        return
    out.print(_table(found, (*names, *QUALITY), title))
    out.print()
    out.print(_table(found, (*names, *COST, *COUNTS), None))


def _table(found: list[Standing], columns: tuple[str, ...], title: str | None) -> Table:
    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", title=title, title_justify="left"
    )
    for column in columns:
        table.add_column(column, justify="left" if column in NAMES else "right", no_wrap=column not in NAMES)
    for one in found:
        cells = one.cells()
        table.add_row(*(escape(cells[column]) for column in columns))
    return table
