"""A suite whose runner is killed in mid-cell ends, once it is run again, as one that nobody has disturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from beatingbert.runs.store import RunStore
from tiny_tasks import write_sentiment

COMMAND = "import sys; from beatingbert.cli.main import main; raise SystemExit(main(sys.argv[1:]))"
SUITE = """
defaults: {task: sst2}
grid:
  - {engine: [majority, linear], seed: [1, 2, 3]}
"""
PATIENCE_SECONDS = 300.0


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BEATINGBERT_DATA", str(write_sentiment(tmp_path / "data")))
    path = tmp_path / "mine.yaml"
    path.write_text(SUITE, encoding="utf-8")
    return path


def start(suite: Path, store: str, *flags: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "suite", "run", str(suite), "--store", store, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(suite: Path, store: str, *flags: str) -> str:
    process = start(suite, store, *flags)
    told, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, told
    return told


def wait_until(condition: object, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():  # type: ignore[operator]
        assert process.poll() is None, "it has ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.005)


def begun(store: str) -> list[Path]:
    """Cells in the middle of which a process is."""
    return [path.parent for path in Path(store).glob("*/log.txt") if not (path.parent / "results.json").exists()]


def answers(store: str) -> dict[str, bytes]:
    found = {}
    for record in RunStore(Path(store)).records():
        found[record.cell.id] = (record.folder / "predictions.parquet").read_bytes()
    return found


@pytest.mark.parametrize("flags", [(), ("--executor", "processes", "--workers", "2")], ids=["serial", "processes"])
def test_a_killed_suite_is_gone_on_with_and_nothing_is_lost_or_counted_twice(
    suite: Path, flags: tuple[str, ...]
) -> None:
    runner = start(suite, "broken", *flags)
    wait_until(lambda: any(Path("broken").glob("*/results.json")) and begun("broken"), runner)
    os.kill(runner.pid, signal.SIGKILL)
    runner.communicate()
    kept = {path: path.read_bytes() for path in Path("broken").glob("*/results.json")}
    assert 0 < len(kept) < 6
    told = finish(suite, "broken", *flags)
    assert f"{len(kept)} done" in told or f"{len(kept) + 1} done" in told  # a worker may have been writing its last
    assert all(path.read_bytes() == data for path, data in kept.items())
    finish(suite, "unbroken")
    assert len(answers("broken")) == 6
    assert answers("broken") == answers("unbroken")
    assert len(list(Path("broken").glob("*/results.json"))) == 6
    assert not list(Path("broken").glob("*/error.txt"))


def test_two_runners_on_one_store_share_the_cells(suite: Path) -> None:
    both = [start(suite, "shared") for _ in range(2)]
    told = [process.communicate(timeout=PATIENCE_SECONDS)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    finish(suite, "shared")  # what the one has left to the other is there, or done now
    assert len(list(Path("shared").glob("*/results.json"))) == 6
    finish(suite, "alone")
    assert answers("shared") == answers("alone")
