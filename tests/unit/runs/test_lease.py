"""A run's folder belongs to one process at a time, on this host or another, whatever the clocks say."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beatingbert.errors import LeaseLostError, RunBusyError
from beatingbert.runs.lease import LEASE, LOCK, Lease, is_being_worked_in
from beatingbert.runs.record import RunRecord
from beatingbert.runs.store import RunFolder

PATIENCE, BEAT = 1.5, 0.1

HERE = """
import sys, time
from pathlib import Path
from beatingbert.runs.lease import Lease
lease = Lease(Path(sys.argv[1]), patience_seconds=1.5, beat_seconds=0.1)
print(lease.acquire(), flush=True)
sys.stdin.read()
"""
ELSEWHERE = """
import socket, sys
socket.gethostname = lambda: "another-host"  # whose kernel locks this host does not see
from filelock import SoftFileLease
lease = SoftFileLease(sys.argv[1] + "/.lease", lease_duration=1.5, heartbeat_interval=0.1, timeout=0)
lease.acquire()
print(True, flush=True)
sys.stdin.read()
"""

Holder = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Holder]:
    """holder(script) is a process that holds the folder."""
    started = []

    def start(script: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ours(folder: Path) -> Lease:
    return Lease(folder, patience_seconds=PATIENCE, beat_seconds=BEAT)


def test_a_folder_is_held_by_one_and_then_by_the_next(tmp_path: Path) -> None:
    first, second = ours(tmp_path), ours(tmp_path)
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert list(tmp_path.iterdir()) == []
    assert second.acquire()
    second.release()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_holder_of_this_host_is_followed_at_once(tmp_path: Path, holder: Holder) -> None:
    process = holder(HERE)
    assert not ours(tmp_path).acquire()
    process.kill()
    process.wait()
    begun = time.monotonic()
    lease = ours(tmp_path)
    assert lease.acquire()
    assert time.monotonic() - begun < PATIENCE
    lease.release()


def test_another_host_that_is_alive_keeps_its_lease(tmp_path: Path, holder: Holder) -> None:
    holder(ELSEWHERE)
    for _ in range(3):
        assert not ours(tmp_path).acquire()
    assert not (tmp_path / LOCK).exists()


def test_another_host_that_has_died_is_followed_after_patience(tmp_path: Path, holder: Holder) -> None:
    process = holder(ELSEWHERE)
    process.kill()
    process.wait()
    assert not ours(tmp_path).acquire(patient=False)
    begun = time.monotonic()
    lease = ours(tmp_path)
    assert lease.acquire()
    assert time.monotonic() - begun >= PATIENCE
    lease.release()
    assert list(tmp_path.iterdir()) == []


def test_of_many_who_wait_for_a_dead_holder_exactly_one_follows(tmp_path: Path, holder: Holder) -> None:
    process = holder(ELSEWHERE)
    process.kill()
    process.wait()
    racers = [
        subprocess.Popen([sys.executable, "-c", HERE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    try:
        told = [one.stdout.readline() for one in racers if one.stdout is not None]
    finally:
        for one in racers:
            one.communicate()
    assert sorted(told) == [b"False\n"] * 3 + [b"True\n"]


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0], ids=["back", "ahead"])
def test_a_jumping_clock_neither_ends_a_lease_nor_keeps_a_dead_one(
    tmp_path: Path, holder: Holder, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    process = holder(ELSEWHERE)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    assert not ours(tmp_path).acquire()
    process.kill()
    process.wait()
    moment = time.time_ns() + int(jump * 1e9)
    os.utime(tmp_path / LEASE, ns=(moment, moment))
    lease = ours(tmp_path)
    assert lease.acquire()
    lease.require()
    lease.release()


def taken_over(folder: Path) -> None:
    """What a host does that has seen no refresh for long: its own lease in place of ours."""
    beside = folder / "other"
    beside.write_bytes((folder / LEASE).read_bytes())
    beside.replace(folder / LEASE)


def test_a_run_that_was_taken_over_is_not_published(
    tmp_path: Path, record: RunRecord, outcome: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("beatingbert.runs.store.Lease", ours)
    with pytest.raises(LeaseLostError, match="taken over by another process"), RunFolder(tmp_path / "run") as folder:
        taken_over(folder.path)
        end = time.monotonic() + 20
        while not folder._lease.is_lost:
            assert time.monotonic() < end
            time.sleep(0.05)
        folder.finish(record, **outcome)
    assert not (tmp_path / "run" / "results.json").exists()
    assert not (tmp_path / "run" / "error.txt").exists()  # the folder is another's
    assert (tmp_path / "run" / LEASE).exists()


def test_a_folder_at_which_another_host_works_is_busy(tmp_path: Path, holder: Holder) -> None:
    assert not is_being_worked_in(tmp_path)
    process = holder(HERE)
    assert is_being_worked_in(tmp_path)
    with pytest.raises(RunBusyError, match="another process is working in"), RunFolder(tmp_path):
        pass
    process.kill()
    process.wait()
    assert not is_being_worked_in(tmp_path)
