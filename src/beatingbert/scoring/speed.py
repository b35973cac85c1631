"""How fast answers come: milliseconds for one question, questions per second for many.

Every number is measured the same way for every engine. Latency is one question at a time after warm-up; throughput is a
whole call, at whatever batch size the classifier uses; load and training time are neither and are timed by the engines.
What is timed must return its answers to Python, which also makes an accelerator finish its work.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from typing import TypeVar

from beatingbert.errors import SettingsError, TooFewExamplesError
from beatingbert.tasks.example import Question

Answers = TypeVar("Answers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long one question takes, alone.

    Attributes:
        p50_ms, p95_ms: milliseconds within which half, and 19 of 20, of the calls returned (linear interpolation).
        n: calls that were timed; with few, p95 says little more than the slowest of them.
        warmup: calls made before and not timed.
    """

    p50_ms: float
    p95_ms: float
    n: int
    warmup: int

    def to_json(self) -> dict[str, float | int]:
        """The same four entries as plain JSON."""
        return asdict(self)


def measure_latency(
    answer: Callable[[Sequence[Question]], object],
    questions: Sequence[Question],
    *,
    warmup: int = 3,
    at_most: int = 50,
    max_seconds: float = 20.0,
    seed: int = 99,
    seconds_alone: Callable[[Question], float] | None = None,
) -> Latency:
    """Time `answer` on one question at a time, after warm-up.

    Questions are drawn at random, so that wherever time runs out a fair sample was timed, short and long. Warm-up takes
    questions that are not timed, as long as there are any, so that no cache has seen what is timed.

    Args:
        answer: `Classifier.predict`, called with one question.
        questions: where to draw from.
        warmup: calls to make before the clock starts; 0 means none.
        at_most: calls to time.
        max_seconds: no further call is timed once the timed ones have taken so long; at least one always is.
        seed: of the draw.
        seconds_alone: tells how long one question takes, in place of the clock here, where answers may have been kept
            from an earlier run and come at once.

    Raises:
        TooFewExamplesError: there are no questions.
        SettingsError: a negative number of warm-up calls, or no timed ones.
    """
    import numpy as np

    if warmup < 0 or at_most < 1:
        raise SettingsError(f"warmup must be at least 0 and at_most at least 1, got {warmup} and {at_most}")
    if not questions:
        raise TooFewExamplesError("latency needs at least one question, got none")
    shuffled = random.Random(seed).sample(questions, len(questions))
    timed = shuffled[:at_most]
    for question in islice(cycle(shuffled[at_most:] or timed), warmup):
        answer([question])
    seconds: list[float] = []
    for question in timed:
        if seconds_alone is None:
            start = time.perf_counter()
            answer([question])
            seconds.append(time.perf_counter() - start)
        else:
            seconds.append(seconds_alone(question))
        if sum(seconds) >= max_seconds:
            break
    p50, p95 = (1000 * np.percentile(seconds, [50, 95])).tolist()
    return Latency(p50_ms=p50, p95_ms=p95, n=len(seconds), warmup=warmup)


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """How fast a whole call was.

    Attributes:
        n: questions answered.
        seconds: wall-clock time of the call.
    """

    n: int
    seconds: float

    @property
    def questions_per_second(self) -> float:
        """Questions answered per second of wall-clock time."""
        return self.n / self.seconds

    def to_json(self) -> dict[str, float | int]:
        """The rate with the two numbers behind it as plain JSON."""
        return {"questions_per_second": self.questions_per_second, **asdict(self)}


def measure_throughput(
    answer: Callable[[Sequence[Question]], Answers], questions: Sequence[Question]
) -> tuple[Answers, Throughput]:
    """Time one call on all questions and keep what it answered, so that what is scored is what was timed.

    Args:
        answer: `Classifier.predict`; whoever wants it warm calls it before.
        questions: what to answer, all in one call.

    Raises:
        TooFewExamplesError: there are no questions.
    """
    if not questions:
        raise TooFewExamplesError("throughput needs at least one question, got none")
    start = time.perf_counter()
    answers = answer(questions)
    return answers, Throughput(n=len(questions), seconds=time.perf_counter() - start)
