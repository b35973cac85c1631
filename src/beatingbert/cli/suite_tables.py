"""What is told of a suite in the terminal: its plan, its state, and what came of running it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from beatingbert.cli.console import err, out
from beatingbert.experiments.suite.jobs import Outcome
from beatingbert.experiments.suite.load import SuiteCell
from beatingbert.experiments.suite.plan import Plan, parts_of, uncertainty
from beatingbert.experiments.suite.publish import Publication
from beatingbert.experiments.suite.stock import State
from beatingbert.report.text import duration

MOST_LISTED = 20
BASES = {"same": "records", "scaled": "other tasks' records", "rule": "rule of thumb"}
HOUR, DAY = 3600, 86_400


def span(seconds: float) -> str:
    """A time that may be long, e.g. "2.5 h" or "3.1 days"; a short one as everywhere else."""
    if seconds < 2 * HOUR:
        return duration(seconds)
    return f"{seconds / HOUR:,.1f} h" if seconds < 2 * DAY else f"{seconds / DAY:,.1f} days"


def tell_plan(plan: Plan, workers: int) -> None:
    """The plan as a table by engine and checkpoint, with a sentence on the whole."""
    suite = plan.suite
    if suite.about:
        out.print(escape(suite.about))
    table = _table("engine", "model", "cells", "done", "failed", "left", "time", "MiB at peak", "MiB on disk", "from")
    for part in parts_of(plan):
        costs = (span(part.seconds), f"{part.memory_mib:,.0f}", f"{part.disk_mib:,.0f}")
        table.add_row(
            part.engine,
            escape(part.model),
            *(f"{count:,}" for count in (part.cells, part.done, part.failed, part.left)),
            *(costs if part.done < part.cells else ("-",) * 3),
            ", ".join(BASES[basis] for basis in part.bases) or "-",
        )
    out.print(table)
    if not plan.todo:
        out.print(f"all {len(suite.cells):,} cells are done: 'beatingbert suite report {escape(str(suite.path))}'")
        return
    seconds = sum(cost.seconds for cost in plan.costs.values()) / workers
    memory = max(cost.memory_mib for cost in plan.costs.values())
    disk = sum(cost.disk_mib for cost in plan.costs.values())
    out.print(
        f"{len(suite.cells):,} cells, {len(plan.todo):,} to run: about {span(seconds)} on {_workers(workers)}, "
        f"{_give_or_take(plan)}; {memory:,.0f} MiB of memory for each worker, {disk:,.0f} MiB of disk"
    )
    if any(cost.basis == "rule" for cost in plan.costs.values()):
        out.print("--probe makes a better guess: it runs a small cell for each checkpoint that no record tells of.")


def tell_status(plan: Plan) -> None:
    """How many cells are how far, and why those have failed that did."""
    table = _table("state", "cells")
    for state in State:
        table.add_row(state.value, f"{plan.count(state):,}")
    out.print(table)
    failed = [one for one in plan.suite.cells if plan.states[one.id] is State.FAILED]
    _list_failed({one.name: plan.stock.error_of(one) for one in failed})
    for path in plan.stock.unreadable:
        out.print(f"damaged, so not done: {escape(str(path))}")


def tell_publication(done: Publication) -> None:
    """What was published, what is missing, and what lies there that is no part of the suite."""
    told = f"{escape(str(done.folder))}/: {len(done.added):,} cells published, {done.there:,} were there before, "
    out.print(f"{told}{len(done.missing):,} of the suite are not finished")
    for name in done.foreign[:MOST_LISTED]:
        out.print(f"no cell of this suite (any more), so left out of its report: {escape(name)}")
    if len(done.foreign) > MOST_LISTED:
        out.print(f"... and {len(done.foreign) - MOST_LISTED:,} more")


def tell_refused(refused: Mapping[str, str]) -> None:
    """Which finished cells could not be published, and why."""
    for why in list(refused.values())[:MOST_LISTED]:
        err.print(f"not published: {escape(why)}")
    if len(refused) > MOST_LISTED:
        err.print(f"... and {len(refused) - MOST_LISTED:,} more")


def announce(plan: Plan, cells: Sequence[SuiteCell]) -> None:
    """What is about to be run."""
    told = f"{plan.suite.name}: {len(plan.suite.cells):,} cells, {plan.count(State.DONE):,} done, {len(cells):,} to run"
    if cells:
        seconds = sum(plan.costs[one.id].seconds for one in cells)
        told += f", about {span(seconds)} on one worker, {_give_or_take(plan)}"
    out.print(escape(told))


def conclude(outcome: Outcome, root: Path) -> None:
    """What came of it, and where the tracebacks are."""
    told = f"{len(outcome.done):,} finished, {len(outcome.failed):,} failed"
    if outcome.elsewhere:
        told += f", {len(outcome.elsewhere):,} left to another runner that is doing them"
    out.print(f"{told}; runs: {escape(str(root))}/")
    _list_failed(outcome.failed)


def _list_failed(failed: Mapping[str, Path]) -> None:
    for name, path in list(failed.items())[:MOST_LISTED]:
        out.print(f"failed: {escape(name)}: {escape(_last_line(path))}")
        out.print(f"        traceback: {escape(str(path))}")
    if len(failed) > MOST_LISTED:
        out.print(f"... and {len(failed) - MOST_LISTED:,} more")


def _workers(count: int) -> str:
    return "one worker" if count == 1 else f"{count} workers"


def _give_or_take(plan: Plan) -> str:
    return f"give or take a factor {uncertainty(plan):.1f}"


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "no traceback was left"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="left" if column in ("engine", "model", "state", "from") else "right")
    return table
