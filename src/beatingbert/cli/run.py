"""`beatingbert run` and the study's scripts: one run, told in a few lines."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from beatingbert.checkpoints.reference import describe_download
from beatingbert.cli.console import err, live, out
from beatingbert.experiments.config import RunConfig
from beatingbert.experiments.runner import run
from beatingbert.report.leaderboard import COLUMNS, Standing, standings
from beatingbert.runs.record import RunRecord


def run_and_tell(config: RunConfig) -> int:
    """Do one run, show its table and say where it lies."""
    record = run_live(config)
    found = standings([record])
    if found:
        out.print(leaderboard(found))
    else:
        out.print(f"answered {record.efficiency['throughput']['n']:,} questions of the unlabelled test split")
    for split, used in record.data["splits"].items():
        if isinstance(used, dict) and used.get("partial"):
            out.print(f"note: only a part of split {escape(split)} was found ({used['labelled']:,} rows)")
    out.print(f"run: {escape(str(record.folder))}")
    return 0


def run_live(config: RunConfig, *, title: str | None = None) -> RunRecord:
    """Do one run with live progress, after telling what it will download."""
    notice = describe_download(config.model)
    if notice:
        err.print(escape(notice))
    with live(title or f"{config.model} on {config.task}") as progress:
        return run(config, progress=progress)


def leaderboard(found: list[Standing]) -> Table:
    """The terminal's form of the leaderboard."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(COLUMNS):
        table.add_column(column, justify="left" if number < 3 else "right", no_wrap=number >= 3)
    for one in found:
        table.add_row(*map(escape, one.cells()))
    return table
