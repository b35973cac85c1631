import time
from collections.abc import Sequence

import pytest

from beatingbert.errors import SettingsError, TooFewExamplesError
from beatingbert.scoring import speed
from beatingbert.scoring.speed import Throughput, measure_latency, measure_throughput
from beatingbert.tasks.example import Question

QUESTIONS = [Question(f"q{row}", {"text": "..."}) for row in range(80)]


class Clerk:
    """Answers in a known time and remembers what it was asked."""

    def __init__(self, seconds: float = 0.0, first_seconds: float = 0.0) -> None:
        self.seconds, self.first_seconds = seconds, first_seconds
        self.asked: list[list[str]] = []

    def __call__(self, questions: Sequence[Question]) -> list[str]:
        self.asked.append([question.id for question in questions])
        time.sleep(self.first_seconds if len(self.asked) == 1 else self.seconds)
        return self.asked[-1]


def test_latency_is_of_one_question_at_a_time() -> None:
    clerk = Clerk()
    latency = measure_latency(clerk, QUESTIONS)
    assert {len(call) for call in clerk.asked} == {1}
    assert (latency.n, latency.warmup, len(clerk.asked)) == (50, 3, 53)


def test_what_happens_in_warm_up_is_not_timed() -> None:
    latency = measure_latency(Clerk(seconds=0.001, first_seconds=0.2), QUESTIONS, warmup=1, at_most=5)
    assert 1 <= latency.p50_ms <= latency.p95_ms < 150


def test_no_timed_question_was_seen_before_and_they_are_no_mere_head_of_the_list() -> None:
    clerk = Clerk()
    measure_latency(clerk, QUESTIONS, warmup=3, at_most=20)
    names = [call[0] for call in clerk.asked]
    assert len(set(names)) == 23
    assert set(names[3:]) != {f"q{row}" for row in range(20)}


def test_few_questions_are_each_timed_once() -> None:
    clerk = Clerk()
    latency = measure_latency(clerk, QUESTIONS[:2], warmup=3)
    assert (latency.n, len(clerk.asked)) == (2, 5)


def test_timing_stops_when_its_time_is_spent_but_never_empty() -> None:
    assert measure_latency(Clerk(seconds=0.01, first_seconds=0.01), QUESTIONS, warmup=0, max_seconds=0.05).n <= 5
    assert measure_latency(Clerk(seconds=0.01, first_seconds=0.01), QUESTIONS, warmup=0, max_seconds=0).n == 1


def test_percentiles_are_those_of_the_timed_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, 0.010, 1.0, 1.020, 2.0, 2.030])
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(ticks))
    latency = measure_latency(lambda questions: None, QUESTIONS, warmup=0, at_most=3)
    assert (latency.p50_ms, latency.p95_ms) == pytest.approx((20, 29))
    assert set(latency.to_json()) == {"p50_ms", "p95_ms", "n", "warmup"}


def test_latency_refuses_what_cannot_be_timed() -> None:
    with pytest.raises(TooFewExamplesError):
        measure_latency(Clerk(), [])
    for settings in ({"warmup": -1}, {"at_most": 0}):
        with pytest.raises(SettingsError, match="warmup"):
            measure_latency(Clerk(), QUESTIONS, **settings)


def test_throughput_is_of_one_whole_call_whose_answers_are_kept() -> None:
    clerk = Clerk(first_seconds=0.02)
    answers, throughput = measure_throughput(clerk, QUESTIONS)
    assert len(clerk.asked) == 1
    assert answers == [question.id for question in QUESTIONS]
    assert throughput.n == 80
    assert 0.02 <= throughput.seconds < 1


def test_throughput_is_told_with_the_numbers_behind_it() -> None:
    assert Throughput(n=10, seconds=4.0).to_json() == {"questions_per_second": 2.5, "n": 10, "seconds": 4.0}
    with pytest.raises(TooFewExamplesError):
        measure_throughput(Clerk(), [])


def test_an_engine_that_keeps_answers_tells_their_time_in_place_of_the_clock() -> None:
    told = {question.id: 0.001 * (1 + row % 3) for row, question in enumerate(QUESTIONS)}
    clerk = Clerk()
    latency = measure_latency(clerk, QUESTIONS, at_most=30, seconds_alone=lambda question: told[question.id])
    assert (latency.n, len(clerk.asked)) == (30, 3)  # only for warm-up
    assert 1 <= latency.p50_ms <= latency.p95_ms <= 3
