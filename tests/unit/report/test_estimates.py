import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from scipy import stats

from beatingbert.report.estimates import accuracy_of, estimate
from beatingbert.runs.record import RunRecord
from beatingbert.statistics.intervals import Interval, wilson

MakeRun = Callable[..., RunRecord]
SOME = [True, True, True, False, True, True, False, True, True, True]


def with_metric(record: RunRecord, name: str, metric: Mapping[str, float]) -> RunRecord:
    score = record.scores["validation"]
    metrics = {**score["metrics"], name: metric}
    return replace(record, scores={"validation": {**score, "metrics": metrics}})


def test_one_seed_has_its_records_own_interval(make_run: MakeRun) -> None:
    record = make_run("bert", SOME)
    told = record.scores["validation"]["metrics"]
    for name in ("accuracy", "macro_f1", "mcc"):
        found = estimate([record], "validation", name)
        assert found == Interval(told[name]["value"], told[name]["low"], told[name]["high"], 0.95)
    assert accuracy_of([record], "validation").value == 0.8


def test_a_metric_that_the_task_lacks_is_none(make_run: MakeRun) -> None:
    assert estimate([make_run("bert", SOME)], "validation", "acc_norm") is None


def test_seeds_that_agree_leave_the_doubt_of_the_rows(make_run: MakeRun) -> None:
    half = [True, True, False, False] * 10
    records = [make_run(f"bert{seed}", half, cell={"seed": seed}) for seed in range(3)]
    found, alone = accuracy_of(records, "validation"), wilson(20, 40, level=0.95)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, alone.low, alone.high))
    one, all_of_them = (estimate(runs, "validation", "macro_f1") for runs in (records[:1], records))
    assert all_of_them == one


def test_seeds_that_differ_widen_the_interval_by_students_t(make_run: MakeRun) -> None:
    bounds = {"low": -0.02, "high": 0.03}
    values = [0.70, 0.74, 0.72]
    record = make_run("bert", SOME)
    records = [
        with_metric(record, "macro_f1", {"value": value, **{name: value + by for name, by in bounds.items()}})
        for value in values
    ]
    found = estimate(records, "validation", "macro_f1")
    assert found is not None
    low, high = stats.t.interval(0.95, df=2, loc=0.72, scale=stats.sem(values))
    assert found.value == pytest.approx(0.72)
    assert found.low == pytest.approx(0.72 - math.hypot(0.72 - low, 0.02))
    assert found.high == pytest.approx(0.72 + math.hypot(high - 0.72, 0.03))


def test_two_seeds_that_differ_are_wider_than_either_alone_and_stay_in_range(make_run: MakeRun) -> None:
    records = [make_run(f"bert{seed}", [*SOME[:9], seed == 1], cell={"seed": seed}) for seed in range(2)]
    for name, floor in (("accuracy", 0.0), ("macro_f1", 0.0), ("mcc", -1.0)):
        found = estimate(records, "validation", name)
        alone = [estimate([record], "validation", name) for record in records]
        assert found is not None
        assert floor <= found.low < min(one.low for one in alone if one)
        assert 1.0 >= found.high > max(one.value for one in alone if one)
