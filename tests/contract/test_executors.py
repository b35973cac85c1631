"""What every executor promises: serial, processes, and Ray where it is installed."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from beatingbert.errors import SettingsError
from beatingbert.execution.catalog import build_executor
from beatingbert.execution.protocol import Event, Executor, Failed, Finished, Job, Started, Stopping
from beatingbert.execution.share import THREAD_VARIABLES

Run = Callable[..., list[Event]]

HAS_RAY = find_spec("ray") is not None
RAY = pytest.param(
    "ray", marks=[pytest.mark.slow, pytest.mark.skipif(not HAS_RAY, reason="needs 'pip install beatingbert[ray]'")]
)


@pytest.fixture(scope="module", params=["serial", "processes", RAY])
def name(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param != "ray":
        yield request.param
        return
    import ray

    from beatingbert.execution.cluster import connect

    connect(None, tmp_path_factory.mktemp("code"), cpus=4)  # one cluster for all tests of this file
    yield "ray"
    ray.shutdown()


@pytest.fixture
def run(name: str) -> Iterator[Run]:
    """run(jobs, work, ...) does them with two workers where there can be two, and returns the events."""

    def do(jobs: Sequence[Job], work: str = "odd_jobs:obey", *, on_event: Any = None, **settings: Any) -> list[Event]:
        told: list[Event] = []

        def tell(event: Event) -> None:
            told.append(event)
            if on_event is not None:
                on_event(event)

        try:
            build(name, **settings).run(jobs, work, on_event=tell)
        except BaseException as error:
            error.told = told  # type: ignore[attr-defined]
            raise
        return told

    before = children()
    yield do
    assert comes_true(lambda: children().keys() <= before.keys()), f"left running: {children()}"


def build(name: str, **settings: Any) -> Executor:
    return build_executor(name, **{**({} if name == "serial" else {"workers": 2}), **settings})


def children() -> dict[int, str]:
    """Our living processes, but for those that are a Ray cluster's own while it waits for work."""
    found = {}
    for process in psutil.Process().children(recursive=True):
        try:
            words, status = " ".join(process.cmdline()), process.status()
        except psutil.Error:
            continue
        is_waiting_ray = ("ray/" in words or "ray::" in words) and "ray::Remote" not in words
        if words and status != psutil.STATUS_ZOMBIE and not is_waiting_ray:
            found[process.pid] = words
    return found


