"""Whatever befalls a suite, with real kills: nothing is lost or half counted, and going on ends as if unbroken."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

import cells_at_work
from beatingbert.runs.store import DAMAGED, RESULTS, RunStore, read_record
from cells_at_work import do_cell, jobs_left, times_run, write_data

TESTS = Path(cells_at_work.__file__).parent
CELLS: list[dict[str, Any]] = [
    {"name": "first", "engine": "majority"},
    {"name": "second", "engine": "majority", "settings": {"max_eval_samples": 8}},
    {"name": "third", "engine": "linear"},
    {"name": "fourth", "engine": "majority", "settings": {"seed": 7, "max_samples": 20}},
]
NAMES = [cell["name"] for cell in CELLS]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, data: Path) -> dict[str, Any]:
    """What a suite that nothing befell ends with."""
    store = tmp_path_factory.mktemp("unbroken")
    go_on(store, data)
    return kept(store)


class Suite:
    """A runner in a process and session of its own, as a terminal would start it."""

    def __init__(self, store: Path, data: Path, cells: Sequence[Any], **given: Any) -> None:
        words = json.dumps({"store": str(store), "data": str(data), "cells": cells, **given})
        self.process = subprocess.Popen(
            [sys.executable, str(TESTS / "cells_at_work.py"), words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *filter(None, sys.path)])},
        )

    def until(self, *words: Any) -> None:
        """Read on until it has said this."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if json.loads(line)[: len(words)] == list(words):
                return
        pytest.fail(f"never said {words}: {self.process.communicate()}")

    def end(self) -> list[Any]:
        """What else it says."""
        out, self.err = self.process.communicate(timeout=120)
        return [json.loads(line) for line in out.splitlines()]

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


def told_by(store: Path, data: Path, cells: Sequence[Any], **given: Any) -> list[list[Any]]:
    """Run what is left through an executor, in this process, and return what is told."""
    told: list[list[Any]] = []
    words = {"store": str(store), "data": str(data), "cells": cells, **given}
    cells_at_work.do_suite(words, lambda *words: told.append(list(words)))
    return told


def go_on(store: Path, data: Path, cells: Sequence[Any] = CELLS) -> None:
    """Do what is left."""
    for job in jobs_left(cells, store, data):
        assert do_cell(job.payload) == "done"


def befallen(mishap: str, name: str = "second", **more: Any) -> list[dict[str, Any]]:
    return [{**cell, "mishap": mishap, **more} if cell["name"] == name else cell for cell in CELLS]


def kept(store: Path) -> dict[str, Any]:
    """All that must be the same, by cell: its id, scores and answers."""
    return {
        record.run_name: {
            "cell": record.cell.id,
            "scores": record.scores,
            "answers": pd.read_parquet(record.folder / "predictions.parquet").to_dict("list"),
        }
        for record in RunStore(store).records()
    }


def leftovers(store: Path) -> list[str]:
    """What a finished run does not leave: parts, locks, leases."""
    return [
        path.name for path in store.rglob("*") if path.suffix == ".part" or path.name in (".working", ".lease")
    ]  # fmt: skip


