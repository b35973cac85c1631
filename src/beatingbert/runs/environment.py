"""What machine and which versions produced a number.

Nothing here identifies a person or a place: no environment variable, user name, host name or path is ever read into the
result, so that a record can be published as it is.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "beatingbert",
    "torch",
    "transformers",
    "tokenizers",
    "accelerate",
    "peft",
    "datasets",
    "numpy",
    "scipy",
    "scikit-learn",
    "dspy",
    "gepa",
    "optuna",
)
PROGRAM_SECONDS = 5.0
MIB = 2**20


def capture_environment() -> dict[str, Any]:
    """Describe the machine, the versions and the commit as plain JSON.

    Returns:
        "machine": "cpu" (model name), "logical_cores" (usable by this process), "physical_cores" (of the machine),
            "cpu_quota_cores" (a container's share of them, or null), "memory_mib" (of the machine),
            "memory_limit_mib" (a container's, or null), "gpus" (name and memory each; null where torch is not loaded,
            so that nobody asked).
        "platform": "system", "release", "architecture".
        "python": version, e.g. "3.11.9".
        "packages": name to version, null where a package is not installed.
        "git": "commit" and "dirty" (the package's sources differ from it); null outside a checkout.
        "threads": how many torch computes with; null where torch is not loaded.
    """
    torch = sys.modules.get("torch")
    return {
        "machine": {**_describe_cpu(), **_describe_memory(), "gpus": None if torch is None else _list_gpus(torch)},
        "platform": {
            "system": platform.system(),
            "release": platform.release(),
            "architecture": platform.machine(),
        },
        "python": platform.python_version(),
        "packages": {name: _find_version(name) for name in PACKAGES},
        "git": _describe_checkout(Path(__file__).resolve().parents[1]),
        "threads": None if torch is None else int(torch.get_num_threads()),
    }


def _describe_cpu() -> dict[str, Any]:
    import psutil

    # What a scheduler grants may be far less than what the machine has.
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota, _, period = _read_line("/sys/fs/cgroup/cpu.max").partition(" ")
    return {
        "cpu": _name_cpu(),
        "logical_cores": usable,
        "physical_cores": psutil.cpu_count(logical=False),
        "cpu_quota_cores": int(quota) / int(period) if quota.isdigit() and period.isdigit() else None,
    }


def _name_cpu() -> str:
    """The processor's model name, or at least its architecture where the system does not tell."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    name = _run("sysctl", "-n", "machdep.cpu.brand_string") if platform.system() == "Darwin" else None
    return name or platform.processor() or platform.machine()


def _describe_memory() -> dict[str, Any]:
    import psutil

    limit = _read_line("/sys/fs/cgroup/memory.max")
    return {
        "memory_mib": round(psutil.virtual_memory().total / MIB),
        "memory_limit_mib": round(int(limit) / MIB) if limit.isdigit() else None,
    }


def _read_line(path: str) -> str:
    """A kernel file's only line, or "" where there is none, as outside Linux or a container."""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _list_gpus(torch: Any) -> list[dict[str, Any]]:
    if not torch.cuda.is_available():
        return []
    devices = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return [{"name": str(device.name), "memory_mib": round(device.total_memory / MIB)} for device in devices]


@cache
def _find_version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _describe_checkout(folder: Path) -> dict[str, Any] | None:
    """Commit of the checkout that `folder` belongs to; None where git does not keep it.

    An installed package may lie in an environment inside somebody else's checkout, whose commit says nothing about it.
    """
    if not _run("git", "ls-files", "__init__.py", "errors.py", folder=folder):
        return None
    commit = _run("git", "rev-parse", "HEAD", folder=folder)
    # Looking must not take the lock that a commit in progress needs.
    changes = _run("git", "--no-optional-locks", "status", "--porcelain", "--", ".", folder=folder)
    if not commit or changes is None:
        return None
    return {"commit": commit, "dirty": changes != ""}


def _run(*command: str, folder: Path | None = None) -> str | None:
    """What a program printed, or None where it is missing, fails or takes too long."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PROGRAM_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
