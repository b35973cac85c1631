"""What the user sees while a suite runs: how far it is, what is running, how long it will take, who leads."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from beatingbert.cli.console import err
from beatingbert.errors import BeatingBertError
from beatingbert.execution.protocol import Event, Failed, Finished, Started, Stopping
from beatingbert.experiments.suite.load import SuiteCell
from beatingbert.experiments.suite.plan import Plan
from beatingbert.report.leaderboard import standings
from beatingbert.report.text import duration
from beatingbert.runs.record import RunRecord
from beatingbert.runs.store import RESULTS, read_record

BEST_OF_TASK, MOST_ROWS, MOST_RUNNING = 3, 12, 8
SHOWN = ("task", "model", "how", "accuracy [95 %]", "per s", "training")


class SuiteLive:
    """Listens to an executor; what it shows is made anew each time it is looked at.

    Args:
        plan: that is carried out.
        title: what is being done.
        cells: those that are run.
    """

    def __init__(self, plan: Plan, title: str, cells: Sequence[SuiteCell]) -> None:
        self._plan = plan
        self._title = title
        self._costs = {one.id: plan.costs[one.id].seconds for one in cells if one.id in plan.costs}
        self._total = len(cells)
        self._records = plan.records
        self._running: dict[str, tuple[str, float]] = {}
        self._ended: set[str] = set()
        self._failed = 0
        self._begun = time.monotonic()
        self._stopping = False

    def __call__(self, event: Event) -> None:
        """As an executor's `on_event`."""
        if isinstance(event, Stopping):
            self._stopping = True
            self._say(f"stopping: {event.running} running cell(s) are finished first; Ctrl-C again stops them now")
            return
        if isinstance(event, Started):
            self._running[event.job.id] = (event.job.name, time.monotonic())
            return
        name, begun = self._running.pop(event.job.id, (event.job.name, time.monotonic()))
        took = duration(time.monotonic() - begun)
        if isinstance(event, Failed) and event.will_retry:
            self._say(f"failed, to be tried again (attempt {event.attempts}): {name} ({took})")
            return
        self._ended.add(event.job.id)
        place = f"{len(self._ended)}/{self._total}"
        if isinstance(event, Failed):
            self._failed += 1
            lines = event.error.strip().splitlines()
            self._say(f"{place} failed: {name} ({took}): {lines[-1] if lines else 'no reason was given'}")
            return
        self._keep(name)
        self._say(f"{place} {name}: {_came_to(event)} ({took})")

    @property
    def seconds_left(self) -> float | None:
        """How long the rest will take, by how the estimates have held so far; None before anything has ended."""
        ended = sum(self._costs.get(one, 0.0) for one in self._ended)
        left = sum(seconds for one, seconds in self._costs.items() if one not in self._ended)
        return (time.monotonic() - self._begun) * left / ended if ended else None

    def __rich__(self) -> RenderableType:
        """All of it."""
        left = self.seconds_left
        head = (
            f"{self._title}: {len(self._ended) - self._failed} done, {len(self._running)} running, "
            f"{self._failed} failed of {self._total}"
        )
        head += f", about {duration(left)} left" if left else ""
        parts: list[RenderableType] = [
            Text(head, style="bold"),
            ProgressBar(total=self._total, completed=len(self._ended)),
        ]
        now = time.monotonic()
        for name, begun in list(self._running.values())[:MOST_RUNNING]:
            parts.append(Text(f"  {name} ({duration(now - begun)})"))
        if self._records:
            parts += [Text(""), _leaders(self._records)]
        return Group(*parts)

    def _say(self, line: str) -> None:
        err.print(escape(line), soft_wrap=True)

    def _keep(self, name: str) -> None:
        try:
            self._records = [*self._records, read_record(self._plan.stock.root / name / RESULTS)]
        except (BeatingBertError, OSError):
            return  # it is on another machine, or another runner's: the table goes without


def _came_to(event: Finished) -> str:
    if event.result.get("state") != "done":
        return "another runner is doing it"
    accuracy = event.result.get("metrics", {}).get("accuracy")
    return f"accuracy {100 * accuracy['value']:.1f}" if accuracy else "done"


def _leaders(records: Sequence[RunRecord]) -> Table:
    """The best few of each task so far."""
    table = Table(box=None, pad_edge=False, header_style="bold", title="so far", title_justify="left")
    for column in SHOWN:
        table.add_column(column, no_wrap=True)
    seen: dict[str, int] = {}
    for one in standings(records):
        seen[one.name] = seen.get(one.name, 0) + 1
        if seen[one.name] <= BEST_OF_TASK and table.row_count < MOST_ROWS:
            cells = one.cells()
            table.add_row(*(escape(cells[column]) for column in SHOWN))
    return table


@contextmanager
def live_suite(plan: Plan, *, title: str, cells: Sequence[SuiteCell] | None = None) -> Iterator[SuiteLive]:
    """Shown on standard error while the block runs; where nobody looks at a terminal, a line per cell is all."""
    told = SuiteLive(plan, title, plan.todo if cells is None else cells)
    if not sys.stderr.isatty():
        yield told
        return
    with Live(told, console=err, refresh_per_second=2, transient=True):
        yield told
