"""`beatingbert suite plan|run|status|publish|report FILE`: a grid of runs, gone on with wherever it was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.markup import escape

from beatingbert.cli.console import err, out
from beatingbert.cli.report import Report
from beatingbert.cli.suite_live import live_suite
from beatingbert.cli.suite_tables import announce, conclude, tell_plan, tell_publication, tell_refused, tell_status
from beatingbert.errors import SettingsError, SuiteError
from beatingbert.execution.catalog import build_executor
from beatingbert.execution.protocol import Event
from beatingbert.experiments.suite.jobs import Outcome, Terms, fetch_data, run_cells
from beatingbert.experiments.suite.load import Suite, load_suite, select
from beatingbert.experiments.suite.plan import Plan, plan_suite
from beatingbert.experiments.suite.probe import probe
from beatingbert.experiments.suite.publish import Publisher, publish_suite, require_publishable
from beatingbert.experiments.suite.stock import State
from beatingbert.experiments.suite.travel import pull
from beatingbert.runs.remote import is_url
from beatingbert.runs.store import RunStore

SHIPPED = Path("experiments") / "suites"


@dataclass(frozen=True, kw_only=True)
class SuiteCommand:
    """What every suite command is told.

    Attributes:
        file: The suite file, or the name of one in experiments/suites.
        data_dir: Where the rows of all tasks are, whatever the file says.
        max_eval_samples: Rows that each cell is evaluated on at most, whatever the file says.
        results_dir: Folder that holds results; the suite's runs lie in a folder of its name in it.
        store: Keep the runs in this folder instead, or copy them to this URL (s3://, gs://, ...); other machines may
            share it.
    """

    file: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="FILE")]]
    data_dir: Path | None = None
    max_eval_samples: int | None = None
    results_dir: Path = Path("results")
    store: Annotated[str | None, tyro.conf.arg(metavar="DIR_OR_URL")] = None

    def load(self) -> Suite:
        """The suite."""
        if self.max_eval_samples is not None and self.max_eval_samples < 2:
            raise SettingsError(f"--max_eval_samples must be at least 2, got {self.max_eval_samples}")
        shipped = SHIPPED / f"{self.file}.yaml"
        file = shipped if not self.file.exists() and shipped.is_file() else self.file
        if not file.exists() and SHIPPED.is_dir() and self.file.parent == Path():
            names = ", ".join(sorted(path.stem for path in SHIPPED.glob("*.yaml")))
            raise SuiteError(f"there is no suite file {str(self.file)!r}; shipped ones: {names}")
        instead: dict[str, Any] = {"data_dir": self.data_dir, "max_eval_samples": self.max_eval_samples}
        return load_suite(file, {key: value for key, value in instead.items() if value is not None})

    @property
    def url(self) -> str | None:
        """The store, where it is a URL."""
        return self.store if self.store is not None and is_url(self.store) else None

    def root(self, suite: Suite) -> Path:
        """The folder on this machine that holds the suite's runs."""
        return Path(self.store) if self.store is not None and self.url is None else self.results_dir / suite.name

    def plan(self, suite: Suite, **more: Any) -> Plan:
        """The suite held against the store, which is read from its URL first where it has one."""
        root = self.root(suite)
        if self.url is not None:
            for damage in pull(suite.cells, self.url, root):
                err.print(f"not done: {escape(damage)}")
        return plan_suite(suite, root, past=[self.results_dir], **more)


@dataclass(frozen=True, kw_only=True)
class SuiteWithPublished(SuiteCommand):
    """What the commands are told for which published runs count.

    Attributes:
        published: Folder of runs published by 'suite publish': their cells count as done.
    """

    published: Path | None = None

    def plan(self, suite: Suite, **more: Any) -> Plan:
        """The suite held against the store and what is published."""
        if self.published is not None and not self.published.is_dir() and self.published.exists():
            raise SettingsError(f"--published must be a folder, got {str(self.published)!r}")
        return super().plan(suite, published=self.published, **more)


@dataclass(frozen=True, kw_only=True)
class SuitePlan(SuiteWithPublished):
    """Say what a suite would run, what is done already, and what the rest will cost; runs nothing.

    Attributes:
        probe: Run one small cell for each checkpoint that no record tells of, and estimate from those.
        workers: Cells at a time, for the time that all of it takes.
    """

    probe: bool = False
    workers: int = 1

    def __call__(self) -> int:
        """Print it."""
        if self.workers < 1:
            raise SettingsError(f"--workers must be at least 1, got {self.workers}")
        suite = self.load()
        plan = self.plan(suite)
        if self.probe:
            with live_suite(plan, title="probing") as told:
                records = probe(plan, build_executor("serial"), on_event=told)
            plan = self.plan(suite, probed=records)
        tell_plan(plan, self.workers)
        return 0


@dataclass(frozen=True, kw_only=True)
class SuiteRun(SuiteWithPublished):
    """Run what of a suite is not done yet; give the same command again to go on with it.

    Attributes:
        published: Folder of runs published by 'suite publish': their cells count as done, and whatever is finished is
            published there at once.
        executor: Where cells run: 'serial' one after another, 'processes' several at a time on this machine, 'ray' on a
            Ray cluster.
        workers: Cells at a time. Default: one; with processes one per GPU, else two; with Ray as many as fit.
        address: The Ray cluster, e.g. auto. Default: a cluster on this machine for this command.
        only: Run only cells whose name holds this, with * and ? as in file names.
        fail_fast: Start no more cells after one that has failed.
        retries: Try a failed cell again this often.
        timeout: Seconds after which a cell is stopped and has failed.
        cpus: Cores that each cell with a checkpoint occupies, with Ray.
        gpus: GPUs that each cell with a checkpoint occupies.
        report: Report on what is done in the end, as 'suite report' does.
    """

    executor: Literal["serial", "processes", "ray"] = "serial"
    workers: int | None = None
    address: str | None = None
    only: str | None = None
    fail_fast: bool = False
    retries: int = 0
    timeout: float | None = None
    cpus: float = 1
    gpus: float = 0
    report: bool = False
    published: Path | None = None

    def __call__(self) -> int:
        """Run, then tell what came of it."""
        executor = build_executor(
            self.executor,
            workers=self.workers,
            retries=self.retries,
            fail_fast=self.fail_fast,
            address=self.address,
        )
        suite = self.load()
        if fetch_data(suite):
            suite = self.load()
        for folder, damage in RunStore(self.root(suite)).quarantine().items():
            err.print(f"set aside, to be run again: {escape(str(folder))}: {escape(damage)}")
        refused: dict[str, str] = {}
        if self.published is not None:
            publication = publish_suite(suite, self.root(suite), self.published)
            tell_publication(publication)
            refused = publication.refused
        plan = self.plan(suite)
        chosen = {one.id for one in (suite.cells if self.only is None else select(suite.cells, self.only))}
        cells = [one for one in plan.todo if one.id in chosen]
        if self.published is not None:
            require_publishable(cells)
        announce(plan, cells)
        outcome = Outcome()
        try:
            if cells:
                with live_suite(plan, title=suite.name, cells=cells) as told:
                    heard: Callable[[Event], None] = told
                    if self.published is not None:
                        heard = Publisher(suite, plan, self.published, told, refused=refused)
                    run_cells(cells, plan, executor, self._terms(), on_event=heard, outcome=outcome)
        finally:
            conclude(outcome, self.root(suite))
            tell_refused(refused)
        if self.report:
            _report(self.root(suite), None)
        return 1 if outcome.failed or refused else 0

    def _terms(self) -> Terms:
        # Workers elsewhere can write to a store that was named, because it was named for that; else they send files.
        elsewhere = self.executor == "ray" and self.address is not None
        bring = elsewhere and (self.store is None or self.url is not None)
        return Terms(url=self.url, bring=bring, cpus=self.cpus, gpus=self.gpus, timeout_s=self.timeout)


@dataclass(frozen=True, kw_only=True)
class SuiteStatus(SuiteWithPublished):
    """Say how far a suite is: cells done, running, failed and left, and where the tracebacks are."""

    def __call__(self) -> int:
        """Print it."""
        suite = self.load()
        plan = self.plan(suite)
        tell_status(plan)
        return 0


@dataclass(frozen=True, kw_only=True)
class SuitePublish(SuiteCommand):
    """Publish the finished cells of a suite: records and predictions, without texts and weights.

    Attributes:
        to: The folder of published runs; what lies there already stays as it is.
    """

    to: Path

    def __call__(self) -> int:
        """Publish, then tell what is there and what is missing."""
        suite = self.load()
        root = self.root(suite)
        if self.url is not None:
            self.plan(suite)  # which brings the runs here
        publication = publish_suite(suite, root, self.to)
        tell_publication(publication)
        tell_refused(publication.refused)
        return 1 if publication.refused else 0


@dataclass(frozen=True, kw_only=True)
class SuiteReport(SuiteCommand):
    """Report on the runs of a suite that are done, as 'beatingbert report' does.

    Attributes:
        output_dir: Where the files go. Default: analysis/ beside the suite's runs.
    """

    output_dir: Path | None = None

    def __call__(self) -> int:
        """Print and write."""
        suite = self.load()
        plan = self.plan(suite)
        todo = len(suite.cells) - plan.count(State.DONE)
        if todo:
            out.print(f"note: {todo:,} of {len(suite.cells):,} cells are not done yet, so this is the report so far")
        return _report(self.root(suite), self.output_dir)


def _report(root: Path, output_dir: Path | None) -> int:
    return Report(results_dir=root, output_dir=output_dir or root / "analysis")()
