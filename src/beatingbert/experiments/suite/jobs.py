"""Running what is left of a suite: cells become jobs, an executor runs them, a store keeps what comes of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from beatingbert.errors import BeatingBertError
from beatingbert.execution.protocol import Event, Executor, Failed, Finished, Job, Started
from beatingbert.experiments.suite.flags import to_plain
from beatingbert.experiments.suite.load import Suite, SuiteCell
from beatingbert.experiments.suite.plan import Plan
from beatingbert.experiments.suite.stock import ERROR, State, take_stock
from beatingbert.experiments.suite.travel import unpack
from beatingbert.experiments.suite.work import WORK
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.load import open_source

BASELINES = ("majority", "linear")
UNKNOWN = "unknown"  # the revision of a hub data set that is not on this machine yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How the cells of one call are run.

    Attributes:
        url: the store that finished runs are copied to, where it is a URL.
        bring: whether workers send files back, because they write to disks that this machine cannot read.
        cpus, gpus: what each cell with a checkpoint occupies; baselines take one CPU and no GPU.
        timeout_s: seconds after which a cell has failed; None for never.
    """

    url: str | None = None
    bring: bool = False
    cpus: float = 1
    gpus: float = 0
    timeout_s: float | None = None


@dataclass(slots=True)
class Outcome:
    """What came of a call.

    Attributes:
        done: cells that were finished.
        elsewhere: cells that another runner is doing.
        failed: cells that have failed, each with where its traceback is.
    """

    done: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    failed: dict[str, Path] = field(default_factory=dict)


def fetch_data(suite: Suite) -> bool:
    """Bring data of the hub's onto this machine, so that every cell is planned with the commit it will be run with.

    Returns:
        Whether anything was fetched, so that the suite should be planned again. What cannot be had is left to its
        cells, which fail and say why.
    """
    fetched = False
    missing = [one for one in suite.cells if one.cell.data_revision == UNKNOWN]
    for task, data_dir in dict.fromkeys((one.cell.task, one.config.data_dir) for one in missing):
        source = open_source(find_task(task), data_dir=data_dir)
        try:
            source.read(find_task(task).evaluation[0])
        except BeatingBertError:
            continue
        fetched = fetched or source.revision() != UNKNOWN
    return fetched


def jobs_for(cells: Sequence[SuiteCell], plan: Plan, terms: Terms) -> list[Job]:
    """Cells as an executor wants them; those of one group declare the same memory, so that one worker serves them."""
    memory: dict[str, int] = {}
    for one in cells:
        cost = plan.costs.get(one.id)
        if cost is not None and cost.basis != "rule" and not terms.gpus:
            memory[one.group] = max(memory.get(one.group, 0), round(cost.memory_mib))
    return [_job(one, plan.stock.root, terms, memory.get(one.group)) for one in cells]


def _job(one: SuiteCell, root: Path, terms: Terms, memory_mib: int | None) -> Job:
    config = dataclasses.replace(one.config, output_dir=(root / one.name).absolute(), run_name=one.name)
    small = one.cell.engine in BASELINES
    return Job(
        id=one.id,
        name=one.name,
        payload={"run": to_plain(config), "id": one.id, "url": terms.url, "bring": terms.bring},
        group=one.group,
        cpus=1 if small else terms.cpus,
        gpus=0 if small else terms.gpus,
        memory_mib=memory_mib,
        timeout_s=terms.timeout_s,
    )


def run_cells(
    cells: Sequence[SuiteCell],
    plan: Plan,
    executor: Executor,
    terms: Terms,
    *,
    on_event: Callable[[Event], None],
    outcome: Outcome | None = None,
) -> Outcome:
    """Run cells and keep what comes of them.

    Args:
        cells: what to run, in this order.
        plan: that they are from; its store keeps the runs.
        executor: runs them.
        terms: how.
        on_event: told of each start and end, after a run or its traceback is kept.
        outcome: filled while cells end, so that it can be read even if Ctrl-C ends the call.

    Raises:
        SettingsError: a cell needs more than there is.
        KeyboardInterrupt: Ctrl-C; what was finished is kept.
    """
    root, outcome = plan.stock.root, outcome if outcome is not None else Outcome()
    names = {one.id: one.name for one in cells}

    def note(event: Event) -> None:
        if isinstance(event, Started):
            (root / names[event.job.id] / ERROR).unlink(missing_ok=True)  # of an earlier call
        elif isinstance(event, Finished):
            if event.result["state"] == "elsewhere":
                outcome.elsewhere.append(names[event.job.id])
            else:
                unpack(event.result.pop("files", {}), root / names[event.job.id])
                outcome.done.append(names[event.job.id])
        elif isinstance(event, Failed) and not event.will_retry:
            outcome.failed[names[event.job.id]] = keep_error(root / names[event.job.id], event.error)
        on_event(event)

    executor.run(jobs_for(cells, plan, terms), WORK, on_event=note)
    left = _given_up([one for one in cells if one.name in outcome.elsewhere], root)
    if left:
        outcome.elsewhere = [name for name in outcome.elsewhere if name not in {one.name for one in left}]
        executor.run(jobs_for(left, plan, terms), WORK, on_event=note)
    return outcome


def _given_up(cells: Sequence[SuiteCell], root: Path) -> list[SuiteCell]:
    """Those of the cells left to another runner that it has neither finished nor is at: it has ended too early."""
    stock = take_stock(root) if cells else None
    return [one for one in cells if stock is not None and stock.state_of(one) in (State.LEFT, State.FAILED)]


def keep_error(folder: Path, text: str) -> Path:
    """Keep the traceback of a cell that has left none itself: its worker died, or nothing of it was to be kept."""
    path = folder / ERROR
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    return path
