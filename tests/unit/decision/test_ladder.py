"""Who climbs, who leaves and why, with a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.decision.planted import (
    FROZEN,
    LINEAR,
    LLM,
    MAJORITY,
    TUNED,
    Hand,
    Machine,
    answers,
    ladder,
    rows,
    trial,
)

from beatingbert.decision.candidates import Candidate
from beatingbert.decision.climb import Climb, Watch
from beatingbert.decision.costs import CostModel
from beatingbert.decision.ladder import rungs
from beatingbert.decision.plans import Plan, Planner, passes
from beatingbert.decision.trials import Trial
from beatingbert.errors import TrainingError

EVERYBODY = [MAJORITY, LINEAR, FROZEN, TUNED, LLM]
SIZES = (250, 1000, 4000)
ACCURACY = {
    "majority": lambda size: 0.5,
    "TF-IDF": lambda size: 0.7,
    "frozen": lambda size: 0.8,
    "tuned": lambda size: 0.6 + size / 12_000,
    "llm": lambda size: 0.75,
}


def climb(
    seconds: dict[str, float], *, budget: float, candidates: list[Candidate] | None = None, reserve: float = 0.0
) -> tuple[Climb, Machine, float]:
    """Everybody's seconds are per 1,000 rows and pass; those of the LLM for being asked."""
    clock, development = Hand(), rows(200)

    def taking(name: str) -> Callable[[int], float]:
        each = seconds.get(name, 0.1)
        return lambda work: each if name == "llm" else each * work / 1000

    takes = {name: taking(name) for name in ACCURACY}
    machine = Machine(clock, development, ACCURACY, takes)
    chosen = EVERYBODY if candidates is None else candidates
    found = ladder(chosen, machine, development, clock, budget=budget, sizes=SIZES, reserve=reserve).run()
    return found, machine, clock.now - 1000


def test_rungs_are_all_rows_and_quarters_of_them() -> None:
    assert rungs(4000, 2) == (62, 250, 1000, 4000)
    assert rungs(9000, 77) == (140, 562, 2250, 9000)
    assert rungs(40, 2) == (40,)


def test_few_rows_are_passed_more_often_than_many() -> None:
    assert [passes(TUNED, size, 2) for size in (100, 4500, 100_000)] == [4, 3, 2]
    assert passes(LINEAR, 100, 2) is None


def test_many_classes_are_passed_more_often_than_two() -> None:
    assert [passes(LONG, 8000, classes) for classes in (2, 50, 77)] == [2, 5, 7]


def test_with_time_enough_the_best_of_each_way_gets_to_the_top() -> None:
    found, _, _ = climb({}, budget=1000)
    assert [one.name for one in found.finalists] == ["tuned", "frozen", "llm", "TF-IDF", "majority"]
    assert {trial.rows for trial in found.trials if trial.candidate is FROZEN} == set(SIZES)


def test_of_two_of_a_kind_the_worse_leaves_with_its_score() -> None:
    worse = Candidate(name="TF-IDF 2", engine="embedding", settings={"checkpoint": "z"})
    ACCURACY["TF-IDF 2"] = lambda size: 0.6
    try:
        found, machine, _ = climb({}, budget=1000, candidates=[*EVERYBODY, worse])
    finally:
        del ACCURACY["TF-IDF 2"]
    left = {one.candidate.name: one.reason for one in found.left}
    assert left == {"TF-IDF 2": "after 250 rows accuracy 60.0 on development, where frozen had 80.0"}
    assert ("TF-IDF 2", 1000) not in machine.made


def test_the_budget_is_held_and_what_does_not_fit_is_not_begun() -> None:
    found, machine, spent = climb({"tuned": 200.0}, budget=300)
    assert spent <= 300
    assert ("tuned", 4000) not in machine.made, "it would take 1,600 s"
    reason = next(one.reason for one in found.left if one.candidate is TUNED)
    assert "would take about 6 min 40 s with 1,000 rows and 2 epochs" in reason
    assert [one.name for one in found.finalists] == ["frozen", "llm", "TF-IDF", "majority"]


