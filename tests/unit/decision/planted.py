"""Candidates, rows and trials with known truths, so that what is decided can be held against them."""

from __future__ import annotations

import random
from collections.abc import Callable

from beatingbert.decision.budget import Budget
from beatingbert.decision.candidates import Candidate
from beatingbert.decision.climb import Watch
from beatingbert.decision.costs import CostModel, Spent
from beatingbert.decision.ladder import Ladder
from beatingbert.decision.plans import Plan
from beatingbert.decision.trials import Judge, Trial
from beatingbert.tasks.example import Example, Question

MAJORITY = Candidate(name="majority", engine="majority")
LINEAR = Candidate(name="TF-IDF", engine="linear")
FROZEN = Candidate(name="frozen", engine="embedding", settings={"checkpoint": "a"})
TUNED = Candidate(name="tuned", engine="encoder", settings={"checkpoint": "b"}, epochs=(2, 4))
LLM = Candidate(name="llm", engine="llm", settings={"checkpoint": "c"})


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def rows(count: int, labels: tuple[str, ...] = ("no", "yes"), *, prefix: str = "d") -> list[Example]:
    return [Example(Question(f"{prefix}{at}", {"text": f"row {at}"}), labels[at % len(labels)]) for at in range(count)]


def answers(development: list[Example], accuracy: float, *, seed: int = 0) -> dict[str, str | None]:
    """Right on that share of the rows of each class; the rows of a smaller share lie within those of a larger one."""
    rng = random.Random(seed)
    labels = sorted({one.label for one in development})
    found: dict[str, str | None] = {}
    for label in labels:
        own = [one for one in development if one.label == label]
        rng.shuffle(own)
        right = round(accuracy * len(own))
        other = labels[(labels.index(label) + 1) % len(labels)]
        found |= {one.question.id: label if at < right else other for at, one in enumerate(own)}
    return {one.question.id: found[one.question.id] for one in development}


def trial(
    candidate: Candidate, size: int, development: list[Example], accuracy: float, *, seconds: float = 1.0
) -> Trial:
    return Trial(
        candidate=candidate,
        rows=size,
        answers=answers(development, accuracy),
        spent=Spent(load=0.0, learn=seconds, answer=0.0),
    )


class Machine:
    """Makes trials whose accuracy and seconds are known, and moves the clock by these."""

    def __init__(
        self,
        clock: Hand,
        development: list[Example],
        accuracy: dict[str, Callable[[int], float]],
        seconds: dict[str, Callable[[int], float]],
    ) -> None:
        self.made: list[tuple[str, int]] = []
        self._clock = clock
        self._development = development
        self._accuracy = accuracy
        self._seconds = seconds

    def __call__(self, plan: Plan, *, deadline: float, accept: Callable[[Trial], bool]) -> Trial:
        candidate, rows, epochs = plan.candidate, plan.rows, plan.epochs
        self.made.append((candidate.name, rows))
        takes = self._seconds[candidate.name](rows * (epochs or 1))
        whole, takes = takes, min(takes, max(0.001, deadline - self._clock.now))
        self._clock.now += takes
        found = answers(self._development, self._accuracy[candidate.name](rows))
        return Trial(
            candidate=candidate,
            rows=rows,
            epochs=epochs,
            share=takes / whole,
            answers=dict(list(found.items())[: plan.asked]),
            spent=Spent(load=0.0, learn=takes if candidate.learns else 0.0, answer=0.0 if candidate.learns else takes),
        )


def ladder(
    candidates: list[Candidate],
    machine: Callable[..., Trial],
    development: list[Example],
    clock: Hand,
    *,
    budget: float,
    sizes: tuple[int, ...],
    reserve: float = 0.0,
    weights: dict[str, float] | None = None,
    watch: Watch | None = None,
) -> Ladder:
    return Ladder(
        candidates,
        sizes=sizes,
        classes=2,
        judge=Judge(development, "accuracy"),
        attempt=machine,
        costs=CostModel(weights or {}, tokens=10, label_tokens=2, flops=1e12),
        budget=Budget(budget, clock=clock),
        reserve=lambda alive: reserve,
        watch=watch or Watch(),
    )
