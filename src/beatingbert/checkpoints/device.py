"""Where to compute, in which number format, on how many threads: one policy for every engine.

Knows what the hardware can do, not how fast a model is on it.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Literal

Precision = Literal["bf16", "fp16", "fp32"]

OVERFLOWS_IN_FP16 = ("gemma2", "gemma3")
"""Starts of model types whose activations exceed 65,504, the largest fp16 number."""

CPU_BF16_FEATURES = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""Instruction sets that multiply bfloat16 in hardware: x86 servers, then ARM."""


def best_device() -> str:
    """'cuda' where there is one, else 'mps', else 'cpu'."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def choose_precision(device: str, *, full: bool, model_type: str | None = None) -> Precision:
    """The fastest number format that the device computes in hardware and the model survives.

    Args:
        device: 'cuda', 'cuda:1', 'mps' or 'cpu'.
        full: fp32 without further questions, for comparisons to the last bit.
        model_type: as in config.json, e.g. 'gemma3_text'; None if it is not known yet.
    """
    if full:
        return "fp32"
    kind = device.partition(":")[0]
    if _has_bf16(kind):
        return "bf16"
    overflows = model_type is not None and model_type.startswith(OVERFLOWS_IN_FP16)
    return "fp16" if kind in ("cuda", "mps") and not overflows else "fp32"


def usable_cores(cgroup_root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> int:
    """Cores that this process may really use: its affinity, cut down to the container's CPU quota; at least 1.

    Args:
        cgroup_root: where Linux shows control groups; where it does not exist, affinity alone decides.
        membership: file that lists the groups of this process.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [quota for quota in _cpu_quotas(cgroup_root, membership) if quota > 0]
    return max(1, min(cores, *(math.ceil(quota) for quota in quotas))) if quotas else max(1, cores)


def set_threads() -> int:
    """Give torch as many threads as there are usable cores, unless OMP_NUM_THREADS says otherwise; returns the number.

    Without it torch counts the machine's cores, and in a small container threads then wait for each other.
    """
    import torch

    if not os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(usable_cores())
    return torch.get_num_threads()


def keep_freed_memory() -> bool:
    """Keep what tensors free for the next tensors, where the C library is glibc; returns whether it is.

    By default glibc gets every large tensor from the system and gives it back at once, and the system clears each page
    anew: a tenth of a small model's forward pass on a processor. Peak memory stays as it is.
    """
    import ctypes
    import platform

    if platform.libc_ver()[0] != "glibc":
        return False
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # names and numbers: mallopt(3)
    mallopt = ctypes.CDLL(None).mallopt
    sizes = {mmap_threshold: 1 << 30, trim_threshold: (1 << 31) - 1, top_pad: 1 << 26}
    return all(mallopt(option, size) == 1 for option, size in sizes.items())


def _has_bf16(kind: str) -> bool:
    import torch

    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if kind == "mps":
        return bool(torch.backends.mps.is_macos_or_newer(14, 0))
    if kind == "cpu":
        features = torch.cpu.get_capabilities()
        return any(features.get(feature, False) for feature in CPU_BF16_FEATURES)
    return False


def _cpu_quotas(root: Path, membership: Path) -> list[float]:
    """Quotas in cores of this process's control group and all groups above it, versions 2 and 1."""
    quotas = []
    for group in _groups(membership):
        for folder in (root / group, *(root / group).parents):
            quotas.append(_ratio(_words(folder / "cpu.max")))
            if folder == root:
                break
    for folder in (root / "cpu", root / "cpu,cpuacct"):
        quotas.append(_ratio(_words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")))
    return quotas


def _groups(membership: Path) -> list[str]:
    """Paths of this process's groups below the root; '' is the root itself, which a container sees as its own."""
    lines = membership.read_text().splitlines() if membership.is_file() else []
    return ["", *(line.split(":", 2)[2].strip("/") for line in lines if line.startswith("0::"))]


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def _ratio(words: list[str]) -> float:
    """Quota over period in cores, 0 for no limit: 'max 100000' and '-1 100000' both mean none."""
    try:
        quota, period = (float(word) for word in words)
    except ValueError:
        return 0.0
    return quota / period if quota > 0 and period > 0 else 0.0
