import numpy as np
import pytest

from beatingbert.errors import MisalignedError, SettingsError, TooFewExamplesError
from beatingbert.statistics import sides
from beatingbert.statistics.multiplicity import holm
from beatingbert.statistics.paired import mcnemar_exact, seeded_gap
from beatingbert.statistics.sides import contender_p_value, judge_contenders, judge_sides
from beatingbert.statistics.verdict import Verdict, judge

OPPOSITE = {
    "first ahead": "second ahead",
    "second ahead": "first ahead",
    "practically equal": "practically equal",
    "cannot tell": "cannot tell",
}


def columns(only_first: int, only_second: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    sizes = [rows - only_first - only_second, only_first, only_second]
    return np.repeat([True, True, False], sizes), np.repeat([True, False, True], sizes)


def judge_runs(first: np.ndarray, second: np.ndarray, **about: int) -> Verdict:
    """`judge_sides` of contenders with one seed each, from two matrices of shape (contenders, rows)."""
    return judge_sides([run[None] for run in first], [run[None] for run in second], **about)


def test_one_run_a_side_is_judged_as_two_classifiers() -> None:
    for counts in ((60, 20, 872), (22, 20, 277), (0, 0, 1000)):
        first, second = columns(*counts)
        assert judge_runs(first[None], second[None]) == judge(first, second)


def test_a_side_is_ahead_if_one_of_its_runs_beats_every_run_of_the_other() -> None:
    generator = np.random.default_rng(99)
    hard = generator.random(872)
    strong, weak, middling = hard < 0.92, hard < 0.6, (hard + 0.1 * generator.random(872)) < 0.85
    verdict = judge_runs(np.stack([weak, strong]), np.stack([weak, middling, weak]))
    assert (verdict.kind, verdict.first_run, verdict.second_run) == ("first ahead", 1, 1)
    assert judge_runs(np.stack([weak, middling]), np.stack([weak, strong])).kind == "second ahead"
    assert verdict.gap.value == pytest.approx(strong.mean() - middling.mean())


def test_a_side_is_not_ahead_of_runs_it_does_not_all_beat() -> None:
    generator = np.random.default_rng(99)
    hard = generator.random(277)
    strong, rival = hard < 0.85, (hard + 0.02 * generator.random(277)) < 0.85
    weak = hard < 0.4
    verdict = judge_runs(strong[None], np.stack([weak, weak, rival]))
    assert verdict.kind == "cannot tell"
    assert not verdict.significant


def test_the_best_of_many_equals_is_not_declared_ahead() -> None:
    generator = np.random.default_rng(99)
    wrong = 0
    for _ in range(300):
        right = generator.random((9, 150)) < 0.7
        wrong += judge_runs(right[:8], right[8:]).kind.endswith("ahead")
        wrong += judge_runs(right[:4], right[4:]).kind.endswith("ahead")
    assert wrong / 600 <= 0.05


def test_sides_whose_best_runs_are_alike_are_equal_though_others_are_not() -> None:
    hard = np.random.default_rng(99).random(3000)
    best, poor = hard < 0.9, hard < 0.5
    verdict = judge_runs(np.stack([poor, best]), np.stack([best, poor]))
    assert (verdict.kind, verdict.significant) == ("practically equal", False)
    # As many rows are enough for one pair but not for nine.
    assert judge_runs(best[:400][None], best[:400][None]).kind == "practically equal"
    assert judge_runs(np.stack([best[:400]] * 3), np.stack([best[:400]] * 3)).kind == "cannot tell"


def test_neither_the_order_of_runs_nor_of_sides_matters() -> None:
    generator = np.random.default_rng(3)
    first, second = generator.random((3, 200)) < [[0.8], [0.7], [0.6]], generator.random((4, 200)) < 0.65
    one, two, swapped = judge_runs(first, second), judge_runs(first[::-1], second), judge_runs(second, first)
    assert (one.kind, one.p_value, one.gap) == (two.kind, two.p_value, two.gap)
    assert (OPPOSITE[one.kind], one.p_value) == (swapped.kind, swapped.p_value)


def test_more_tasks_judged_together_make_each_verdict_harder() -> None:
    first, second = columns(26, 11, 277)
    assert judge_runs(first[None], second[None]).kind == "first ahead"
    assert judge_runs(first[None], second[None], claims=5).kind == "cannot tell"


def seeds_of(share: float, count: int, hard: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return np.stack([hard + generator.normal(0, 0.05, hard.size) < share for _ in range(count)])


def test_contenders_with_one_seed_are_two_classifiers() -> None:
    first, second = columns(30, 12, 277)
    assert judge_contenders(first[None], second[None], claims=3) == judge(first, second, claims=3)
    assert contender_p_value(first[None], second[None]) == mcnemar_exact(first, second)


def test_several_seeds_are_judged_by_their_mean_accuracies() -> None:
    generator = np.random.default_rng(5)
    hard = generator.random(800)
    strong, weak = (seeds_of(share, 3, hard, generator) for share in (0.9, 0.7))
    verdict = judge_contenders(strong, weak)
    told = seeded_gap(strong, weak, level=0.95, draws=1, seed=0)
    assert (verdict.kind, verdict.gap, verdict.p_value) == ("first ahead", told.gap, told.p_value)
    assert judge_contenders(weak, strong).kind == "second ahead"
    assert judge_contenders(strong, strong, margin=0.1).kind == "practically equal"
    assert judge_contenders(strong, weak, claims=10).p_value == pytest.approx(10 * told.p_value)


def test_seeds_join_a_side_without_changing_how_it_is_judged() -> None:
    generator = np.random.default_rng(5)
    hard = generator.random(800)
    strong, fair, weak = (seeds_of(share, 2, hard, generator) for share in (0.95, 0.8, 0.5))
    verdict = judge_sides([weak, strong], [fair, weak[:1]])
    assert (verdict.kind, verdict.first_run, verdict.second_run) == ("first ahead", 1, 0)
    pairs = [(weak, fair), (weak, weak[:1]), (strong, fair), (strong, weak[:1])]
    assert verdict.p_value == max(holm([contender_p_value(*pair) for pair in pairs])[2:])
    assert judge_sides([fair, weak[:1]], [weak, strong]).kind == "second ahead"
    assert judge_sides([strong], [strong[:1], weak]).kind == "cannot tell"


def test_seeds_that_scatter_prove_less_than_their_mean_would_as_one_run() -> None:
    hard = np.random.default_rng(5).random(400)
    good, lucky, unlucky = hard < 0.9, hard < 0.85, hard < 0.45
    assert judge_sides([good[None]], [np.stack([lucky, unlucky])]).kind == "cannot tell"
    assert judge_sides([good[None]], [(hard < 0.65)[None]]).kind == "first ahead"


def test_the_luckiest_of_many_equals_with_two_seeds_each_is_not_declared_ahead() -> None:
    generator = np.random.default_rng(99)
    wrong = 0
    for _ in range(100):
        right = generator.random((5, 2, 150)) < 0.7
        wrong += judge_sides(list(right[:4]), list(right[4:])).kind.endswith("ahead")
    assert wrong <= 5


def test_pairs_that_are_not_tested_never_make_a_claim_easier(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(5)
    hard = generator.random(300)
    first = [seeds_of(share, 2, hard, generator) for share in (0.9, 0.6, 0.5)]
    second = [seeds_of(share, 2, hard, generator) for share in (0.7, 0.6)]
    whole = judge_sides(first, second)
    monkeypatch.setattr(sides, "MOST_SEEDED", 3)
    part = judge_sides(first, second)
    assert (part.kind, part.gap) == (whole.kind, whole.gap)
    assert part.p_value >= whole.p_value


def test_sides_that_cannot_be_judged_are_refused() -> None:
    two, three = np.array([[True, False]]), np.array([[True, False, True]])
    with pytest.raises(MisalignedError, match="same rows"):
        judge_sides([two], [three])
    with pytest.raises(MisalignedError, match="same rows"):
        judge_sides([two, three], [two])
    with pytest.raises(TooFewExamplesError, match="a contender on each"):
        judge_sides([two], [])
    for wrong in ({"margin": 1.0}, {"level": 0.5}, {"claims": 0}):
        with pytest.raises(SettingsError):
            judge_sides([two], [two], **wrong)
        with pytest.raises(SettingsError):
            judge_contenders(np.repeat(two, 2, axis=0), two, **wrong)
    with pytest.raises(TypeError, match="right or wrong"):
        judge_sides([two.astype(int)], [two])
