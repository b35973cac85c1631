from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future

import pytest
from keeping import ByRule

from beatingbert.classifiers.batching import Batcher, BusyError, ClosedError
from beatingbert.errors import SettingsError
from beatingbert.tasks.example import Question
from beatingbert.tasks.prediction import Prediction

PATIENCE_SECONDS = 60.0


def questions(*texts: str) -> list[Question]:
    return [Question(text, {"sentence": text}) for text in texts]


class Gate:
    """A rule that waits until it is let through, so that requests pile up behind the first one."""

    def __init__(self) -> None:
        self.rule = ByRule()
        self.begun = threading.Event()
        self.opened = threading.Event()

    def answers(self, asked: Sequence[Question]) -> list[Prediction]:
        self.begun.set()
        assert self.opened.wait(PATIENCE_SECONDS)
        return self.rule.answers(asked)


def ids(future: Future[list[Prediction]]) -> list[str]:
    return [one.question_id for one in future.result(PATIENCE_SECONDS)]


def test_what_waits_is_answered_together_and_each_gets_its_own() -> None:
    gate = Gate()
    batcher = Batcher(gate.answers, most_together=5, most_waiting=100)
    first = batcher.submit(questions("a"))
    assert gate.begun.wait(PATIENCE_SECONDS)
    others = [batcher.submit(questions(f"b{at}", f"c{at}")) for at in range(4)]
    assert batcher.waiting == 9
    gate.opened.set()
    assert ids(first) == ["a"]
    assert [ids(other) for other in others] == [[f"b{at}", f"c{at}"] for at in range(4)]
    batcher.close()
    assert gate.rule.together == [1, 4, 4]
    assert batcher.waiting == 0


def test_a_group_larger_than_the_limit_is_answered_whole() -> None:
    rule = ByRule()
    batcher = Batcher(rule.answers, most_together=2, most_waiting=100)
    assert ids(batcher.submit(questions(*"abcde"))) == list("abcde")
    batcher.close()
    assert rule.together == [5]


def test_no_more_are_taken_than_may_wait() -> None:
    gate = Gate()
    batcher = Batcher(gate.answers, most_together=5, most_waiting=3)
    first = batcher.submit(questions("a", "b"))
    with pytest.raises(BusyError, match="2 texts wait already, of 3"):
        batcher.submit(questions("c", "d"))
    second = batcher.submit(questions("e"))
    gate.opened.set()
    assert (ids(first), ids(second)) == (["a", "b"], ["e"])
    assert ids(batcher.submit(questions("f", "g", "h"))) == ["f", "g", "h"]
    batcher.close()


def test_one_bad_text_is_only_its_own_senders_problem() -> None:
    gate = Gate()

    def picky(asked: Sequence[Question]) -> list[Prediction]:
        answers = gate.answers(asked)
        if any(question.id == "bad" for question in asked):
            raise SettingsError("too long for the model")
        return answers

    batcher = Batcher(picky, most_together=10, most_waiting=100)
    first = batcher.submit(questions("a"))
    assert gate.begun.wait(PATIENCE_SECONDS)
    good, bad, other = (batcher.submit(questions(one)) for one in ("good", "bad", "other"))
    gate.opened.set()
    assert (ids(first), ids(good), ids(other)) == (["a"], ["good"], ["other"])
    with pytest.raises(SettingsError, match="too long"):
        bad.result(PATIENCE_SECONDS)
    assert ids(batcher.submit(questions("after"))) == ["after"]
    batcher.close()
    assert batcher.waiting == 0


def test_closing_finishes_what_has_begun_and_refuses_the_rest() -> None:
    gate = Gate()
    batcher = Batcher(gate.answers, most_together=1, most_waiting=100)
    begun, *waiting = [batcher.submit(questions(str(at))) for at in range(5)]
    assert gate.begun.wait(PATIENCE_SECONDS)
    batcher.close(patience_seconds=0.01)  # comes back, though the gate is shut
    assert not begun.done()
    assert not batcher.is_alive
    with pytest.raises(ClosedError):
        batcher.submit(questions("late"))
    gate.opened.set()
    batcher.close()
    assert ids(begun) == ["0"]
    for one in waiting:
        with pytest.raises(ClosedError, match="stopping"):
            one.result(PATIENCE_SECONDS)
    assert (gate.rule.together, batcher.waiting) == ([1], 0)


@pytest.mark.parametrize("fails", [False, True])
def test_a_sender_who_leaves_costs_nobody_an_answer(fails: bool) -> None:
    gate = Gate()

    def answers(asked: Sequence[Question]) -> list[Prediction]:
        given = gate.answers(asked)
        if fails and asked[0].id == "first":
            raise SettingsError("too long for the model")
        return given

    batcher = Batcher(answers, most_together=100, most_waiting=100)
    first = batcher.submit(questions("first"))
    assert gate.begun.wait(PATIENCE_SECONDS)
    gone, other = batcher.submit(questions("gone")), batcher.submit(questions("other"))
    assert not first.cancel()  # it has begun: its answer may come at any moment
    assert gone.cancel()
    gate.opened.set()
    assert ids(other) == ["other"]
    batcher.close()
    assert gate.rule.together == [1, 1]  # what was cancelled is not answered
    assert batcher.waiting == 0
