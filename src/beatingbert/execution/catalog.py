"""Every executor by name. Its own module is imported when it is built, not before."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

from beatingbert.errors import NotAvailableError, SettingsError, UnknownNameError
from beatingbert.execution.protocol import Executor

EXECUTORS = {
    "serial": "one job after another, in a worker process with all threads",
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
        workers: how many jobs run at a time. None: one for serial; for processes one per GPU, or two where there is
            none; for Ray as many as the cluster has room for.
        retries: how often a failed job is tried again. A usage error is not, and jobs that are lost with their node are
            run again in any case.
        fail_fast: start no more jobs after one that has failed for good.
        address: of a Ray cluster, e.g. "auto"; None starts a local one. The others have none.
        threads: of each worker. None: this machine's cores divided by the workers; on Ray the job's cpus.

    Raises:
        UnknownNameError: no such executor.
        SettingsError: a number out of range, or something that this executor does not have.
        NotAvailableError: Ray is not installed.
    """
    if name not in EXECUTORS:
        raise UnknownNameError("executor", name, EXECUTORS)
    for what, value, least in (("workers", workers, 1), ("retries", retries, 0), ("threads", threads, 1)):
        if value is not None and value < least:
            raise SettingsError(f"{what} must be at least {least}, got {value}")
    if address is not None and name != "ray":
        raise SettingsError(f"executor {name!r} has no address, got {address!r}; did you mean --executor ray?")
    from beatingbert.execution.foreman import Foreman

    if name == "ray":
        if find_spec("ray") is None:
            raise NotAvailableError("executor 'ray' needs Ray, which is not installed: pip install 'beatingbert[ray]'")
        from beatingbert.execution.cluster import open_cluster

        site = partial(open_cluster, address=address, workers=workers, threads=threads)
        return Foreman(site, retries=retries, fail_fast=fail_fast)
    from beatingbert.execution.processes import open_machine
    from beatingbert.execution.share import threads_each, visible_gpus

    if name == "serial" and workers not in (None, 1):
        raise SettingsError(f"executor 'serial' has one worker, got {workers}; did you mean --executor processes?")
    count = 1 if name == "serial" else workers or len(visible_gpus()) or 2
    here = partial(open_machine, workers=count, threads=threads or threads_each(count))
    return Foreman(here, retries=retries, fail_fast=fail_fast)
