from __future__ import annotations

import os
from pathlib import Path

import pytest

from beatingbert.cores import usable_cores
from beatingbert.experiments.suite import rules


def cgroup(tmp_path: Path, files: dict[str, str], membership: str = "0::/") -> tuple[Path, Path]:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "membership").write_text(f"{membership}\n")
    return tmp_path, tmp_path / "membership"


@pytest.mark.parametrize(
    ("files", "membership", "cores"),
    [
        ({}, "0::/", 16),
        ({"cpu.max": "max 100000\n"}, "0::/", 16),
        ({"cpu.max": "200000 100000\n"}, "0::/", 2),
        ({"cpu.max": "150000 100000\n"}, "0::/", 2),
        ({"cpu.max": "10000 100000\n"}, "0::/", 1),
        ({"cpu.max": "9900000 100000\n"}, "0::/", 16),
        ({"job/cpu.max": "400000 100000", "job/step/cpu.max": "max 100000"}, "0::/job/step", 4),
        ({"job/cpu.max": "400000 100000", "other/cpu.max": "100000 100000"}, "0::/job", 4),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, "4:cpu:/", 3),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "4:cpu:/", 16),
        ({"cpu.max": "nonsense"}, "0::/", 16),
    ],
)
def test_the_containers_quota_bounds_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], membership: str, cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)
    assert usable_cores(*cgroup(tmp_path, files, membership)) == cores


def test_without_affinity_and_quota_the_machine_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert usable_cores(tmp_path / "none", tmp_path / "none") == 3


def test_a_plan_reckons_with_the_cores_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules.shutil, "which", lambda name: None)
    monkeypatch.setattr(rules, "usable_cores", lambda: 1)
    one = rules.flops_here()
    monkeypatch.setattr(rules, "usable_cores", lambda: 6)
    assert rules.flops_here() == pytest.approx(6 * one)
