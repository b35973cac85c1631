import pytest

from beatingbert.execution import share
from beatingbert.execution.share import gpus_of, thread_environment, threads_each, visible_gpus


@pytest.mark.parametrize(("workers", "threads"), [(1, 8), (2, 4), (3, 2), (8, 1), (20, 1)])
def test_cores_are_divided_by_the_workers(monkeypatch: pytest.MonkeyPatch, workers: int, threads: int) -> None:
    monkeypatch.setattr(share, "usable_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert threads_each(workers) == threads


@pytest.mark.parametrize(("asked", "threads"), [("1", 1), ("3", 3), ("16", 4), ("0", 4), ("many", 4)])
def test_a_users_own_limit_of_threads_is_kept(monkeypatch: pytest.MonkeyPatch, asked: str, threads: int) -> None:
    monkeypatch.setattr(share, "usable_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert threads_each(2) == threads


def test_every_library_is_told_the_same_number() -> None:
    assert set(thread_environment(3).values()) == {"3"}
    assert {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"} <= thread_environment(3).keys()


@pytest.mark.parametrize(
    ("workers", "gpus", "parts"),
    [
        (1, ["0", "1"], [["0", "1"]]),
        (2, ["0", "1"], [["0"], ["1"]]),
        (2, ["4", "5", "6", "7"], [["4", "5"], ["6", "7"]]),
        (2, ["0", "1", "2"], [["0"], ["1"]]),
        (3, ["0", "1"], [["0"], ["1"], ["0"]]),
        (2, [], [[], []]),
    ],
)
def test_gpus_are_divided_and_shared_only_where_there_are_too_few(
    workers: int, gpus: list[str], parts: list[list[str]]
) -> None:
    assert [gpus_of(slot, workers, gpus) for slot in range(workers)] == parts


@pytest.mark.parametrize(
    ("told", "seen"), [("", []), ("-1", []), ("3,1", ["3", "1"]), ("GPU-8a,GPU-8b", ["GPU-8a", "GPU-8b"])]
)
def test_only_visible_gpus_count(monkeypatch: pytest.MonkeyPatch, told: str, seen: list[str]) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", told)
    assert visible_gpus() == seen
