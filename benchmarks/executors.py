"""What an executor costs per job, and what two one-thread workers bring against one. Needs no data and no weights.

Only ratios within one run mean anything, and on a machine that others use not even those: the load is printed.

    python -m benchmarks.executors --executor processes --jobs 200
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from beatingbert.cli.console import out
from beatingbert.cores import usable_cores
from beatingbert.execution.catalog import EXECUTORS, build_executor
from beatingbert.execution.protocol import Event, Failed, Finished, Job, Started

HERE = "benchmarks.executors"
BUSY_SECONDS = 0.5  # of processor time per job of the throughput part


def nothing(payload: Mapping[str, Any]) -> None:
    """A job that costs nothing by itself."""


def multiply(payload: Mapping[str, Any]) -> float:
    """Keeps one thread busy with products of matrices, as an engine does; returns the products per second."""
    import numpy as np

    matrix = np.random.default_rng(99).standard_normal((256, 256), dtype=np.float32)
    count, started = 0, time.process_time()
    while count < payload["products"]:
        matrix = np.tanh(matrix @ matrix)
        count += 1
    return count / max(time.process_time() - started, 1e-9)


class Clock:
    """When each job started and ended, in seconds of the wall clock."""

    def __init__(self) -> None:
        self.started: list[float] = []
        self.ended: list[float] = []
        self.results: list[Any] = []

    def __call__(self, event: Event) -> None:
        """As `on_event`."""
        if isinstance(event, Failed):
            raise RuntimeError(event.error)
        if isinstance(event, Started):
            self.started.append(time.perf_counter())
        if isinstance(event, Finished):
            self.ended.append(time.perf_counter())
            self.results.append(event.result)


def main() -> None:
    """Measure one executor, or all that are installed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executor", choices=list(EXECUTORS), action="append", help="default: serial and processes")
    parser.add_argument("--jobs", type=int, default=200, help="empty jobs for the overhead (default 200)")
    arguments = parser.parse_args()
    chosen = arguments.executor or ["serial", "processes"]
    out.print(f"{usable_cores()} cores; load before: {os.getloadavg()[0]:.1f}")
    for name in chosen:
        workers = 1 if name == "serial" else 2
        first, each = overhead(name, workers, arguments.jobs)
        out.print(f"{name}: first job after {first:.2f} s, then {each:.1f} ms a job ({workers} workers)")
    for name in chosen:
        if name != "serial":
            ratio, one, two = speedup(name)
            out.print(f"{name}: two one-thread workers {ratio:.2f} x the throughput of one ({two:.1f} s, {one:.1f} s)")


def overhead(name: str, workers: int, count: int) -> tuple[float, float]:
    """Seconds until the first empty job is done, and milliseconds for each after all workers are up."""
    jobs = [Job(id=str(at), name=str(at), payload={}) for at in range(count)]
    clock, begun = Clock(), time.perf_counter()
    build_executor(name, workers=workers).run(jobs, f"{HERE}:nothing", on_event=clock)
    settled = count // 4  # all workers are up by then
    return clock.ended[0] - begun, 1000 * (clock.ended[-1] - clock.ended[settled]) / (count - 1 - settled)


def speedup(name: str, rounds: int = 3) -> tuple[float, float, float]:
    """Throughput of two workers over that of one, best of several alternating rounds, and their seconds."""
    products = int(BUSY_SECONDS * multiply({"products": 300}))
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for workers, spent in seconds.items():
            spent.append(_warm_seconds(name, workers, [{"products": products}] * 16))
    return min(seconds[1]) / min(seconds[2]), min(seconds[1]), min(seconds[2])


def _warm_seconds(name: str, workers: int, payloads: Sequence[Mapping[str, Any]]) -> float:
    """Seconds for all jobs once every worker has done one: starting a worker is not what is compared."""
    warm = [Job(id=f"warm {at}", name="", payload={"products": 1}) for at in range(workers)]
    jobs = [Job(id=str(at), name="", payload=payload) for at, payload in enumerate(payloads)]
    clock = Clock()
    build_executor(name, workers=workers, threads=1).run([*warm, *jobs], f"{HERE}:multiply", on_event=clock)
    return clock.ended[-1] - clock.ended[workers - 1]


if __name__ == "__main__":
    main()
