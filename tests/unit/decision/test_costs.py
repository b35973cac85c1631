"""Seconds of trials: from arithmetic first, then from what was measured."""

from __future__ import annotations

import pytest
from tests.unit.decision.planted import FROZEN, LINEAR, TUNED

from beatingbert.decision.costs import CostModel, Effort, Spent, probe_speed

WEIGHTS = {"frozen": 1e8, "tuned": 1e8}


def model() -> CostModel:
    return CostModel(WEIGHTS, tokens=20, label_tokens=5, flops=1e12)


def effort(rows: int, *, passes: float = 1, answers: int = 0, loads: bool = False) -> Effort:
    return Effort(rows=rows, passes=passes, answers=answers, loads=loads)


def test_before_any_trial_training_costs_three_times_answering() -> None:
    found = model().expect(TUNED, effort(1000, passes=2, answers=2000))
    assert found.answer == pytest.approx(2000 * 2 * 1e8 * 20 / 1e12)
    assert found.learn == pytest.approx(3 * found.answer)
    assert found.load == 0


def test_one_trial_is_scaled_two_lay_a_line() -> None:
    costs = model()
    costs.observe(LINEAR, effort(100), Spent(load=0, learn=3.0, answer=0))
    assert costs.expect(LINEAR, effort(400)).learn == pytest.approx(12)
    costs.observe(LINEAR, effort(400), Spent(load=0, learn=6.0, answer=0))
    assert costs.expect(LINEAR, effort(1600)).learn == pytest.approx(6 + 0.01 * 1200)


def test_what_one_took_more_than_reckoned_corrects_the_others() -> None:
    costs = model()
    before = costs.expect(TUNED, effort(0, answers=100)).answer
    costs.observe(FROZEN, effort(0, answers=100), Spent(load=0, learn=0, answer=5 * before))
    assert costs.expect(TUNED, effort(0, answers=100)).answer == pytest.approx(5 * before)
    assert costs.knows(FROZEN) and not costs.knows(TUNED)


def test_the_probed_speed_is_that_of_some_machine() -> None:
    assert 1e8 < probe_speed(size=64, seconds=0.001) < 1e15
