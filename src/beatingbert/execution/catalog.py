"""Every executor by name. Its own module is imported when it is built, not before."""

from __future__ import annotations

from beatingbert.errors import SettingsError, UnknownNameError
from beatingbert.execution.protocol import Executor

EXECUTORS = {
    "serial": "one cell after another, in one worker process with all threads",
    "processes": "several worker processes on this machine, each with its share of threads and GPUs",
    "ray": "workers on a Ray cluster, or on a local one; needs 'pip install beatingbert[ray]'",
}


def build_executor(
    name: str,
    *,
    workers: int | None = None,
    retries: int = 0,
    fail_fast: bool = False,
    address: str | None = None,
    threads: int | None = None,
) -> Executor:
    """An executor by its name in `EXECUTORS`.

    Args:
        name: which one.
        workers: how many jobs run at a time. None: one for serial, one per GPU (else one) for processes, as many as fit
            for Ray.
        retries: how often a failed job is tried again.
        fail_fast: start no more jobs after one that has failed for good.
        address: of the Ray cluster, e.g. "auto"; None starts a local one. Others have none.
        threads: per worker. None: this machine's cores divided by the workers.

    Raises:
        UnknownNameError: no such executor.
        SettingsError: a number out of range, an address that is not for this executor, or Ray is not installed.
    """
    if name not in EXECUTORS:
        raise UnknownNameError("executor", name, EXECUTORS)
    raise SettingsError(f"executor {name!r} is not built yet")
