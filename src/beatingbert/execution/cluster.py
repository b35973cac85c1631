"""Workers on a Ray cluster: actors, each with the CPUs, GPUs and memory that its group of jobs declares.

The package's own code travels with the jobs, so every node runs the code of the driver; weights and data do not: each
node has them in its own cache. Results come back as small JSON. A job whose node is lost is run again elsewhere.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told that it is used
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".*")  # else the driver prints pages when a node is lost
os.environ.setdefault("RAY_worker_niceness", "0")  # locally; at Ray's own 15 whatever else runs slows a measurement

import ray
from ray.exceptions import ActorUnavailableError, NodeDiedError, RayError

from beatingbert.errors import SettingsError, UnreachableError
from beatingbert.execution.backlog import Needs
from beatingbert.execution.foreman import Hand
from beatingbert.execution.outcomes import Died, Outcome, Taken, read_reply
from beatingbert.execution.protocol import Job
from beatingbert.execution.share import thread_environment
from beatingbert.execution.work import answer

MIB = 2**20
OBJECT_STORE_BYTES = 100 * MIB  # of a local cluster; nothing but small JSON goes through it
PACKAGE = Path(__file__).resolve().parents[1]


class Remote:
    """What runs on the node."""

    def node(self) -> str:
        """The id of the node it is on."""
        return str(ray.get_runtime_context().get_node_id())

    def do(self, work: str, payload: Mapping[str, Any]) -> str:
        """As `answer`."""
        return answer(work, payload)


class Actor:
    """One worker on the cluster, seen from the driver."""

    def __init__(self, name: str, work: str, needs: Needs, threads: int | None) -> None:
        self.name = name
        self.needs = needs
        self.is_dismissed = False
        self.refs: list[Any] = []  # the replies that are still to come, in order
        self._work = work
        self._node = ""
        options: dict[str, Any] = {
            "num_cpus": needs.cpus,
            "num_gpus": needs.gpus,
            "memory": needs.memory_mib * MIB or None,
            "max_restarts": 0,  # the foreman replaces it, and tells so
            "runtime_env": {"env_vars": thread_environment(threads or max(1, int(needs.cpus)))},
        }
        self._actor = ray.remote(Remote).options(**options).remote()

    def is_alive(self) -> bool:
        """As `Hand`; one that has died tells so when it is given a job."""
        return not self.is_dismissed

    def give(self, job: Job) -> None:
        """As `Hand`; an actor does one thing after another, so the first reply tells that the second is begun."""
        self.refs = [self._actor.node.remote(), self._actor.do.remote(self._work, dict(job.payload))]

    def read(self) -> Outcome:
        """What the first of `refs` has brought."""
        try:
            reply = ray.get(self.refs.pop(0))
        except RayError as error:
            self.refs = []
            lost = isinstance(error, NodeDiedError | ActorUnavailableError) or not _is_up(self._node)
            return Died(f"the worker on the cluster is lost: {error}", blameless=lost)
        if self.refs:
            self._node = reply
            return Taken()
        return read_reply(reply)

    def dismiss(self) -> None:
        """As `Hand`."""
        if not self.is_dismissed:
            self.is_dismissed = True
            ray.kill(self._actor, no_restart=True)


def _is_up(node: str) -> bool:
    return any(one["NodeID"] == node and one["Alive"] for one in ray.nodes())


class Cluster:
    """A Ray cluster as a site.

    Args:
        work: "module:function".
        workers: how many actors at most; None means as many as there is room for.
        threads: of each; None means its CPUs.
    """

    def __init__(self, work: str, *, workers: int | None, threads: int | None) -> None:
        self._work = work
        self._workers = workers
        self._threads = threads
        self._actors: list[Actor] = []
        self._hired = 0

    def require(self, job: Job) -> None:
        """As `Site`: some node that is up must be large enough."""
        wanted = {"CPU": job.cpus, "GPU": job.gpus, "memory": (job.memory_mib or 0) * MIB}
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(all(node.get(name, 0) >= amount for name, amount in wanted.items()) for node in nodes):
            has = "; ".join(
                f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs, {node.get('memory', 0) / MIB:,.0f} MiB"
                for node in nodes
            )
            raise SettingsError(
                f"job {job.name!r} needs {job.cpus:g} CPUs, {job.gpus:g} GPUs and {job.memory_mib or 0:,} MiB on one "
                f"node, and no node of the cluster has that ({has}); ask for less, or add a node first"
            )

    def has_room(self, needs: Needs) -> bool:
        """As `Site`; nodes that join while it runs count at once."""
        self._forget_the_dismissed()
        if not self._actors:
            return True
        if self._workers is not None and len(self._actors) >= self._workers:
            return False
        there = ray.cluster_resources()
        held = [one.needs for one in self._actors] + [needs]
        wanted = {
            "CPU": sum(one.cpus for one in held),
            "GPU": sum(one.gpus for one in held),
            "memory": sum(one.memory_mib for one in held) * MIB,
        }
        return all(amount <= there.get(name, 0) for name, amount in wanted.items())

    def hire(self, needs: Needs) -> Hand:
        """As `Site`."""
        self._hired += 1
        actor = Actor(f"ray worker {self._hired}", self._work, needs, self._threads)
        self._actors.append(actor)
        return actor

    def wait(self, seconds: float) -> list[tuple[Hand, Outcome]]:
        """As `Site`."""
        self._forget_the_dismissed()
        owners = {actor.refs[0]: actor for actor in self._actors if actor.refs}
        ready, _ = ray.wait(list(owners), num_returns=1, timeout=seconds) if owners else ([], [])
        return [(owners[ref], owners[ref].read()) for ref in ready]

    def close(self) -> None:
        """End every worker."""
        for actor in self._actors:
            actor.dismiss()

    def _forget_the_dismissed(self) -> None:
        self._actors = [actor for actor in self._actors if not actor.is_dismissed]


@contextmanager
def open_cluster(work: str, *, address: str | None, workers: int | None, threads: int | None) -> Iterator[Cluster]:
    """The workers of a Ray cluster, which end with the block; a local cluster ends with them.

    Args:
        work: "module:function".
        address: of a running cluster, e.g. "auto"; None starts a local one, unless Ray is in use already.
        workers: as for `Cluster`.
        threads: as for `Cluster`.

    Raises:
        SettingsError: nothing answers at the address.
    """
    ours = not ray.is_initialized()
    with tempfile.TemporaryDirectory() as staged:
        if ours:
            connect(address, Path(staged))
        cluster = Cluster(work, workers=workers, threads=threads)
        try:
            yield cluster
        finally:
            cluster.close()
            if ours:
                ray.shutdown()


def connect(address: str | None, staged: Path, *, cpus: int | None = None) -> None:
    """Join a cluster, or start a local one.

    Args:
        address: of a running cluster, e.g. "auto"; None starts a local one.
        staged: an empty folder for what travels.
        cpus: that a local one gives out; None means this machine's.

    Raises:
        SettingsError: nothing answers at the address.
        UnreachableError: a local one did not start.
    """
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:  # on this machine the workers can import whatever the driver can
        path = {"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}}
        local = {"num_cpus": cpus, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
        try:
            ray.init("local", runtime_env=path, **local, **quiet)
        except Exception as error:  # Ray raises no narrower class
            ray.shutdown()
            raise UnreachableError(
                f"a local Ray cluster did not start: {error} It must be up within half a minute: try again when this "
                "machine is less busy, or use --executor processes"
            ) from error
        return
    try:
        ray.init(address, runtime_env={"py_modules": _code(staged), "excludes": ["**/__pycache__"]}, **quiet)
    except ConnectionError as error:
        raise SettingsError(
            f"no Ray cluster answers at --address {address!r}: {error}; start one with 'ray start --head', or leave "
            "--address out for a local one"
        ) from error


def _code(staged: Path) -> list[str]:
    """What every node needs to run this package's code: the code, and the metadata that tells its version."""
    about = distribution("beatingbert")
    metadata = staged / f"beatingbert-{about.version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(about.read_text("METADATA") or "", encoding="utf-8")
    return [str(PACKAGE), str(metadata)]
