"""`beatingbert decide`: which classifier for a table of one's own, told live and then in a few tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from rich.live import Live
from rich.markup import escape
from rich.table import Table

from beatingbert.cli.console import err, out
from beatingbert.cli.inspect import print_look, print_reading
from beatingbert.cli.own_table import OwnTable
from beatingbert.decision.budget import Budget, read_budget
from beatingbert.decision.candidates import Candidate
from beatingbert.decision.climb import Watch
from beatingbert.decision.decide import Request, decide_rows, sentences
from beatingbert.decision.decision import Decision
from beatingbert.decision.trials import METRIC_NAMES, Metric, Trial
from beatingbert.decision.words import Section, shown
from beatingbert.progress import Progress
from beatingbert.report.text import duration

LATEST = 12  # trials that the live table shows


@dataclass(frozen=True, kw_only=True)
class Decide(OwnTable):
    """Which classifier for a table of your own? Tries a ladder of them within a time budget.

    Attributes:
        metric: What decides.
        budget: Wall-clock time, e.g. 20m, 1h30m; downloads do not count.
        max_latency_ms: Longest that one question may take, 19 of 20 times.
        max_memory_gb: Most memory that answering may take.
        max_model_mb: Most space on disk.
        candidates: YAML file of candidates; docs/DECIDE.md tells its form. Default: a shipped ladder.
        margin: Difference that does not matter, as a fraction; within it the cheaper candidate is recommended.
        label_descriptions: YAML file, 'label: what it means', for the LLMs' prompts.
        prices: Price file for the costs of a million answers. Default: examples.
        output_dir: Fresh folder for the decision. Default: results/decide_NAME_TIME.
        seed: Of every draw.
    """

    metric: Literal["accuracy", "macro_f1", "mcc"] = "macro_f1"
    budget: str = "20m"
    max_latency_ms: float | None = None
    max_memory_gb: float | None = None
    max_model_mb: float | None = None
    candidates: Path | None = None
    margin: float = 0.01
    label_descriptions: Path | None = None
    prices: Path | None = None
    output_dir: Path | None = None
    seed: int = 99

    def __call__(self) -> int:
        """Check, read, ask what is in doubt, decide and show."""
        from beatingbert.tables.divide import split_own
        from beatingbert.tables.look import look

        request = Request(**{one.name: getattr(self, one.name) for one in fields(Request)})
        own = self.read(must_be_sure=True)
        budget = Budget(read_budget(self.budget))
        print_reading(own)
        looked = look(own)
        task, splits = split_own(own, seed=self.seed, looked=looked, label_descriptions=request.descriptions() or None)
        print_look(looked, splits)
        out.print()
        with live_ladder(budget, request.metric) as (watch, progress):
            decision = decide_rows(
                task,
                splits,
                request,
                budget=budget,
                findings=sentences(looked.findings),
                watch=watch,
                progress=progress,
            )
        show(decision)
        return 0


@dataclass
class LiveLadder(Watch):
    """A table of trials that grows, with what is being done and the seconds that are left."""

    budget: Budget
    metric: Metric
    trials: list[tuple[Trial, str]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    doing: str = "getting ready"
    phase: str = ""

    def begins(self, candidate: Candidate, rows: int, expected: float, left: float) -> None:
        """A trial begins."""
        self.doing, self.phase = f"{candidate.name} on {rows:,} rows, about {duration(max(0.1, expected))}", ""
        _tell(f"{self.doing}; {duration(max(0.1, left))} left")

    def ends(self, trial: Trial, score: float, *, kept: bool = True) -> None:
        """A trial has ended."""
        told = shown(self.metric, score) + ("" if kept else ", not kept")
        self.trials.append((trial, told))
        self.doing = "choosing"
        _tell(f"{trial.candidate.name} on {trial.rows:,} rows: {METRIC_NAMES[self.metric]} {told}")

    def leaves(self, candidate: Candidate, reason: str) -> None:
        """A candidate goes."""
        self.left.append((candidate.name, reason))
        _tell(f"{candidate.name} leaves: {reason}")

    def hears(self, phase: str, done: int, total: int) -> None:
        """As `Progress`."""
        self.phase = f"{phase} {done:,} of {total:,}"

    def __rich__(self) -> Table:
        left = duration(max(0.1, self.budget.left))
        table = Table(title=escape(f"{left} left; {self.doing} {self.phase}"), title_justify="left", box=None)
        for name in ("candidate", "rows", METRIC_NAMES[self.metric], "took"):
            table.add_column(name, justify="left" if name == "candidate" else "right")
        for trial, told in self.trials[-LATEST:]:
            cells = (f"{trial.rows:,}", told, duration(trial.spent.total))
            table.add_row(escape(trial.candidate.name), *cells)
        return table


@contextmanager
def live_ladder(budget: Budget, metric: Metric) -> Iterator[tuple[Watch, Progress]]:
    """Show on standard error how the ladder is climbed, as a table in a terminal and as lines elsewhere."""
    ladder = LiveLadder(budget, metric)
    if not err.is_terminal:
        yield ladder, ladder.hears
        return
    with Live(ladder, console=err, refresh_per_second=2, transient=True):
        yield ladder, ladder.hears


def show(decision: Decision) -> None:
    """The decision as headings, sentences and tables."""
    for section in decision.sections():
        out.print(f"[bold]{escape(section.title)}[/bold]")
        for line in section.lines:
            out.print(escape(line))
        if section.rows:
            out.print(_table(section))
        out.print()
    if decision.classifier is not None:
        out.print(f"Put it to work: beatingbert predict {escape(str(decision.classifier))} ...")
    out.print(f"Everything: {escape(str(decision.folder))}/ (decision.md, decision.html, report/report.html)")


def _table(section: Section) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for place, name in enumerate(section.columns):
        table.add_column(escape(name), justify="left" if place < section.left else "right")
    for row in section.rows:
        table.add_row(*map(escape, row))
    return table


def _tell(line: str) -> None:
    if not err.is_terminal:
        err.print(escape(line))
