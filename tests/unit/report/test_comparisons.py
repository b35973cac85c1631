from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from beatingbert.report import comparisons
from beatingbert.report.comparisons import Contest, hold_contests
from beatingbert.report.contenders import Side
from beatingbert.report.frame import read_frame
from beatingbert.runs.record import RunRecord
from beatingbert.statistics.multiplicity import holm

MakeRun = Callable[..., RunRecord]

T, F = True, False
# Rows that both, only the first and only the second get right: 4, 11 and 1, of 20.
FIRST = [T] * 4 + [T] * 11 + [F] * 1 + [F] * 4
SECOND = [T] * 4 + [F] * 11 + [T] * 1 + [F] * 4
LLM = {"shots": 0, "answer_by": "likelihood"}


@pytest.fixture
def hold(make_run: MakeRun, runs_dir: Path) -> Callable[..., list[Contest]]:
    """hold(("llm", "gemma", FIRST), ("encoder", "bert", SECOND)) are the contests of such runs."""

    def make(*runs: tuple[str, str, Sequence[bool]], margin: float = 0.01) -> list[Contest]:
        for number, (engine, model, right) in enumerate(runs):
            settings = {"checkpoint": model, **LLM}
            make_run(f"run{number}", right, model=model, cell={"engine": engine, "seed": number, "settings": settings})
        return hold_contests(read_frame(runs_dir), margin=margin)

    return make


def pairs_of(contest: Contest) -> list[tuple[str, str]]:
    return [(one.first.model, one.second.model) for one in contest.comparisons]


def test_sides_are_held_against_each_other_and_never_against_themselves(hold: Callable[..., list[Contest]]) -> None:
    (contest,) = hold(
        ("llm", "gemma", FIRST),
        ("lora", "qwen", SECOND),
        ("encoder", "bert", SECOND),
        ("linear", "linear", FIRST),
        ("majority", "majority", SECOND),
    )
    assert pairs_of(contest) == [
        *(("gemma", "bert"), ("qwen", "bert")),
        *(("gemma", "linear"), ("gemma", "majority"), ("qwen", "linear"), ("qwen", "majority")),
        *(("bert", "linear"), ("bert", "majority")),
    ]
    assert contest.family == 8
    assert contest.is_complete


def test_p_values_are_scipys_corrected_by_holm_for_all_pairs(hold: Callable[..., list[Contest]]) -> None:
    random = np.random.default_rng(3)
    answers = {name: (random.random(60) < share).tolist() for name, share in (("a", 0.9), ("b", 0.7), ("c", 0.5))}
    answers |= {name: (random.random(60) < share).tolist() for name, share in (("x", 0.6), ("y", 0.95))}
    (contest,) = hold(*(("llm" if name in "abc" else "encoder", name, right) for name, right in answers.items()))
    expected = []
    for first, second in pairs_of(contest):
        ours, theirs = np.array(answers[first]), np.array(answers[second])
        only_first, only_second = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
        expected.append(binomtest(only_first, only_first + only_second).pvalue)
    assert len(expected) == 6
    assert [one.alone for one in contest.comparisons] == pytest.approx(expected)
    assert [one.verdict.p_value for one in contest.comparisons] == pytest.approx(holm(expected))


def test_a_difference_that_holds_is_a_verdict_with_its_rows(hold: Callable[..., list[Contest]]) -> None:
    (contest,) = hold(("llm", "gemma", SECOND), ("encoder", "bert", FIRST))
    (one,) = contest.comparisons
    assert one.verdict.kind == "second ahead"
    assert one.verdict.gap.value == -0.5  # 5 of 20 against 15 of 20
    assert one.alone == pytest.approx(26 / 4096)  # 12 coins, one or fewer heads, two-sided: 2 * (1 + 12) / 2**12
    assert (one.only_first, one.only_second) == (1, 11)
    assert contest.decisive is not None
    assert (contest.decisive.llm.model, contest.decisive.encoder.model) == ("gemma", "bert")
    assert contest.decisive.verdict.kind == "second ahead"


def test_every_further_claim_makes_each_one_harder(hold: Callable[..., list[Contest]]) -> None:
    (contest,) = hold(("llm", "gemma", SECOND), *(("encoder", f"bert{at}", FIRST) for at in range(8)))
    assert [one.verdict.p_value for one in contest.comparisons] == pytest.approx([8 * 26 / 4096] * 8)
    assert {one.verdict.kind for one in contest.comparisons} == {"cannot tell"}


