"""The jobs that wait, by group, and which group a new worker should take up."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from beatingbert.execution.protocol import Job


@dataclass(frozen=True, slots=True)
class Needs:
    """What a worker must have for every job of its group: the largest of each.

    Attributes:
        cpus, gpus: as in `Job`.
        memory_mib: as in `Job`; 0 where no job tells.
    """

    cpus: float
    gpus: float
    memory_mib: int


class Backlog:
    """Jobs in the order given, handed out group by group."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._waiting: dict[str, deque[Job]] = {}
        for job in jobs:
            self.put(job)

    def __len__(self) -> int:
        """How many jobs wait."""
        return sum(map(len, self._waiting.values()))

    def put(self, job: Job) -> None:
        """Append a job to its group; a job that is tried again waits behind the others."""
        self._waiting.setdefault(job.group, deque()).append(job)

    def take(self, group: str) -> Job | None:
        """The next job of a group, or None."""
        jobs = self._waiting.get(group)
        if not jobs:
            return None
        job = jobs.popleft()
        if not jobs:
            del self._waiting[group]
        return job

    def groups(self, at_work: Iterable[str]) -> Iterator[str]:
        """Groups that wait, those first that fewest workers are at, else in the order given.

        Args:
            at_work: the group of each worker.
        """
        served = Counter(at_work)
        yield from sorted(self._waiting, key=lambda group: served[group])

    def needs(self, group: str) -> Needs:
        """What the waiting jobs of a group need."""
        jobs = self._waiting[group]
        return Needs(
            cpus=max(job.cpus for job in jobs),
            gpus=max(job.gpus for job in jobs),
            memory_mib=max(job.memory_mib or 0 for job in jobs),
        )
