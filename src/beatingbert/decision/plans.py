"""What a trial is to consist of, so that it fits into the time that there is for it."""

from __future__ import annotations

from dataclasses import dataclass

from beatingbert.decision.candidates import BY_PASSES, Candidate
from beatingbert.decision.costs import CostModel, Effort, Spent, judged_on
from beatingbert.decision.halving import FEWEST_ASKED
from beatingbert.decision.trials import Trial

PASSED_ROWS = 12_000  # rows times passes that a training gets where its limits allow,
PASSED_ROWS_PER_CLASS = 500  # and so many more for each class: a fresh head has that much more to learn
MOST_ASKED_EARLY = 200  # development rows that a prompted model answers before it has earned more
ANSWERING_SHARE = 0.6  # of a trial's time, for answers
LONGER = 1.5  # times the rows times passes that it had: less is not worth another training


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One trial to come.

    Attributes:
        candidate: whose.
        rows: train rows that it is given.
        epochs: passes over them; None where nothing is trained by passes.
        asked: development rows that it is to answer.
        room: seconds that it may take.
        expected: seconds that it will probably take.
        answering: of these, for what is asked at the end.
    """

    candidate: Candidate
    rows: int
    epochs: int | None
    asked: int
    room: float
    expected: float
    answering: float

    @property
    def fits(self) -> bool:
        """Whether there is time for it."""
        return self.expected <= self.room


def passes(candidate: Candidate, rows: int, classes: int) -> int | None:
    """How often a training goes over its rows where time is no matter; None where nothing is trained by passes."""
    if candidate.epochs is None:
        return None
    fewest, most = candidate.epochs
    return max(fewest, min(most, -(-(PASSED_ROWS + PASSED_ROWS_PER_CLASS * classes) // rows)))


class Planner:
    """Plans trials, and learns from those that were made what the next will take.

    Args:
        costs: says what trials take.
        rows: train rows in all.
        development: rows that trials are judged on.
        classes: how many there are.
    """

    def __init__(self, costs: CostModel, *, rows: int, development: int, classes: int) -> None:
        self._costs = costs
        self._classes = classes
        self._rows = rows
        self._development = development
        self._loaded: set[str] = set()

    def plan(self, candidate: Candidate, rows: int, room: float, *, whole: bool) -> Plan:
        """As many passes and answers as fit into `room` seconds; `whole` asks for all of the development part."""
        asked, epochs = self._asked(candidate, room, whole), passes(candidate, rows, self._classes)
        expected = self._takes(candidate, rows, epochs, asked)
        while epochs is not None and candidate.epochs is not None and expected > room and epochs > candidate.epochs[0]:
            epochs -= 1
            expected = self._takes(candidate, rows, epochs, asked)
        return self._made(candidate, rows, epochs, asked, room)

    def probe(self, candidate: Candidate, rows: int, asked: int, room: float) -> Plan:
        """A very small trial of one pass."""
        epochs = None if candidate.epochs is None else 1
        return self._made(candidate, rows, epochs, asked, room)

    def longer(self, before: Trial, room: float) -> Plan | None:
        """All rows, as often as its limits and `room` seconds allow; None where that is not much more than before."""
        candidate, had = before.candidate, before.rows * (before.epochs or 1) * before.share
        if not candidate.learns:
            return None
        fewest, most = candidate.epochs or (1, 1)
        for epochs in range(most, fewest - 1, -1):
            if self._rows * epochs < LONGER * had:
                return None
            plan = self._made(candidate, self._rows, epochs if candidate.epochs else None, self._development, room)
            if plan.fits:
                return plan
        return None

    def in_full(self, candidate: Candidate, rows: int) -> float:
        """Seconds of a trial with all its passes that answers the whole development part."""
        return self._takes(candidate, rows, passes(candidate, rows, self._classes), self._development)

    def knows(self, candidate: Candidate) -> bool:
        """Whether any of its trials has been measured."""
        return self._costs.knows(candidate)

    def observe(self, plan: Plan, spent: Spent, *, share: float, answered: int) -> None:
        """Learn from a trial of which `share` of the training was done and so many rows were answered."""
        effort = self._effort(plan.candidate, plan.rows, plan.epochs, plan.asked)
        self._loaded.add(_weights_of(plan.candidate))
        judged = round((effort.answers - plan.asked) * share)
        done = Effort(rows=effort.rows, passes=effort.passes * share, answers=judged + answered, loads=effort.loads)
        self._costs.observe(plan.candidate, done, spent)

    def _made(self, candidate: Candidate, rows: int, epochs: int | None, asked: int, room: float) -> Plan:
        last = self._costs.expect(candidate, Effort(rows=0, passes=0, answers=asked, loads=False)).answer
        return Plan(
            candidate=candidate,
            rows=rows,
            epochs=epochs,
            asked=asked,
            room=room,
            expected=self._takes(candidate, rows, epochs, asked),
            answering=last,
        )

    def _takes(self, candidate: Candidate, rows: int, epochs: int | None, asked: int) -> float:
        return self._costs.expect(candidate, self._effort(candidate, rows, epochs, asked)).total

    def _asked(self, candidate: Candidate, room: float, whole: bool) -> int:
        """How many development rows it answers: all, or as many as time allows."""
        one = self._costs.expect(candidate, Effort(rows=0, passes=0, answers=1, loads=False)).answer
        most = self._development if whole or candidate.learns else min(self._development, MOST_ASKED_EARLY)
        affordable = int(ANSWERING_SHARE * max(0.0, room) / max(one, 1e-9))
        return max(min(most, FEWEST_ASKED), min(most, affordable))

    def _effort(self, candidate: Candidate, rows: int, epochs: int | None, asked: int) -> Effort:
        held_out = judged_on(rows, all_rows=self._rows, development=self._development)
        judged = held_out * (epochs or 0)
        read = held_out if candidate.engine == "embedding" else 0  # as often as a row of train: once
        return Effort(
            rows=rows + read if candidate.learns else 0,
            passes=epochs or 1,
            answers=judged + asked,
            loads=candidate.engine in BY_PASSES or _weights_of(candidate) not in self._loaded,
        )


def _weights_of(candidate: Candidate) -> str:
    """What is loaded once and shared; whoever trains weights loads them anew every time."""
    return f"{candidate.engine} {candidate.checkpoint}"
