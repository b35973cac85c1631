"""Worker processes on this machine: fresh interpreters, each with its share of threads and GPUs, talking JSON.

A worker leads a session of its own, so Ctrl-C in the terminal reaches the runner alone, and a worker is ended together
with what it has started. What it prints goes to a file of its own, whose end is told should it die.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from beatingbert.errors import SettingsError
from beatingbert.execution.backlog import Needs
from beatingbert.execution.foreman import Hand
from beatingbert.execution.outcomes import Died, Outcome, read_reply
from beatingbert.execution.protocol import Job
from beatingbert.execution.share import gpus_of, thread_environment, visible_gpus

TOLD_BYTES = 2000  # of what a dead worker has printed
MIB = 2**20


class Process:
    """One worker process."""

    def __init__(self, name: str, work: str, needs: Needs, environment: dict[str, str]) -> None:
        self.name = name
        self.needs = needs
        self._printed: IO[bytes] = tempfile.TemporaryFile()  # closed when dismissed
        jobs, self._jobs = os.pipe()
        self.replies, replies = os.pipe()
        self._unread = b""
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "beatingbert.execution.worker", work, str(jobs), str(replies)],
                stdin=subprocess.DEVNULL,
                stdout=self._printed,
                stderr=self._printed,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment},
                pass_fds=(jobs, replies),
                start_new_session=True,
            )
        finally:
            os.close(jobs)
            os.close(replies)

    @property
    def is_dismissed(self) -> bool:
        """Whether it has been ended by `dismiss`."""
        return self._printed.closed

    def is_alive(self) -> bool:
        """As `Hand`."""
        return self._process.poll() is None

    def give(self, job: Job) -> None:
        """As `Hand`; a worker that is dead already is found so by `read`."""
        self._printed.seek(0)
        self._printed.truncate()
        line = json.dumps(job.payload, allow_nan=False).encode() + b"\n"
        with suppress(BrokenPipeError):
            while line:
                line = line[os.write(self._jobs, line) :]

    def read(self, *, ready: bool) -> list[Outcome]:
        """What it has replied since the last time, and whether it is dead.

        Args:
            ready: whether there is something to be read.
        """
        ended = not self.is_alive()
        data = os.read(self.replies, MIB) if ready else b""
        *lines, self._unread = (self._unread + data).split(b"\n")
        outcomes = [read_reply(line) for line in lines]
        if (ready and not data) or (ended and not ready):
            outcomes.append(Died(self._obituary()))
        return outcomes

    def dismiss(self) -> None:
        """As `Hand`."""
        if self.is_dismissed:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._jobs)
        os.close(self.replies)
        self._printed.close()

    def _obituary(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)
        status = self._process.poll()
        if status is None:
            end = "closed its pipe"
        elif status >= 0:
            end = f"ended by itself with status {status}"
        else:
            end = f"was killed by {signal.Signals(-status).name}"
            end += " (the system does that when memory runs out)" if -status == signal.SIGKILL else ""
        size = self._printed.seek(0, os.SEEK_END)
        self._printed.seek(max(0, size - TOLD_BYTES))
        printed = self._printed.read().decode("utf-8", errors="replace").strip()
        return f"the worker {end}" + (f"; it had printed:\n{printed}" if printed else "")


class Machine:
    """This machine as a site.

    Args:
        work: "module:function".
        workers: how many processes at a time.
        threads: of each.
    """

    def __init__(self, work: str, *, workers: int, threads: int) -> None:
        self._work = work
        self._workers = workers
        self._threads = threads
        self._gpus = visible_gpus()
        self._memory_mib = _memory_mib()
        self._slots: dict[int, Process] = {}

    def require(self, job: Job) -> None:
        """As `Site`."""
        share = len(gpus_of(0, self._workers, self._gpus))
        if job.gpus > share:
            raise SettingsError(
                f"job {job.name!r} needs {job.gpus:g} GPUs, but each of {self._workers} workers has {share} "
                f"({len(self._gpus)} in this machine); ask for fewer workers or another machine"
            )

    def has_room(self, needs: Needs) -> bool:
        """As `Site`: a free place, and memory for what is declared; where nobody works there is always room."""
        self._forget_the_dismissed()
        if not self._slots:
            return True
        reserved = sum(one.needs.memory_mib for one in self._slots.values())
        return len(self._slots) < self._workers and reserved + needs.memory_mib <= self._memory_mib

    def hire(self, needs: Needs) -> Hand:
        """As `Site`."""
        self._forget_the_dismissed()
        slot = next(slot for slot in range(self._workers) if slot not in self._slots)
        environment = thread_environment(self._threads)
        if self._gpus and self._workers > 1:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus_of(slot, self._workers, self._gpus))
        self._slots[slot] = Process(f"worker {slot + 1}", self._work, needs, environment)
        return self._slots[slot]

    def wait(self, seconds: float) -> list[tuple[Hand, Outcome]]:
        """As `Site`."""
        self._forget_the_dismissed()
        with selectors.DefaultSelector() as selector:
            for process in self._slots.values():
                selector.register(process.replies, selectors.EVENT_READ)
            ready = {key.fd for key, _ in selector.select(seconds)}
        return [
            (process, outcome)
            for process in self._slots.values()
            for outcome in process.read(ready=process.replies in ready)
        ]

    def close(self) -> None:
        """End every worker."""
        for process in self._slots.values():
            process.dismiss()

    def _forget_the_dismissed(self) -> None:
        self._slots = {slot: one for slot, one in self._slots.items() if not one.is_dismissed}


@contextmanager
def open_machine(work: str, *, workers: int, threads: int) -> Iterator[Machine]:
    """This machine's workers, which end with the block."""
    machine = Machine(work, workers=workers, threads=threads)
    try:
        yield machine
    finally:
        machine.close()


def _memory_mib() -> int:
    import psutil

    return int(psutil.virtual_memory().total // MIB)
