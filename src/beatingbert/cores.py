"""How many processor cores this process may really use, which every part that counts them must agree on."""

from __future__ import annotations

import math
import os
from pathlib import Path


def usable_cores(cgroup_root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> int:
    """Cores that this process may really use: its affinity, cut down to the container's CPU quota; at least 1.

    Args:
        cgroup_root: where Linux shows control groups; where it does not exist, affinity alone decides.
        membership: file that lists the groups of this process.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [quota for quota in _cpu_quotas(cgroup_root, membership) if quota > 0]
    return max(1, min(cores, *(math.ceil(quota) for quota in quotas))) if quotas else max(1, cores)


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