def comes_true(holds: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def job(number: int, **payload: Any) -> Job:
    settings = {key: payload.pop(key) for key in ("group", "timeout_s") if key in payload}
    return Job(id=f"j{number}", name=f"job {number}", payload=payload, **settings)


def results(told: Sequence[Event]) -> dict[str, Any]:
    finished = [event for event in told if isinstance(event, Finished)]
    assert len({event.job.id for event in finished}) == len(finished), "a job finished twice"
    return {event.job.id: event.result for event in finished}


def failures(told: Sequence[Event]) -> list[Failed]:
    return [event for event in told if isinstance(event, Failed)]


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_results_do_not_depend_on_the_order_of_the_jobs(run: Run) -> None:
    jobs = [Job(id=f"j{at}", name=f"job {at}", payload={"number": at}) for at in range(12)]
    shuffled = random.Random(7).sample(jobs, len(jobs))
    for order in (jobs, shuffled):
        told = run(order, "odd_jobs:double")
        assert {name: result["double"] for name, result in results(told).items()} == {
            f"j{at}": 2 * at for at in range(12)
        }
        assert not failures(told)
        for one in order:
            kinds = [type(event) for event in told if not isinstance(event, Stopping) and event.job == one]
            assert kinds == [Started, Finished]


def test_no_jobs_are_done_at_once(run: Run) -> None:
    assert run([]) == []


def test_a_job_that_fails_stops_no_other(run: Run) -> None:
    told = run([job(0, do="raise"), job(1, do="return", what=1), job(2, do="leave"), job(3, do="return", what=3)])
    assert results(told) == {"j1": 1, "j3": 3}
    first, second = sorted(failures(told), key=lambda event: event.job.id)
    assert (first.job.id, first.attempts, first.will_retry) == ("j0", 1, False)
    assert "ValueError: so it was wanted" in first.error
    assert "odd_jobs.py" in first.error
    assert (second.job.id, second.attempts) == ("j2", 1)
    assert "SystemExit: 3" in second.error


def test_retries_are_counted(run: Run, tmp_path: Path) -> None:
    told = run([job(0, do="raise", trace=str(tmp_path / "trace"))], retries=2)
    assert [(event.attempts, event.will_retry) for event in failures(told)] == [(1, True), (2, True), (3, False)]
    assert len((tmp_path / "trace").read_text(encoding="utf-8").splitlines()) == 3
    assert results(told) == {}


def test_a_job_that_fails_once_is_done_when_it_is_tried_again(run: Run, tmp_path: Path) -> None:
    told = run([job(0, do="raise", trace=str(tmp_path / "trace"), fails=1), job(1, do="return", what=1)], retries=1)
    assert results(told) == {"j0": "well", "j1": 1}
    assert [(event.attempts, event.will_retry) for event in failures(told)] == [(1, True)]


def test_misuse_is_not_tried_again(run: Run, tmp_path: Path) -> None:
    (failed,) = failures(run([job(0, do="misuse", trace=str(tmp_path / "trace"))], retries=5))
    assert not failed.will_retry
    assert "SettingsError: asked for in vain" in failed.error
    assert len((tmp_path / "trace").read_text(encoding="utf-8").splitlines()) == 1


def test_a_job_that_hangs_is_stopped_and_its_worker_replaced(run: Run) -> None:
    told = run([job(0, do="hang", timeout_s=0.5), job(1, do="return", what=1), job(2, do="return", what=2)])
    assert results(told) == {"j1": 1, "j2": 2}
    (failed,) = failures(told)
    assert failed.job.id == "j0"
    assert "took longer than 0.5 s" in failed.error


def test_a_worker_that_is_killed_fails_its_job_only(run: Run) -> None:
    told = run([job(0, do="die"), *(job(at, do="return", what=at) for at in range(1, 5))])
    assert results(told) == {f"j{at}": at for at in range(1, 5)}
    (failed,) = failures(told)
    assert (failed.job.id, failed.attempts, failed.will_retry) == ("j0", 1, False)
    assert "worker" in failed.error


def test_a_killed_job_is_tried_again_if_asked(run: Run, tmp_path: Path) -> None:
    told = run([job(0, do="die", trace=str(tmp_path / "trace"), fails=1)], retries=1)
    assert results(told) == {"j0": "well"}
    assert [(event.attempts, event.will_retry) for event in failures(told)] == [(1, True)]


def test_every_worker_has_its_share_of_threads_before_anything_is_imported(run: Run) -> None:
    jobs = [job(at, names=list(THREAD_VARIABLES)) for at in range(4)]
    for told in results(run(jobs, "odd_jobs:surroundings", threads=3)).values():
        assert told["threads"] == ["3"] * len(THREAD_VARIABLES)
        assert told["heavy"] == []


def test_a_group_is_one_workers_and_another_group_gets_a_fresh_process(run: Run) -> None:
    jobs = [
        Job(id=f"j{at}", name=f"job {at}", payload={"number": at}, group="ab"[at % 2])
        for at in range(6)  # a, b, a, b, ...
    ]
    told = run(jobs, "odd_jobs:double", workers=1)
    started = [event.job.group for event in told if isinstance(event, Started)]
    assert started == ["a"] * 3 + ["b"] * 3
    pids = {group: {results(told)[f"j{at}"]["pid"] for at in range(6) if "ab"[at % 2] == group} for group in "ab"}
    assert len(pids["a"]) == len(pids["b"]) == 1
    assert pids["a"] != pids["b"]


def test_after_a_failure_no_more_are_started_if_asked(run: Run) -> None:
    jobs = [job(0, do="raise"), *(job(at, do="wait", seconds=0.3) for at in range(1, 8))]
    told = run(jobs, fail_fast=True)
    started = [event for event in told if isinstance(event, Started)]
    assert len(started) <= 3
    assert len(results(told)) == len(started) - 1


@pytest.mark.parametrize(
    "payload", [{"pair": (1, 2)}, {"number": float("nan")}, {"path": Path("x")}, {1: "one"}], ids=str
)
def test_a_payload_that_is_no_plain_json_is_refused_before_anything_starts(run: Run, payload: Any) -> None:
    with pytest.raises(SettingsError, match=r"'job 1'.*no plain JSON") as error:
        run([job(0, do="return"), Job(id="j1", name="job 1", payload=payload)])
    assert error.value.told == []  # type: ignore[attr-defined]


def test_two_jobs_of_one_id_are_refused(run: Run) -> None:
    with pytest.raises(SettingsError, match="'j0' is there 2 times"):
        run([job(0, do="return"), job(0, do="raise")])


@pytest.mark.parametrize("work", ["odd_jobs", "no_such_module:f", "odd_jobs:", ":f"])
def test_a_work_that_no_module_holds_is_refused(run: Run, work: str) -> None:
    with pytest.raises(SettingsError, match="module:function"):
        run([job(0, do="return")], work)


@pytest.mark.parametrize("do", ["not JSON", "not a number"])
def test_a_result_that_is_no_plain_json_is_a_failure(run: Run, do: str) -> None:
    (failed,) = failures(run([job(0, do=do)]))
    assert "JSON" in failed.error


def test_what_a_job_prints_or_asks_disturbs_nothing(run: Run) -> None:
    told = run([job(0, do="print"), job(1, do="print", asks=True), job(2, do="return", what=2)])
    assert results(told) == {"j0": "well", "j2": 2}
    assert "EOFError" in failures(told)[0].error


@pytest.mark.parametrize("then", ["hang", "return"])
def test_what_a_job_has_started_ends_with_its_worker(run: Run, tmp_path: Path, then: str) -> None:
    run([job(0, do="bear", child=str(tmp_path / "child"), then=then, timeout_s=3)])
    child = int((tmp_path / "child").read_text(encoding="utf-8"))
    assert comes_true(lambda: is_gone(child))


def test_a_listener_that_raises_stops_everything(run: Run) -> None:
    def refuse(event: Event) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        run([job(0, do="hang"), job(1, do="hang")], on_event=refuse)


def test_ctrl_c_once_finishes_what_runs_and_starts_no_more(run: Run) -> None:
    pressed: list[int] = []

    def press(event: Event) -> None:
        if isinstance(event, Started) and not pressed:
            pressed.append(1)
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as error:
        run([job(at, do="wait", seconds=0.3) for at in range(6)], on_event=press)
    told = error.value.told  # type: ignore[attr-defined]
    started = [event for event in told if isinstance(event, Started)]
    assert 1 <= len(started) <= 2
    assert len(results(told)) == len(started)
    assert [event.running for event in told if isinstance(event, Stopping)] == [len(started)]
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_twice_stops_now(run: Run) -> None:
    def press(event: Event) -> None:
        if isinstance(event, Started | Stopping):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as error:
        run([job(at, do="hang") for at in range(6)], on_event=press)
    assert results(error.value.told) == {}  # type: ignore[attr-defined]


def test_jobs_are_done_from_another_thread_too(run: Run) -> None:
    told: list[Event] = []
    thread = threading.Thread(target=lambda: told.extend(run([job(0, do="return", what=1)])))
    thread.start()
    thread.join()
    assert results(told) == {"j0": 1}
