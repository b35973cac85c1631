"""What a trial will take, roughly: reckoned from sizes first, from what was measured on this machine as soon as it is.

A trial's seconds are those of loading, of train rows times passes, and of answers. Each part has a rate. Before a
candidate has been tried its rates come from the arithmetic of its weights (2 floating-point operations per weight and
token forward, 4 more backward: Kaplan et al., 2020, section 2.1) over a speed that is probed here, times what the
candidates tried so far took more or less than reckoned; then from its own trials.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from beatingbert.decision.candidates import Candidate

EFFICIENCY = 1.0  # of the probed speed, which is that of fp32, that a model reaches; corrected with the first trial
PARTS = ("load", "learn", "answer")
SMALLEST = 1e-9
CHOSEN_ON = 200  # development rows for choosing epochs and strengths on a small sample; more would outlast it


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What a trial consists of.

    Attributes:
        rows: labelled rows that are learnt from.
        passes: over these rows, or the part that was done of them; 1 for what is fitted in one go.
        answers: questions that are answered.
        loads: whether weights must be loaded first.
    """

    rows: int
    passes: float
    answers: int
    loads: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Seconds that a trial took, part by part."""

    load: float
    learn: float
    answer: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.load + self.learn + self.answer


class CostModel:
    """Seconds of trials.

    Args:
        weights: candidate's name to how many weights it has; one that is not there counts as having none.
        tokens: of a question, on average.
        label_tokens: of all labels' words together, which a prompted model reads with every question.
        flops: floating-point operations per second of this machine.
    """

    def __init__(self, weights: Mapping[str, float], *, tokens: float, label_tokens: float, flops: float) -> None:
        self._weights = weights
        self._tokens = tokens
        self._label_tokens = label_tokens
        self._flops = flops * EFFICIENCY
        self._measured: dict[tuple[str, str], dict[float, float]] = {}
        self._ratios: dict[str, list[float]] = {part: [] for part in PARTS}

    def expect(self, candidate: Candidate, effort: Effort) -> Spent:
        """What a trial is expected to take."""
        amounts = _amounts(effort)
        return Spent(**{part: self._seconds(candidate, part, amounts[part]) for part in PARTS})

    def knows(self, candidate: Candidate) -> bool:
        """Whether any of its trials has been measured."""
        return any((candidate.name, part) in self._measured for part in PARTS)

    def observe(self, candidate: Candidate, effort: Effort, spent: Spent) -> None:
        """Learn from a trial."""
        amounts = _amounts(effort)
        for part in PARTS:
            if not amounts[part]:
                continue
            known = self._measured.setdefault((candidate.name, part), {})
            known[amounts[part]] = max(SMALLEST, getattr(spent, part))
            if len(known) == 1 and self._weights.get(candidate.name):
                self._ratios[part].append(known[amounts[part]] / amounts[part] / self._prior(candidate, part))

    def _seconds(self, candidate: Candidate, part: str, amount: float) -> float:
        """Of so many loads, rows times passes, or answers.

        Of two trials of different size the line through them, since what does not grow with the rows is most of a small
        trial; of a single one its share.
        """
        known = self._measured.get((candidate.name, part))
        if known is None:
            # One trial of another says little of this one, so never trust it to be more than 20 times off.
            ratios = self._ratios[part]
            correction = min(20.0, max(0.05, median(ratios))) if ratios else 1.0
            return amount * self._prior(candidate, part) * correction
        *smaller, largest = sorted(known)
        each = known[largest] / largest
        if not smaller or amount <= largest:
            return amount * each
        slope = (known[largest] - known[smaller[-1]]) / (largest - smaller[-1])
        slope = min(each, max(0.3 * each, slope))  # a line that fell would be chance
        return known[largest] + slope * (amount - largest)

    def _prior(self, candidate: Candidate, part: str) -> float:
        weights = self._weights.get(candidate.name, 0.0)
        if part == "load":
            return 0.05 if not weights else 1.5 + weights / 2e8
        if not weights:
            return 2e-4
        tokens = self._tokens if candidate.engine in ("embedding", "encoder") else self._tokens + self._label_tokens
        forward = 2 * weights * tokens / self._flops
        if part == "answer":
            return forward
        if candidate.engine == "embedding":
            return forward * 1.3  # and the regression
        return 3 * forward if candidate.learns else 1e-4


def _amounts(effort: Effort) -> dict[str, float]:
    return {
        "load": float(effort.loads),
        "learn": float(effort.rows * effort.passes),
        "answer": float(effort.answers),
    }


def judged_on(rows: int, *, all_rows: int, development: int) -> int:
    """How many development rows epochs and strengths are chosen on, with so many of all train rows."""
    return development if rows == all_rows else min(development, max(CHOSEN_ON, rows // 4))


def probe_speed(*, size: int = 768, seconds: float = 0.15) -> float:
    """Floating-point operations per second of a matrix product in fp32, here and now."""
    import numpy as np

    one = np.ones((size, size), dtype=np.float32)
    one @ one  # the first one wakes the threads
    count, begun = 0, time.perf_counter()
    while (spent := time.perf_counter() - begun) < seconds or not count:
        one @ one
        count += 1
    return 2.0 * size**3 * count / spent
