"""A planted crossing is found, and a planted power law is continued."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.unit.decision.planted import FROZEN, LINEAR, LLM, MAJORITY, rows, trial

from beatingbert.decision.curve import best_learner, continue_curve, curves_of, draw_scores, find_crossing, look_ahead
from beatingbert.decision.trials import Judge, Trial
from beatingbert.tasks.example import Example, Question

DEVELOPMENT = rows(1000)
JUDGE = Judge(DEVELOPMENT, "accuracy")


def learnt(accuracy: dict[int, float]) -> list[Trial]:
    return [trial(FROZEN, size, DEVELOPMENT, value) for size, value in accuracy.items()]


def test_a_planted_crossing_is_found_between_its_two_sizes() -> None:
    trials = [*learnt({100: 0.6, 400: 0.8, 1600: 0.9}), trial(LLM, 100, DEVELOPMENT, 0.7)]
    crossing = find_crossing(trials, JUDGE, FROZEN, seed=1)
    assert crossing is not None
    assert crossing.kind == "crosses"
    assert crossing.rows == pytest.approx(200, rel=0.01), "half-way from 100 to 400 by their logarithm"
    assert 100 < crossing.low < 200 < crossing.high < 400
    assert (crossing.prompted, crossing.trained, crossing.fewest, crossing.most) == ("llm", "frozen", 100, 1600)


def test_without_a_crossing_it_is_said_who_is_ahead() -> None:
    ahead = find_crossing([*learnt({100: 0.8, 400: 0.9}), trial(LLM, 100, DEVELOPMENT, 0.6)], JUDGE, FROZEN, seed=1)
    assert ahead is not None and (ahead.kind, ahead.rows, ahead.high) == ("trained ahead", None, 0)
    behind = find_crossing([*learnt({100: 0.5, 400: 0.6}), trial(LLM, 100, DEVELOPMENT, 0.9)], JUDGE, FROZEN, seed=1)
    assert behind is not None and (behind.kind, behind.rows) == ("prompted ahead", None)
    assert math.isinf(behind.low)


def test_nobody_was_prompted_so_there_is_nothing_to_cross() -> None:
    assert find_crossing(learnt({100: 0.6, 400: 0.8}), JUDGE, FROZEN, seed=1) is None


def test_only_rows_that_both_answered_are_compared() -> None:
    few = trial(LLM, 100, DEVELOPMENT, 0.7)
    asked = dict(list(few.answers.items())[:200])
    part = Trial(candidate=LLM, rows=100, answers=asked, spent=few.spent)
    crossing = find_crossing([*learnt({100: 0.6, 400: 0.8}), part], JUDGE, FROZEN, seed=1)
    whole = find_crossing([*learnt({100: 0.6, 400: 0.8}), few], JUDGE, FROZEN, seed=1)
    assert crossing is not None and whole is not None
    assert crossing.high - crossing.low > whole.high - whole.low


def test_a_power_law_is_continued_exactly() -> None:
    sizes, targets = np.array([100.0, 400.0, 1600.0, 6400.0]), np.array([12_800.0, 25_600.0])
    law = 0.95 - 2.0 * sizes**-0.5
    assert continue_curve(sizes, law[None], targets)[0] == pytest.approx(0.95 - 2.0 * targets**-0.5, abs=1e-9)


def test_a_continued_curve_never_passes_one() -> None:
    sizes, targets = np.array([100.0, 400.0, 1600.0]), np.array([1e5, 1e9])
    assert (continue_curve(sizes, np.array([[0.5, 0.8, 0.99]]), targets) <= 1).all()


def test_what_is_to_come_has_a_band_around_the_law() -> None:
    sizes = (62, 250, 1000, 4000)
    trials = learnt({size: 0.95 - 2.0 * size**-0.5 for size in sizes})
    two, four = look_ahead(trials, JUDGE, FROZEN, seed=1)
    assert (two.rows, four.rows) == (8000, 16_000)
    assert two.score.low < 0.95 - 2.0 * 8000**-0.5 < two.score.high
    assert two.now == pytest.approx(0.95 - 2.0 * 4000**-0.5, abs=0.002)
    assert four.score.value >= two.score.value


def test_a_falling_or_a_short_curve_is_not_continued() -> None:
    assert look_ahead(learnt({100: 0.9, 400: 0.8, 1600: 0.7}), JUDGE, FROZEN, seed=1) == ()
    assert look_ahead(learnt({100: 0.6, 400: 0.8}), JUDGE, FROZEN, seed=1) == ()


def test_redrawn_scores_scatter_as_a_binomial_does() -> None:
    drawn = draw_scores([trial(FROZEN, 100, DEVELOPMENT, 0.8)], JUDGE, seed=1)[:, 0]
    assert drawn.mean() == pytest.approx(0.8, abs=0.004)
    assert drawn.std() == pytest.approx((0.8 * 0.2 / 1000) ** 0.5, rel=0.15)


def test_classes_with_a_single_row_scatter_too() -> None:
    """Redrawn within its class, a single row would be the same in every draw, and all bands a point."""
    many = rows(60, tuple(f"class {at}" for at in range(60)))
    judge = Judge(many, "accuracy")
    whole = trial(LLM, 100, many, 1.0)
    answers = {name: label if at % 2 else None for at, (name, label) in enumerate(whole.answers.items())}
    half = replace(whole, answers=answers)
    drawn = draw_scores([half], judge, seed=1)
    assert drawn.std() == pytest.approx(math.sqrt(0.25 / 60), rel=0.15)


@pytest.mark.parametrize("sizes", [[1] * 60, [3] * 40 + [20] * 10, [1, 30, 40]], ids=["ones", "small", "one alone"])
def test_a_band_of_macro_f1_lies_around_its_value_where_classes_are_small(sizes: list[int]) -> None:
    many = [
        Example(Question(f"d{at}-{row}", {"text": "x"}), f"class {at:02}")
        for at, count in enumerate(sizes)
        for row in range(count)
    ]
    judge = Judge(many, "macro_f1")
    some = trial(LLM, 100, many, 1.0)
    told = {name: label if at % 5 else "class 00" for at, (name, label) in enumerate(some.answers.items())}
    some = replace(some, answers=told)
    drawn, value = draw_scores([some], judge, seed=1)[:, 0], judge.score(some)
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert low < value < high
    if min(sizes) == max(sizes) or min(sizes) > 1:  # a row that is a third of the score comes or goes
        assert drawn.mean() == pytest.approx(value, abs=0.04)
    for name, gold in judge.gold.items():  # a small class that stands alone must not be the same row in every draw
        if sizes == [1, 30, 40] and gold == "class 00":
            right = replace(some, answers={**told, name: None})
            assert draw_scores([right], Judge(many, "accuracy"), seed=1).std() > 0


def test_curves_hold_their_values_and_a_prompted_one_is_a_level() -> None:
    trials = [*learnt({400: 0.8, 100: 0.6}), trial(LLM, 100, DEVELOPMENT, 0.7)]
    frozen, llm = curves_of(trials, JUDGE, seed=1)
    assert [(point.rows, point.score.value) for point in frozen.points] == [(100, 0.6), (400, 0.8)]
    assert [(point.rows, point.score.value) for point in llm.points] == [(0, 0.7)]


def test_the_best_learner_is_judged_where_the_most_rows_are() -> None:
    trials = [
        trial(LINEAR, 100, DEVELOPMENT, 0.95),
        trial(LINEAR, 400, DEVELOPMENT, 0.7),
        trial(FROZEN, 400, DEVELOPMENT, 0.8),
        trial(MAJORITY, 400, DEVELOPMENT, 0.99),
    ]
    assert best_learner(trials, JUDGE) is FROZEN


def test_a_reply_without_label_is_wrong_even_where_a_class_is_called_none() -> None:
    named = rows(10, ("None", "Some"))
    told = trial(LLM, 0, named, 1.0)
    silent = replace(told, answers=dict.fromkeys(told.answers))
    assert Judge(named, "accuracy").score(told) == 1
    assert Judge(named, "accuracy").score(silent) == 0