def await_gone(processes: Sequence[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]


def is_done(store: Path, name: str) -> bool:
    return (store / name / RESULTS).exists()


def await_begun(store: Path, name: str) -> None:
    end = time.monotonic() + 60
    while times_run(store, name) == 0:
        assert time.monotonic() < end, f"{name} never began"
        time.sleep(0.02)


def test_the_runner_is_killed_in_mid_cell(tmp_path: Path, data: Path, unbroken: dict[str, Any]) -> None:
    store = tmp_path / "store"
    suite = Suite(store, data, befallen("hang"))
    suite.until("started", "second")
    await_begun(store, "second")
    family = suite.family()
    assert family, "a worker should be at work"
    suite.process.kill()
    suite.end()
    await_gone(family)  # an orphan would go on with a cell that somebody else may start
    assert [name for name in NAMES if is_done(store, name)] == ["first"]
    go_on(store, data)
    assert kept(store) == unbroken
    assert [times_run(store, name) for name in NAMES] == [1, 2, 1, 1]
    assert leftovers(store) == []


def test_the_runner_is_killed_between_cells(tmp_path: Path, data: Path, unbroken: dict[str, Any]) -> None:
    store = tmp_path / "store"
    suite = Suite(store, data, CELLS, dies_after=2, executor="processes", settings={"workers": 1})
    suite.end()
    assert suite.process.returncode == -signal.SIGKILL
    assert [name for name in NAMES if is_done(store, name)][:2] == ["first", "second"]
    go_on(store, data)
    assert kept(store) == unbroken
    assert [times_run(store, name) for name in ("first", "second")] == [1, 1]


def test_a_worker_is_killed(tmp_path: Path, data: Path, unbroken: dict[str, Any]) -> None:
    store = tmp_path / "store"
    told = told_by(store, data, befallen("die"), executor="processes", settings={"workers": 2})
    (failed,) = [words for words in told if words[0] == "failed"]
    assert failed[1] == "second"
    assert "SIGKILL" in failed[2]
    assert [name for name in NAMES if is_done(store, name)] == ["first", "third", "fourth"]
    go_on(store, data)
    assert kept(store) == unbroken
    assert leftovers(store) == []


def test_a_killed_worker_is_retried_if_asked(tmp_path: Path, data: Path, unbroken: dict[str, Any]) -> None:
    store = tmp_path / "store"
    told = told_by(store, data, befallen("die"), executor="processes", settings={"workers": 2, "retries": 1})
    assert [words[3:] for words in told if words[0] == "failed"] == [[1, True]]
    assert kept(store) == unbroken


def test_ctrl_c_once_finishes_the_running_cell(tmp_path: Path, data: Path, unbroken: dict[str, Any]) -> None:
    store = tmp_path / "store"
    suite = Suite(store, data, befallen("wait"))
    suite.until("started", "second")
    await_begun(store, "second")
    os.killpg(suite.process.pid, signal.SIGINT)  # as a terminal does it: to all in the foreground
    told = suite.end()
    assert ["stopping", 1] in told
    assert ["finished", "second", "done"] in told
    assert "KeyboardInterrupt" in suite.err
    assert [name for name in NAMES if is_done(store, name)] == ["first", "second"]
    go_on(store, data)
    assert kept(store) == unbroken


def test_ctrl_c_twice_stops_now(tmp_path: Path, data: Path, unbroken: dict[str, Any]) -> None:
    store = tmp_path / "store"
    suite = Suite(store, data, befallen("hang"))
    suite.until("started", "second")
    await_begun(store, "second")
    family = suite.family()
    os.killpg(suite.process.pid, signal.SIGINT)
    suite.until("stopping")
    os.killpg(suite.process.pid, signal.SIGINT)
    suite.end()
    assert "KeyboardInterrupt" in suite.err
    await_gone(family)
    assert [name for name in NAMES if is_done(store, name)] == ["first"]
    go_on(store, data)
    assert kept(store) == unbroken


@pytest.mark.parametrize("mishap", ["raise", "hang", "not a number"])
def test_an_engine_that_misbehaves_fails_its_cell_only(
    tmp_path: Path, data: Path, unbroken: dict[str, Any], mishap: str
) -> None:
    store = tmp_path / "store"
    told = told_by(store, data, befallen(mishap, timeout_s=None if mishap != "hang" else 8))
    (failed,) = [words for words in told if words[0] == "failed"]
    assert failed[1] == "second"
    assert {"raise": "the engine has raised", "hang": "took longer", "not a number": "nan"}[mishap] in failed[2]
    assert kept(store) == {name: one for name, one in unbroken.items() if name != "second"}
    go_on(store, data)
    assert kept(store) == unbroken


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    """Changes one bit, in a digit where there is one, so that the file can still be read."""
    data = bytearray(path.read_bytes())
    at = data.find(b'"value": 0.') + 11 if path.name == RESULTS else len(data) // 2
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [cut, flip], ids=["cut", "flipped"])
@pytest.mark.parametrize("file", [RESULTS, "predictions.parquet"])
def test_a_damaged_record_is_set_aside_told_and_run_again(
    tmp_path: Path, data: Path, unbroken: dict[str, Any], damage: Any, file: str
) -> None:
    store = tmp_path / "store"
    go_on(store, data)
    damage(store / "second" / file)
    told = told_by(store, data, CELLS)
    assert [words[1] for words in told if words[0] == "quarantined"] == ["second"]
    assert [words[1:] for words in told if words[0] == "finished"] == [["second", "done"]]
    assert kept(store) == unbroken
    assert (store / "second" / DAMAGED).exists()
    assert file in (store / "second" / "damage.txt").read_text(encoding="utf-8")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 600 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=600k", "tmpfs", folder], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("may not mount a small disk here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_the_disk_is_full_while_a_record_is_written(small_disk: Path, data: Path, unbroken: dict[str, Any]) -> None:
    store = small_disk / "store"
    failed_at = set()
    for free in (0, 4, 8, 12, 16, 20, 24, 28):  # KB: the disk is full at another file each time
        with (small_disk / "ballast").open("wb") as ballast:
            ballast.write(bytes(1024 * (os.statvfs(small_disk).f_bavail * 4 - free)))
        try:
            do_cell({**CELLS[0], "store": str(store), "data": str(data)})
        except Exception as error:
            assert "No space left" in str(error)
            failed_at.add(free)
            assert not is_done(store, "first")
            assert leftovers(store) == []
        (small_disk / "ballast").unlink()
        if is_done(store, "first"):
            break
    assert len(failed_at) >= 3
    go_on(store, data)
    assert kept(store) == unbroken


