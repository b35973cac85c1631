"""What an executor is given and what it tells: jobs, events, one verb. Knows nothing of what a job does.

A job's work is a function named "module:function" that takes the job's payload and returns plain JSON. It runs in a
process of its own, on this machine or another, so nothing but JSON goes in or comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work.

    Attributes:
        id: unique among the jobs of one call.
        name: what the user reads.
        payload: plain JSON, the work's only argument.
        group: jobs of one group share what is slow to load. A worker stays with its group; another group's jobs get a
            fresh process, so that one group's memory is not measured as another's.
        cpus, gpus: what the job occupies; a cluster reserves them, on one machine the workers share what there is.
        memory_mib: what the job needs at its peak; None means unknown.
        timeout_s: seconds after which the job is stopped and has failed; None means never.
    """

    id: str
    name: str
    payload: Mapping[str, Any]
    group: str = ""
    cpus: float = 1
    gpus: float = 0
    memory_mib: int | None = None
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """A worker has been given a job; told anew for each attempt."""

    job: Job
    worker: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A job's work has returned.

    Attributes:
        job: the job.
        result: what the work returned, as plain JSON.
    """

    job: Job
    result: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """A job's work raised, took too long, or its worker died.

    Attributes:
        job: the job.
        error: a traceback, or what became of the worker.
        attempts: how often it has been tried, this one included.
        will_retry: whether it is tried once more, later.
    """

    job: Job
    error: str
    attempts: int
    will_retry: bool


@dataclass(frozen=True, slots=True)
class Stopping:
    """Ctrl-C was pressed once: the running jobs are finished, no more are started.

    Attributes:
        running: how many are being finished.
    """

    running: int


Event = Started | Finished | Failed | Stopping


class Executor(Protocol):
    """Runs jobs somewhere. All executors pass the same tests, `tests/contract/test_executors.py`."""

    def run(self, jobs: Sequence[Job], work: str, *, on_event: Callable[[Event], None]) -> None:
        """Run every job once, tell what happens, and leave nothing running.

        A job that fails stops no other. `on_event` is called in this thread; what it raises stops everything.

        Args:
            jobs: in the order in which they should be started where nothing speaks against it.
            work: "module:function"; the function takes a payload and returns plain JSON.
            on_event: told of each start and each end, in the order in which they happen.

        Raises:
            SettingsError: a payload that is no plain JSON, two jobs of one id, a work that names no function, or a job
                that needs more than there is. Nothing has been started.
            KeyboardInterrupt: Ctrl-C. Pressed once the running jobs are finished first; twice they are killed.
        """
        ...
