"""Who gets which job next, what a failure means, when to stop. Knows no processes and no cluster: a site has those."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from beatingbert.execution.backlog import Backlog, Needs
from beatingbert.execution.interrupts import Interrupts
from beatingbert.execution.outcomes import Died, Outcome, Returned, Taken
from beatingbert.execution.protocol import Event, Failed, Finished, Job, Started, Stopping
from beatingbert.execution.work import require_runnable

LOOK_EVERY_SECONDS = 0.1
MAX_LOSSES = 3
"""How often a job is run again that was lost through no fault of its own, whatever the retries."""


class Hand(Protocol):
    """One worker, with one job at most."""

    name: str

    def is_alive(self) -> bool:
        """Whether it may be given a job; the answer may be out of date."""
        ...

    def give(self, job: Job) -> None:
        """Let it begin; what comes of it is told by the site's `wait`."""
        ...

    def dismiss(self) -> None:
        """End it at once, with all it has started."""
        ...


class Site(Protocol):
    """Where workers are."""

    def require(self, job: Job) -> None:
        """Raise SettingsError if the job can never run here."""
        ...

    def has_room(self, needs: Needs) -> bool:
        """Whether one more worker with these needs may be hired now; always true where there is none."""
        ...

    def hire(self, needs: Needs) -> Hand:
        """A fresh worker."""
        ...

    def wait(self, seconds: float) -> list[tuple[Hand, Outcome]]:
        """What has come of the jobs that were given, after this long at most."""
        ...


class Foreman:
    """An executor over one kind of site.

    Args:
        open_site: makes the site for a work; closing it ends every worker.
        retries: how often a failed job is tried again.
        fail_fast: start no more jobs after one that has failed for good.
    """

    def __init__(
        self, open_site: Callable[[str], AbstractContextManager[Site]], *, retries: int, fail_fast: bool
    ) -> None:
        self._open_site = open_site
        self._retries = retries
        self._fail_fast = fail_fast

    def run(self, jobs: Sequence[Job], work: str, *, on_event: Callable[[Event], None]) -> None:
        """As `Executor.run`."""
        require_runnable(jobs, work)
        if not jobs:
            return
        with Interrupts() as interrupts, self._open_site(work) as site:
            for job in jobs:
                site.require(job)
            shift = _Shift(site, Backlog(jobs), on_event, retries=self._retries)
            while True:
                if interrupts.count and not shift.stopping:
                    shift.stopping = True
                    on_event(Stopping(len(shift.busy)))
                if self._fail_fast and shift.has_failed:
                    shift.stopping = True
                if not shift.stopping:
                    shift.hand_out()
                if interrupts.count > 1 or not shift.busy:
                    break
                shift.settle()
        if interrupts.count:
            raise KeyboardInterrupt


@dataclass(slots=True)
class _Task:
    job: Job
    deadline: float | None = None  # on the monotonic clock, once the job has begun
    begun: bool = False


class _Shift:
    """One call of `run`: who does what."""

    def __init__(self, site: Site, backlog: Backlog, tell: Callable[[Event], None], *, retries: int) -> None:
        self.busy: dict[Hand, _Task] = {}
        self.stopping = False
        self.has_failed = False
        self._idle: dict[Hand, str] = {}
        self._site = site
        self._backlog = backlog
        self._tell = tell
        self._retries = retries
        self._attempts: Counter[str] = Counter()
        self._losses: Counter[str] = Counter()

    def hand_out(self) -> None:
        """Give every idle worker a job of its group, send the others home, and hire while there is room."""
        for hand, group in list(self._idle.items()):
            del self._idle[hand]
            job = self._backlog.take(group) if hand.is_alive() else None
            if job is None:
                hand.dismiss()
            else:
                self._give(hand, job)
        while (waiting := self._next_group()) is not None:
            hand = self._site.hire(self._backlog.needs(waiting))
            job = self._backlog.take(waiting)
            assert job is not None, waiting
            self._give(hand, job)

    def settle(self) -> None:
        """Wait a moment, take what has come, and stop what takes too long."""
        for hand, outcome in self._site.wait(LOOK_EVERY_SECONDS):
            if hand in self.busy:
                self._take(hand, outcome)
        now = time.monotonic()
        for hand, task in list(self.busy.items()):
            if task.deadline is not None and now > task.deadline:
                hand.dismiss()
                self._take(hand, Died(f"took longer than {task.job.timeout_s:g} s and was stopped"))

    def _next_group(self) -> str | None:
        at_work = [task.job.group for task in self.busy.values()]
        for group in self._backlog.groups(at_work):
            if self._site.has_room(self._backlog.needs(group)):
                return group
        return None

    def _give(self, hand: Hand, job: Job) -> None:
        self._attempts[job.id] += 1
        self.busy[hand] = _Task(job)
        self._tell(Started(job, hand.name))
        hand.give(job)

    def _take(self, hand: Hand, outcome: Outcome) -> None:
        task = self.busy[hand]
        if isinstance(outcome, Taken):
            task.begun = True
            if task.job.timeout_s is not None:
                task.deadline = time.monotonic() + task.job.timeout_s
            return
        del self.busy[hand]
        if isinstance(outcome, Died):
            hand.dismiss()
            self._failed(task.job, outcome.error, blameless=outcome.blameless or not task.begun)
            return
        self._idle[hand] = task.job.group
        if isinstance(outcome, Returned):
            self._tell(Finished(task.job, outcome.result))
        else:
            self._failed(task.job, outcome.error, final=outcome.final)

    def _failed(self, job: Job, error: str, *, blameless: bool = False, final: bool = False) -> None:
        self._losses[job.id] += blameless
        failures = self._attempts[job.id] - self._losses[job.id]
        again = self._losses[job.id] <= MAX_LOSSES if blameless else not final and failures <= self._retries
        if again:
            self._backlog.put(job)
        else:
            self.has_failed = True
        self._tell(Failed(job, error, attempts=self._attempts[job.id], will_retry=again and not self.stopping))