def test_of_many_pairs_only_those_with_a_best_are_judged_but_all_are_corrected_for(
    hold: Callable[..., list[Contest]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparisons, "ALL_PAIRS", 8)
    better = [T, *FIRST[1:-1], T]
    (contest,) = hold(
        *(("llm", f"llm{at}", better if at == 2 else FIRST) for at in range(3)),
        *(("encoder", f"bert{at}", better if at == 1 else SECOND) for at in range(3)),
    )
    assert contest.family == 9
    assert not contest.is_complete
    best = {("llm2", name) for name in ("bert0", "bert1", "bert2")} | {(f"llm{at}", "bert1") for at in range(3)}
    assert set(pairs_of(contest)) == best
    strongest = min(contest.comparisons, key=lambda one: one.alone)
    assert strongest.verdict.p_value == pytest.approx(min(1, 9 * strongest.alone))


def test_runs_on_different_rows_never_meet(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("gemma", FIRST, cell={"engine": "llm", "settings": LLM})
    make_run("bert", SECOND, first_id=1)
    found = hold_contests(read_frame(runs_dir))
    assert len(found) == 2
    assert [(one.comparisons, one.decisive) for one in found] == [((), None)] * 2


def test_several_seeds_are_compared_by_their_mean(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("gemma", SECOND, cell={"engine": "llm", "settings": LLM})
    for seed, right in enumerate((FIRST, SECOND)):
        make_run(f"bert{seed}", right, model="bert", cell={"seed": seed})
    (contest,) = hold_contests(read_frame(runs_dir))
    (one,) = contest.comparisons
    assert one.verdict.gap.value == pytest.approx((5 - (15 + 5) / 2) / 20)
    assert (one.only_first, one.only_second) == (0.5, 5.5)
    assert one.verdict.kind == "cannot tell"  # two seeds that differ by half of all rows prove nothing
    assert contest.decisive is not None
    assert contest.decisive.verdict.gap == one.verdict.gap


def test_seeds_that_agree_prove_what_one_of_them_proves(make_run: MakeRun, runs_dir: Path) -> None:
    right, wrong = [T] * 60 + [F] * 5, [F] * 40 + [T] * 25
    make_run("gemma", wrong, cell={"engine": "llm", "settings": LLM})
    for seed in range(3):
        make_run(f"bert{seed}", right, model="bert", cell={"seed": seed})
    (contest,) = hold_contests(read_frame(runs_dir))
    assert contest.comparisons[0].verdict.kind == "second ahead"
    assert contest.decisive is not None
    assert contest.decisive.verdict.kind == "second ahead"


def test_a_run_that_was_done_again_counts_once(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("gemma", SECOND, cell={"engine": "llm", "settings": LLM})
    make_run("old", SECOND, model="bert", finished_at="2026-01-01T12:00:00+01:00")
    make_run("new", FIRST, model="bert", finished_at="2026-01-02T12:00:00+01:00")
    (contest,) = hold_contests(read_frame(runs_dir))
    assert [one.verdict.gap.value for one in contest.comparisons] == [-0.5]


def test_contests_held_together_are_corrected_for_each_other(make_run: MakeRun, runs_dir: Path) -> None:
    for task in ("sst2", "rte"):
        make_run(f"{task}_gemma", SECOND, cell={"engine": "llm", "task": task, "settings": LLM})
        make_run(f"{task}_bert", FIRST, cell={"task": task})
    make_run("alone", FIRST, cell={"task": "boolq"})
    found = [one.decisive for one in hold_contests(read_frame(runs_dir)) if one.decisive]
    assert [one.claims for one in found] == [2, 2]
    assert [one.verdict.p_value for one in found] == pytest.approx([2 * 26 / 4096] * 2)


def test_what_the_rows_cannot_show_is_known(hold: Callable[..., list[Contest]]) -> None:
    (contest,) = hold(("llm", "gemma", FIRST), ("encoder", "bert", SECOND))
    assert contest.smallest_gap == pytest.approx(8 / 20)  # 12 discordant rows: 10 against 2 is the least significant
    assert binomtest(2, 12).pvalue < 0.05 < binomtest(3, 12).pvalue


def test_too_few_rows_can_show_no_gap(hold: Callable[..., list[Contest]]) -> None:
    (contest,) = hold(("llm", "gemma", [T, F, T]), ("encoder", "bert", [F, T, T]))
    assert contest.smallest_gap is None


def test_one_run_alone_is_in_no_contest(hold: Callable[..., list[Contest]]) -> None:
    (contest,) = hold(("llm", "gemma", FIRST))
    assert (contest.comparisons, contest.family, contest.omnibus, contest.smallest_gap) == ((), 0, None, None)


def test_a_margin_makes_equality_claimable(hold: Callable[..., list[Contest]]) -> None:
    same = [T] * 150 + [F] * 50
    (contest,) = hold(("llm", "gemma", same), ("encoder", "bert", same), margin=0.05)
    assert contest.comparisons[0].verdict.kind == "practically equal"


def test_every_side_has_its_contests() -> None:
    assert {side for pair in comparisons.AGAINST for side in pair} == set(Side)


def test_progress_counts_groups(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("a", FIRST)
    make_run("b", FIRST, first_id=1)
    heard: list[Any] = []
    hold_contests(read_frame(runs_dir), progress=lambda *step: heard.append(step))
    assert heard == [("comparing", done, 2) for done in range(3)]