@pytest.mark.parametrize("speed", [0.5, 5.0, 20.0, 60.0])
def test_no_speed_makes_it_overrun_by_a_fifth(speed: float) -> None:
    found, _, spent = climb({"tuned": speed, "frozen": speed / 4, "llm": 4 * speed}, budget=120, reserve=20)
    assert spent <= 1.2 * 120
    assert len(found.finalists) >= 3


def test_fewer_passes_are_made_where_time_is_short() -> None:
    found, _, spent = climb({"tuned": 10.0}, budget=180)
    epochs = {trial.rows: trial.epochs for trial in found.trials if trial.candidate is TUNED}
    assert epochs[250] == 4
    assert epochs[4000] == 3, "as many as are wanted with so many rows"
    short, _, _ = climb({"tuned": 10.0}, budget=140)
    assert {trial.rows: trial.epochs for trial in short.trials if trial.candidate is TUNED}[4000] == 2
    assert spent <= 180


def test_a_failing_training_leaves_with_its_message_and_the_others_go_on() -> None:
    clock, development = Hand(), rows(200)
    machine = Machine(clock, development, ACCURACY, dict.fromkeys(ACCURACY, lambda work: 0.1))

    def attempt(plan: Plan, **given: Any) -> Trial:
        if plan.candidate is FROZEN:
            raise TrainingError("the training loss became nan")
        return machine(plan, **given)

    found = ladder(EVERYBODY, attempt, development, clock, budget=100, sizes=SIZES).run()
    assert [(one.candidate.name, one.reason) for one in found.left] == [("frozen", "the training loss became nan")]
    assert TUNED in found.finalists


def test_ctrl_c_keeps_what_is_finished() -> None:
    clock, development = Hand(), rows(200)
    machine = Machine(clock, development, ACCURACY, dict.fromkeys(ACCURACY, lambda work: 0.1))

    def attempt(plan: Plan, **given: Any) -> Trial:
        if plan.candidate is TUNED and plan.rows == 1000:
            raise KeyboardInterrupt
        return machine(plan, **given)

    found = ladder(EVERYBODY, attempt, development, clock, budget=100, sizes=SIZES).run()
    assert found.stopped
    assert found.finalists[0] is FROZEN
    assert {trial.rows for trial in found.trials} <= {250, 1000}


def test_a_prompted_model_is_asked_few_rows_until_it_has_earned_more() -> None:
    clock, development = Hand(), rows(600)
    machine = Machine(clock, development, ACCURACY, dict.fromkeys(ACCURACY, lambda work: 0.1))
    found = ladder([MAJORITY, LINEAR, LLM], machine, development, clock, budget=100, sizes=SIZES).run()
    assert [len(trial.answers) for trial in found.trials if trial.candidate is LLM] == [200, 600]


def test_half_of_the_rows_are_taken_where_all_do_not_fit() -> None:
    found, _, spent = climb({"TF-IDF": 60.0}, budget=100, candidates=[MAJORITY, LINEAR])
    latest = found.latest(LINEAR)
    assert latest is not None and latest.rows == 1000
    assert found.finalists[0] is LINEAR and spent <= 100


def test_where_nobody_gets_to_the_top_the_latest_trials_count() -> None:
    found, _, spent = climb({"TF-IDF": 300.0}, budget=100, candidates=[MAJORITY, LINEAR])
    latest = found.latest(LINEAR)
    assert latest is not None and latest.rows == 250
    assert found.finalists[0] is LINEAR and spent <= 100
    assert found.left == []


LONG = Candidate(name="tuned", engine="encoder", settings={"checkpoint": "b"}, epochs=(2, 8))


def test_time_that_is_left_trains_the_best_for_longer() -> None:
    found, machine, spent = climb({"tuned": 10.0}, budget=900, candidates=[MAJORITY, LINEAR, LONG])
    assert [trial.epochs for trial in found.trials if trial.candidate is LONG and trial.rows == 4000] == [4, 8]
    assert machine.made.count(("tuned", 4000)) == 2 and spent <= 900
    short, _, spent = climb({"tuned": 10.0}, budget=400, candidates=[MAJORITY, LINEAR, LONG])
    latest = short.latest(LONG)
    assert latest is not None and latest.epochs == 4, "six passes would take 240 s and there are fewer"
    assert spent <= 400