def test_a_damaged_checkpoint_fails_its_cells_only(
    tmp_path: Path, data: Path, tiny_bert: Path, unbroken: dict[str, Any]
) -> None:
    store, checkpoint = tmp_path / "store", tmp_path / "bert"
    shutil.copytree(tiny_bert, checkpoint)
    cut(checkpoint / "model.safetensors")
    tuned = {"name": "tuned", "engine": "encoder"}
    tuned["settings"] = {"model_name": str(checkpoint), "num_epochs": 1, "max_samples": 30, "no_fp16": True}  # type: ignore[assignment]
    told = told_by(store, data, [tuned, *CELLS])
    (failed,) = [words for words in told if words[0] == "failed"]
    assert failed[1] == "tuned"
    assert str(checkpoint) in failed[2]
    assert kept(store) == unbroken
    shutil.copy(tiny_bert / "model.safetensors", checkpoint)
    go_on(store, data, [tuned, *CELLS])
    assert is_done(store, "tuned")


def test_two_runners_on_one_store_share_the_work(tmp_path: Path, data: Path, unbroken: dict[str, Any]) -> None:
    store = tmp_path / "store"
    cells = [{**cell, "mishap": "wait", "times": 9} for cell in CELLS]
    runners = [Suite(store, data, order) for order in (cells, cells[::-1])]
    results = [result for one in runners for said, _, result, *_ in one.end() if said == "finished"]
    assert [one.process.returncode for one in runners] == [0, 0], [one.err for one in runners]
    assert results.count("done") == len(CELLS)
    assert [times_run(store, name) for name in NAMES] == [1] * len(CELLS)
    assert kept(store) == unbroken
    assert leftovers(store) == []


def test_a_clock_that_jumps_back_changes_nothing(
    tmp_path: Path, data: Path, unbroken: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    real, jump = time.time, [0.0]

    def jumping() -> float:
        jump[0] -= 3600
        return real() + jump[0]

    monkeypatch.setattr(time, "time", jumping)
    go_on(store, data)
    assert kept(store) == unbroken
    assert jump[0] < 0, "nobody looked at the clock"
    assert min(read_record(path).efficiency["latency"]["p50_ms"] for path in store.glob("*/results.json")) >= 0


RAY_WORKER = {"retries": 1, "workers": 1}


@pytest.mark.slow
def test_a_ray_worker_is_killed_in_mid_cell(tmp_path: Path, data: Path, unbroken: dict[str, Any]) -> None:
    pytest.importorskip("ray", reason="needs 'pip install beatingbert[ray]'")
    store = tmp_path / "store"
    told = told_by(store, data, befallen("die"), executor="ray", settings=RAY_WORKER)
    assert [words[3:] for words in told if words[0] == "failed"] == [[1, True]]
    assert kept(store) == unbroken


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster whose head does no work, and two nodes of one CPU; skipped where it does not start in time."""
    pytest.importorskip("ray", reason="needs 'pip install beatingbert[ray]'")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), *filter(None, sys.path)]))
    monkeypatch.setenv("RAY_worker_niceness", "0")
    cluster = Cluster(shutdown_at_exit=False)
    try:
        for cpus in (0, 1, 1):
            try:
                cluster.add_node(num_cpus=cpus)
            except Exception as error:
                pytest.skip(f"Ray could not start a node here: {error}")
        yield cluster
    finally:
        cluster.shutdown()


@pytest.mark.slow
def test_a_ray_node_is_lost_in_mid_cell(tmp_path: Path, data: Path, unbroken: dict[str, Any], two_nodes: Any) -> None:
    store = tmp_path / "store"
    given = {"executor": "ray", "settings": {"address": two_nodes.address, "workers": 1}}
    suite = Suite(store, data, befallen("hang"), **given)
    suite.until("started", "second")
    await_begun(store, "second")
    worker = int((Path(f"{store}.trace") / "second").read_text(encoding="utf-8"))
    raylets = {parent.pid for parent in psutil.Process(worker).parents()}
    (doomed,) = [node for node in two_nodes.worker_nodes if node.all_processes["raylet"][0].process.pid in raylets]
    two_nodes.remove_node(doomed, allow_graceful=False)
    told = suite.end()
    assert suite.process.returncode == 0, suite.err
    assert [words[1:2] + words[3:] for words in told if words[0] == "failed"] == [["second", 1, True]]
    assert kept(store) == unbroken
    assert [times_run(store, name) for name in NAMES] == [1, 2, 1, 1]
