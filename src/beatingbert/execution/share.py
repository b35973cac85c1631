"""What one of several workers on a machine may use: its part of the cores, its GPUs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from beatingbert.cores import usable_cores

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "RAYON_NUM_THREADS",
)


def threads_each(workers: int) -> int:
    """Threads per worker, at least one: cores divided by workers, and no more than OMP_NUM_THREADS where it is set."""
    share = max(1, usable_cores() // workers)
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(share, int(asked)) if asked.isdecimal() and int(asked) > 0 else share


def thread_environment(threads: int) -> dict[str, str]:
    """The variables that libraries read once, when they are imported."""
    return {name: str(threads) for name in THREAD_VARIABLES}


def visible_gpus() -> list[str]:
    """The NVIDIA GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; loads no library."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told is not None:
        return [name for name in told.split(",") if name and name != "-1"]
    found = Path("/proc/driver/nvidia/gpus")
    return [str(number) for number in range(len(list(found.iterdir())))] if found.is_dir() else []


def gpus_of(slot: int, workers: int, gpus: Sequence[str]) -> list[str]:
    """The GPUs of one worker: an equal part, or one that it shares where there are more workers than GPUs.

    Args:
        slot: the worker's number, from 0.
        workers: how many there are.
        gpus: all of them.
    """
    if not gpus:
        return []
    each = len(gpus) // workers
    return list(gpus[slot * each : (slot + 1) * each]) if each else [gpus[slot % len(gpus)]]
