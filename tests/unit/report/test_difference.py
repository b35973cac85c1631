from collections.abc import Callable
from typing import Any

import pytest
from scipy.stats import binomtest

from beatingbert.errors import MisalignedError
from beatingbert.report.difference import differences, differing_settings
from beatingbert.runs.record import RunRecord

MakeRun = Callable[..., RunRecord]
T, F = True, False
FIRST = [T] * 4 + [T] * 11 + [F] * 1 + [F] * 4
SECOND = [T] * 4 + [F] * 11 + [T] * 1 + [F] * 4


def test_two_runs_are_compared_on_their_rows(make_run: MakeRun) -> None:
    (one,) = differences(make_run("a", FIRST), make_run("b", SECOND), margin=0.01)
    ids = one.first.ids
    assert {str(ids[at]) for at in one.only_first} == {f"q{at}" for at in range(4, 15)}
    assert [str(ids[at]) for at in one.only_second] == ["q15"]
    assert (one.both_right, one.both_wrong) == (4, 4)
    assert one.verdict.p_value == pytest.approx(binomtest(1, 12).pvalue)
    assert one.verdict.kind == "first ahead"


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"first_id": 1}, "19 ids in common"),
        ({"data": {"revision": "r2"}}, "data revision 'r1' against 'r2'"),
        ({"cell": {"task": "rte"}}, "task 'sst2' against 'rte'"),
        ({"unlabelled": True}, "'b' answered an unlabelled split"),
    ],
)
def test_runs_on_different_rows_are_refused_by_name(make_run: MakeRun, other: dict[str, Any], told: str) -> None:
    first, second = make_run("a", FIRST), make_run("b", SECOND, **other)
    with pytest.raises(MisalignedError, match=told):
        differences(first, second, margin=0.01)


def test_only_what_differs_is_told(make_run: MakeRun) -> None:
    first = make_run("a", FIRST, cell={"settings": {"lr": 1, "epochs": 3, "patience": None}, "seed": 1})
    second = make_run("b", FIRST, cell={"settings": {"lr": 2, "epochs": 3, "shots": 5}, "seed": 1, "train_size": 9})
    found = differing_settings(first, second)
    assert found.both == {"train_size": ("all", "9"), "lr": ("1", "2")}
    assert (found.only_first, found.only_second) == ({"patience": "None"}, {"shots": "5"})


def test_machines_and_versions_count_as_settings(make_run: MakeRun) -> None:
    environment = [{"machine": {"cpu": name}, "packages": {"torch": "2", "peft": name}} for name in "xy"]
    first, second = (
        make_run(one["machine"]["cpu"], FIRST, environment=one, cell={"settings": {}}) for one in environment
    )
    found = differing_settings(first, second)
    assert found.both == {"processor": ("x", "y"), "package peft": ("x", "y")}


def test_a_run_does_not_differ_from_itself(make_run: MakeRun) -> None:
    record = make_run("a", FIRST)
    (one,) = differences(record, record, margin=0.01)
    assert (one.only_first, one.only_second, one.verdict.p_value) == ([], [], 1.0)
    found = differing_settings(record, record)
    assert (found.both, found.only_first, found.only_second) == ({}, {}, {})
