"""Answers to every split of a run, and what they cost: latency first, then everything in one call per split."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from beatingbert.engines.protocol import Classifier, KeepsAnswers
from beatingbert.progress import Progress
from beatingbert.scoring.memory import PeakMemory
from beatingbert.scoring.speed import Latency, Throughput, measure_latency, measure_throughput
from beatingbert.tasks.example import Question
from beatingbert.tasks.prediction import Prediction

logger = logging.getLogger("beatingbert.experiments")

TIMED_ALONE = 50  # questions whose answers are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Answers to every split, and what they cost.

    Attributes:
        questions: split to what was asked.
        predictions: split to its answers.
        latency, throughput, memory: as `efficiency` measures them, as plain JSON.
    """

    questions: Mapping[str, Sequence[Question]]
    predictions: dict[str, list[Prediction]]
    latency: dict[str, float | int]
    throughput: dict[str, float | int]
    memory: dict[str, float | str | None]


class Hearing:
    """Passes progress on, but for the moments when nobody should hear it: one question at a time is no progress."""

    def __init__(self, listener: Progress) -> None:
        self.listener = listener
        self.deaf = False

    def __call__(self, phase: str, done: int, total: int) -> None:
        """As `Progress`."""
        if not self.deaf:
            self.listener(phase, done, total)


def answer(classifier: Classifier, questions: Mapping[str, Sequence[Question]], hearing: Hearing) -> Answered:
    """Latency first, one question at a time, which also warms up for throughput; then everything.

    Args:
        classifier: who answers.
        questions: split to what is asked; the first split is timed.
        hearing: what the classifier tells its progress to.
    """
    first = next(iter(questions.values()))
    hearing("measuring latency", 0, 1)
    hearing.deaf = True
    keeper = classifier if isinstance(classifier, KeepsAnswers) else None
    latency = _time_alone(classifier, first, keeper)
    hearing.deaf = False
    hearing("measuring latency", 1, 1)
    predictions: dict[str, list[Prediction]] = {}
    count, seconds = 0, 0.0
    started = time.perf_counter()
    with PeakMemory() as answering:
        for split, asked in questions.items():
            predictions[split], throughput = measure_throughput(classifier.predict, asked)
            if keeper is not None:
                throughput = Throughput(n=len(asked), seconds=keeper.seconds_together(asked))
            count, seconds = count + throughput.n, seconds + throughput.seconds
    logger.info("answered %d questions in %.1f s", count, time.perf_counter() - started)
    return Answered(
        questions=questions,
        predictions=predictions,
        latency=latency.to_json(),
        throughput={"questions_per_second": count / seconds, "n": count, "seconds": seconds},
        memory=answering.result.to_json(),
    )


def _time_alone(classifier: Classifier, questions: Sequence[Question], keeper: KeepsAnswers | None) -> Latency:
    """Latency; of answers that are kept, half of the rows at most, so that others are left to be asked together."""
    if keeper is None:
        return measure_latency(classifier.predict, questions)
    at_most = max(1, min(TIMED_ALONE, len(questions) // 2))
    return measure_latency(classifier.predict, questions, at_most=at_most, seconds_alone=keeper.seconds_alone)
