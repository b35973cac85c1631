from collections.abc import Callable

import pytest

from beatingbert.report.machines import Letters, by_machine, machine_of, of_one_machine, used_cores
from beatingbert.runs.record import RunRecord

MakeRun = Callable[..., RunRecord]


def test_letters_go_on_after_z_and_stay_with_their_machine() -> None:
    letters = Letters()
    given = [letters.of(f"machine {at}") for at in range(703)]
    assert (given[0], given[25], given[26], given[27], given[701], given[702]) == ("A", "Z", "AA", "AB", "ZZ", "AAA")
    assert len(set(given)) == 703
    assert letters.of("machine 27") == "AB"
    assert letters.given["machine 0"] == "A"


@pytest.fixture
def records(make_run: MakeRun) -> list[RunRecord]:
    """One run on a slow machine, two on a fast one."""
    cpus = ("slow", "fast", "fast")
    return [
        make_run(f"run{at}", [True, False], environment={"machine": {"cpu": cpu, "logical_cores": 4}})
        for at, cpu in enumerate(cpus)
    ]


def test_runs_are_kept_apart_by_machine_and_precision(records: list[RunRecord]) -> None:
    found = by_machine(records)
    assert {place: [one.run_name for one in runs] for place, runs in found.items()} == {
        ("slow, 4 cores", "fp32"): ["run0"],
        ("fast, 4 cores", "fp32"): ["run1", "run2"],
    }


def test_of_several_machines_that_of_most_runs_counts(records: list[RunRecord]) -> None:
    machine, precision, runs = of_one_machine(records)
    assert (machine, precision, [one.run_name for one in runs]) == ("fast, 4 cores", "fp32", ["run1", "run2"])


@pytest.mark.parametrize(
    ("threads", "told", "cores"), [(1, "fast, 1 of 4 cores", 1), (4, "fast, 4 cores", 4), (None, "fast, 4 cores", 4)]
)
def test_a_run_used_as_many_cores_as_it_had_threads(
    make_run: MakeRun, threads: int | None, told: str, cores: float
) -> None:
    machine = {"cpu": "fast", "logical_cores": 4}
    record = make_run("run", [True, False], environment={"machine": machine, "threads": threads})
    assert (machine_of(record), used_cores(record)) == (told, cores)
