from __future__ import annotations

import json
import math

import pytest
from benchmarks.answers import Answers, Material, agreement, largest_difference, most_likely
from benchmarks.material import move_blanks
from benchmarks.scoring import PEERS, Contest, doubts, weigh
from benchmarks.work import WORKS, choose_works

from beatingbert.engines.llm.wording import Asked
from beatingbert.errors import UnknownNameError
from beatingbert.tasks.catalog import TASKS

WORK = WORKS[0]
THEIRS = Answers(seconds=10.0, labels=["a", "b"], log_likelihoods=[{"a": -1.0, "b": -2.0}, {"a": -3.0, "b": -1.0}])


def ours(seconds: float, shift: float = 0.0, labels: tuple[str, str] = ("a", "b")) -> Answers:
    found = [{label: value + shift for label, value in one.items()} for one in THEIRS.log_likelihoods or []]
    return Answers(seconds=seconds, labels=labels, log_likelihoods=found)


def test_the_ratio_is_that_of_the_peers_time_to_our_median() -> None:
    rounds = [ours(1.0), ours(9.0), ours(2.0)]
    figure = weigh(Contest(WORK, "fp32", rounds, THEIRS, "peer"), ours(1.0, 0.0004))
    assert (figure.ours, figure.peer, figure.ratio) == (1.0, 0.2, 5.0)
    assert (figure.agreement, figure.rows, figure.target) == (1.0, 2, 3)
    assert figure.largest_difference == pytest.approx(0.0004)


@pytest.mark.parametrize(
    ("exact", "reason"),
    [(ours(1.0, 0.002), "differ by up to 0.002"), (ours(1.0, labels=("a", "a")), "only 50.0 %")],
)
def test_there_is_no_ratio_where_fp32_gives_other_answers(exact: Answers, reason: str) -> None:
    figure = weigh(Contest(WORK, "bf16", [ours(1.0)], THEIRS, "peer"), exact)
    assert figure.ratio is None
    assert reason in figure.note


def test_rounding_in_bf16_is_told_and_does_not_cost_the_ratio() -> None:
    figure = weigh(Contest(WORK, "bf16", [ours(1.0, 0.25, ("a", "a"))], THEIRS, "peer"), ours(1.0))
    assert (figure.ratio, figure.agreement, figure.largest_difference) == (10.0, 0.5, 0.0)
    assert "0.25 nats" in figure.note


def test_a_peer_that_writes_its_answers_is_only_compared_by_them() -> None:
    written = Answers(seconds=10.0, labels=["a", None])
    figure = weigh(Contest(WORK, "bf16", [ours(1.0)], written, "peer"), None)
    assert (figure.ratio, figure.agreement, figure.largest_difference, figure.note) == (10.0, 0.5, None, "")


def test_nothing_to_doubt_where_both_say_the_same() -> None:
    assert doubts(ours(1.0), THEIRS) == []


def test_figures_are_plain_json_with_the_promised_keys() -> None:
    row = json.loads(json.dumps(weigh(Contest(WORK, "fp32", [ours(1.0)], THEIRS, "peer"), ours(1.0)).to_json()))
    assert {"work", "ours", "peer", "unit", "ratio", "target", "agreement"} <= row.keys()
    assert {"peer_name", "rows", "largest_difference"} <= row.keys()
    assert isinstance(row["work"], str)
    assert all(isinstance(row[name], int | float) for name in ("ours", "peer", "ratio", "target", "agreement"))


def test_every_piece_of_work_has_a_task_a_peer_and_precisions() -> None:
    names = [(work.name, work.peer) for work in WORKS]
    assert len(set(names)) == len(names)
    for work in WORKS:
        assert work.task in TASKS
        assert work.peer in PEERS
        assert work.targets
        assert set(work.targets) <= {"fp32", "bf16"}


def test_work_is_chosen_by_a_part_of_its_name_or_peer() -> None:
    assert [work.name for work in choose_works("gemma")] == [work.name for work in WORKS if "Gemma" in work.name]
    assert {work.peer for work in choose_works("5-shot SST-2, generation")} == {"generation"}
    assert choose_works(None) == WORKS
    with pytest.raises(UnknownNameError, match="SmolLM2 zero-shot SST-2"):
        choose_works("imdb")


def material(*asked: Asked, by_length: bool = False) -> Material:
    return Material(asked=asked, bos=[], opening=[], by_length=by_length)


def test_endings_of_different_length_are_compared_per_byte() -> None:
    asked = Asked("x", {"short": " a", "long": " a b c d e"}, 0)
    scores = [{"short": -4.0, "long": -10.0}]  # 2 nats a byte against 1
    assert most_likely(material(asked), scores) == ["short"]
    assert most_likely(material(asked, by_length=True), scores) == ["long"]


def test_blanks_at_the_end_of_a_prompt_go_to_its_answers() -> None:
    assert move_blanks(Asked("a b \n", {"x": "y"}, 3)) == Asked("a b", {"x": " \ny"}, 3)
    same = Asked("a b:", {"x": " y"}, 0)
    assert move_blanks(same) == same


def test_agreement_and_difference_take_in_every_question() -> None:
    assert agreement(["a", "b", None], ["a", "a", None]) == pytest.approx(2 / 3)
    assert largest_difference([{"a": 1.0}, {"a": 2.0}], [{"a": 1.0}, {"a": -1.0}]) == 3.0
    assert math.isinf(largest_difference([{"a": 1.0}], [{"a": -math.inf}]))