def test_whoever_had_half_of_the_rows_gets_all_of_them_where_time_is_left_after_all() -> None:
    development = rows(200)
    planner = Planner(
        CostModel({}, tokens=10, label_tokens=2, flops=1e12), rows=4000, development=len(development), classes=2
    )
    half = trial(LINEAR, 2000, development, 0.7, seconds=20.0)
    cut = Plan(candidate=LINEAR, rows=2000, epochs=None, asked=200, room=50.0, expected=40.0, answering=0.0)
    planner.observe(cut, half.spent, share=1.0, answered=200)
    found = planner.longer(half, room=50.0)
    assert found is not None and (found.rows, found.epochs) == (4000, None)
    assert planner.longer(half, room=30.0) is None
    assert planner.longer(replace(half, rows=4000), room=1e9) is None, "it has had all"


@pytest.mark.parametrize("second", ["worse", "of few rows", "failing"])
def test_a_longer_training_that_brings_nothing_changes_nothing(second: str) -> None:
    clock, development = Hand(), rows(200)
    machine = Machine(clock, development, ACCURACY, dict.fromkeys(ACCURACY, lambda work: 0.1))
    asked: list[bool] = []

    def attempt(plan: Plan, **given: Any) -> Trial:
        found = machine(plan, **given)
        if machine.made.count(("tuned", 4000)) < 2:
            return found
        if second == "failing":
            raise TrainingError("the training loss became nan")
        if second == "worse":
            found = replace(found, answers=answers(development, 0.6))
        else:  # all right, as far as they go
            found = replace(found, answers={one.question.id: one.label for one in development[:64]})
        asked.append(given["accept"](found))
        return found

    heard: list[bool] = []

    class Listening(Watch):
        def ends(self, trial: Trial, score: float, *, kept: bool = True) -> None:
            heard.append(kept)

    found = ladder(
        [MAJORITY, LINEAR, LONG], attempt, development, clock, budget=100, sizes=SIZES, watch=Listening()
    ).run()
    latest = found.latest(LONG)
    assert latest is not None and latest.epochs == 4
    assert heard.count(False) == len(asked), "whoever watches is told that it was not kept"
    assert machine.made.count(("tuned", 4000)) == 2
    assert found.finalists[0] is LONG and found.left == []
    assert asked == ([] if second == "failing" else [False])


def test_whoever_learns_does_not_leave_because_an_llm_is_ahead_on_few_rows() -> None:
    weak = {**ACCURACY, "frozen": lambda size: 0.3 + size / 8000, "llm": lambda size: 0.75}
    clock, development = Hand(), rows(200)
    other = Candidate(name="llm 2", engine="llm", settings={"checkpoint": "d"})
    third = Candidate(name="llm 3", engine="llm", settings={"checkpoint": "e"})
    weak |= {"llm 2": lambda size: 0.7, "llm 3": lambda size: 0.65}
    machine = Machine(clock, development, weak, dict.fromkeys(weak, lambda work: 0.1))
    found = ladder(
        [MAJORITY, LINEAR, FROZEN, LLM, other, third], machine, development, clock, budget=100, sizes=SIZES
    ).run()
    assert ("frozen", 4000) in machine.made
    assert "llm 3" in {one.candidate.name for one in found.left}


def test_nobody_leaves_on_a_sample_that_teaches_nothing() -> None:
    worse = Candidate(name="TF-IDF 2", engine="embedding", settings={"checkpoint": "z"})
    accuracy = {**ACCURACY, "TF-IDF 2": lambda size: 0.7 if size < 200 else 0.9}
    clock, development = Hand(), rows(200)
    machine = Machine(clock, development, accuracy, dict.fromkeys(accuracy, lambda work: 0.1))
    found = ladder([MAJORITY, LINEAR, FROZEN, worse], machine, development, clock, budget=100, sizes=(60, 240, 960))
    climb = found.run()
    assert climb.finalists[0] is worse, "behind on 60 rows, ahead from 240 on"
