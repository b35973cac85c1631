from collections.abc import Callable
from pathlib import Path
from typing import Any

from beatingbert.report.frame import read_frame
from beatingbert.report.leaderboard import COLUMNS, standings, standings_of
from beatingbert.runs.record import RunRecord

MakeRun = Callable[..., RunRecord]
GOOD, FAIR, POOR = [True] * 9 + [False], [True] * 7 + [False] * 3, [True] * 5 + [False] * 5


def test_the_most_accurate_stands_first_within_its_task(make_run: MakeRun) -> None:
    runs = [make_run("poor", POOR), make_run("good", GOOD), make_run("other", FAIR, cell={"task": "rte"})]
    found = standings([*runs, make_run("fair", FAIR)])
    assert [(one.name, one.record.run_name) for one in found] == [
        ("rte", "other"),
        ("sst2", "good"),
        ("sst2", "fair"),
        ("sst2", "poor"),
    ]


def test_runs_on_fewer_rows_stand_apart(make_run: MakeRun) -> None:
    runs = [make_run("few", [True] * 4), make_run("poor", POOR), make_run("good", GOOD)]
    assert [one.record.run_name for one in standings(runs)] == ["good", "poor", "few"]


def test_runs_that_are_equal_stand_by_name_whatever_the_order_they_come_in(make_run: MakeRun) -> None:
    runs = [make_run(name, FAIR) for name in ("b", "a", "c")]
    assert [one.record.run_name for one in standings(runs)] == ["a", "b", "c"]
    assert standings(runs) == standings(runs[::-1])


def test_a_task_with_two_splits_has_a_row_for_each(make_run: MakeRun) -> None:
    card = make_run("a", GOOD).scores["validation"]
    both = make_run("b", GOOD, cell={"task": "mnli"}, scores={"matched": card, "mismatched": card})
    assert [one.name for one in standings([both])] == ["mnli (matched)", "mnli (mismatched)"]


def test_a_run_without_scores_has_no_row(make_run: MakeRun) -> None:
    assert standings([make_run("predicted", GOOD, unlabelled=True)]) == []


def test_a_row_says_how_good_how_fast_and_how_large(make_run: MakeRun) -> None:
    (one,) = standings([make_run("a", GOOD)])
    cells = one.cells()
    assert tuple(cells) == COLUMNS
    assert cells | {"macro-F1": "", "MCC": ""} == {
        "task": "sst2",
        "model": "a",
        "how": "fine-tuned on 3,600",
        "accuracy [95 %]": "90.0 [59.6, 99.5]",
        "macro-F1": "",
        "MCC": "",
        "ECE": "-",
        "p50 / p95 ms": "1.2 / 20.0",
        "per s": "1,234",
        "MiB": "512",
        "training": "4 min 10 s",
        "rows": "10",
        "unparsed": "0",
        "cut": "0",
    }


def test_where_there_is_a_device_its_memory_is_shown(make_run: MakeRun) -> None:
    record = make_run("a", GOOD)
    efficiency = {**record.efficiency, "memory": {"answer": {"process_mib": 512.0, "device_mib": 2048.0}}}
    (one,) = standings([make_run("b", GOOD, efficiency=efficiency)])
    assert one.cells()["MiB"] == "2,048"


def test_multiple_choice_has_accuracy_and_dashes(make_run: MakeRun) -> None:
    card = {**make_run("a", GOOD).scores["validation"]}
    card["metrics"] = {"accuracy": card["metrics"]["accuracy"]}
    (one,) = standings([make_run("b", GOOD, scores={"validation": card})])
    assert (one.cells()["macro-F1"], one.cells()["MCC"]) == ("-", "-")


def with_calibration(record: RunRecord, ece: float, brier: float) -> dict[str, Any]:
    """The run's scores with the two metrics of which the smaller is the better."""
    card = record.scores["validation"]
    added = {
        name: {"value": value, "low": value / 2, "high": 2 * value} for name, value in (("ece", ece), ("brier", brier))
    }
    return {"validation": {**card, "metrics": {**card["metrics"], **added}}}


def test_a_large_calibration_error_is_shown_and_wins_no_place(make_run: MakeRun) -> None:
    poor, good = make_run("poor", POOR), make_run("good", GOOD)
    runs = [
        make_run("unsure", GOOD, scores=with_calibration(good, 0.04, 0.2)),
        make_run("boastful", POOR, scores=with_calibration(poor, 0.45, 0.9)),
    ]
    found = standings(runs)
    assert [(one.record.run_name, one.cells()["ECE"]) for one in found] == [("unsure", "0.040"), ("boastful", "0.450")]


def test_runs_on_different_rows_of_a_task_do_not_stand_among_each_other(make_run: MakeRun, runs_dir: Path) -> None:
    for name, right, first_id in (("good", GOOD, 0), ("fair", FAIR, 50), ("poor", POOR, 0)):
        make_run(name, right, first_id=first_id)
    make_run("alone", GOOD, cell={"task": "rte"})
    make_run("predicted", GOOD, unlabelled=True)
    found = standings_of(read_frame(runs_dir))
    assert found[0].name == "rte"
    assert len({one.name for one in found}) == 3
    places = {one.record.run_name: one.name for one in found[1:]}
    assert places["good"] == places["poor"] != places["fair"]
    assert all(name.startswith("sst2 [") for name in places.values())
    order = [one.name for one in found]
    assert order == sorted(order)


def test_a_run_that_was_done_again_is_shown_both_times(make_run: MakeRun, runs_dir: Path) -> None:
    for at in (1, 2):
        make_run(f"bert{at}", GOOD, model="bert", finished_at=f"2026-01-0{at}T12:00:00+01:00", cell={"settings": {}})
    assert [one.record.run_name for one in standings_of(read_frame(runs_dir))] == ["bert1", "bert2"]
