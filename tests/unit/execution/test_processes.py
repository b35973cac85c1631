"""What the contract does not say of processes: what is told of the dead, memory, and what becomes of orphans."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

import odd_jobs
from beatingbert.execution import processes
from beatingbert.execution.catalog import build_executor
from beatingbert.execution.protocol import Event, Failed, Finished, Job, Started

RUNNER = """
import json, sys
from beatingbert.execution.catalog import build_executor
from beatingbert.execution.protocol import Job

job = Job(id="a", name="a", payload=json.loads(sys.argv[1]))
build_executor("serial").run([job], "odd_jobs:obey", on_event=lambda event: print(event, flush=True))
"""


def run(jobs: list[Job], **settings: Any) -> list[Event]:
    told: list[Event] = []
    build_executor("processes", **settings).run(jobs, "odd_jobs:obey", on_event=told.append)
    return told


def test_the_last_words_of_a_dead_worker_are_told() -> None:
    (failed,) = [
        event for event in run([Job(id="a", name="a", payload={"do": "die"})], workers=1) if isinstance(event, Failed)
    ]
    assert "was killed by SIGKILL (the system does that when memory runs out)" in failed.error
    assert "the last words" in failed.error


def test_jobs_that_together_need_too_much_memory_run_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_memory_mib", lambda: 1000)

    def at_once(memory_mib: int) -> int:
        jobs = [
            Job(id=str(at), name="", payload={"do": "return"}, group=str(at), memory_mib=memory_mib) for at in (1, 2)
        ]
        most = running = 0
        for event in run(jobs, workers=2):
            running += isinstance(event, Started) - isinstance(event, Finished)
            most = max(most, running)
        return most

    assert at_once(400) == 2
    assert at_once(600) == 1
    assert at_once(5000) == 1  # more than there is: alone


def test_a_worker_whose_runner_is_killed_ends_with_all_it_has_started(tmp_path: Path) -> None:
    words = json.dumps({"do": "bear", "then": "hang", "child": str(tmp_path / "child")})
    path = os.pathsep.join([str(Path(odd_jobs.__file__).parent), *filter(None, sys.path)])
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, words], env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE
    )
    family = await_family(runner.pid, 2)
    runner.kill()
    runner.communicate()
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]


def await_family(pid: int, size: int) -> list[psutil.Process]:
    end = time.monotonic() + 60
    while len(family := psutil.Process(pid).children(recursive=True)) < size:
        assert time.monotonic() < end, "the worker's child was never born"
        time.sleep(0.05)
    return family
