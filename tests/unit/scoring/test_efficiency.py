import json
import sys
import time
import types
from collections.abc import Sequence

import pytest

from beatingbert.checkpoints.device import keep_freed_memory
from beatingbert.errors import SettingsError, TooFewExamplesError
from beatingbert.scoring import efficiency
from beatingbert.scoring.efficiency import (
    MIB,
    PeakMemory,
    Throughput,
    measure_latency,
    measure_throughput,
    unknown_memory,
)
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
    monkeypatch.setattr(efficiency.time, "perf_counter", lambda: next(ticks))
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


def hold_for_a_moment(mib: int) -> None:
    block = bytearray(mib * MIB)
    block[::4096] = b"x" * len(block[::4096])  # memory that is never written never becomes resident
    time.sleep(0.05)


@pytest.fixture(params=["kernel", "sampled"])
def method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "sampled":
        monkeypatch.setattr(efficiency, "_reset_kernel_peak", lambda: False)
    elif not efficiency._reset_kernel_peak():
        pytest.skip("this kernel does not let a process reset its peak")
    return str(request.param)


def test_a_peak_is_seen_although_it_has_passed(method: str) -> None:
    with PeakMemory() as peak:
        hold_for_a_moment(64)
    assert peak.result.method == method
    assert 55 <= peak.result.process_mib - peak.result.process_at_start_mib <= 100


def test_a_phase_does_not_answer_for_what_came_before_it(method: str) -> None:
    hold_for_a_moment(128)
    with PeakMemory() as peak:
        pass
    assert peak.result.process_mib - peak.result.process_at_start_mib < 32


def test_memory_that_an_earlier_phase_has_freed_and_kept_is_none_of_the_next_ones(method: str) -> None:
    keep_freed_memory()
    hold_for_a_moment(128)
    with PeakMemory() as peak:
        hold_for_a_moment(64)
    assert 55 <= peak.result.process_mib - peak.result.process_at_start_mib <= 100


def test_a_phase_that_fails_still_tells_its_peak() -> None:
    peak = PeakMemory()
    with pytest.raises(ZeroDivisionError), peak:
        raise ZeroDivisionError
    assert peak.result.process_mib > 0
    with PeakMemory():
        pass  # and stands in nobody's way


def test_phases_within_each_other_are_refused() -> None:
    with PeakMemory(), pytest.raises(RuntimeError, match="one phase at a time"), PeakMemory():
        pass


def test_a_result_before_the_end_is_refused() -> None:
    with PeakMemory() as peak, pytest.raises(RuntimeError, match="has ended"):
        _ = peak.result


def test_without_a_device_no_device_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    with PeakMemory() as peak:
        pass
    told = json.loads(json.dumps(peak.result.to_json()))
    assert told["device_mib"] is None
    assert told["device_at_start_mib"] is None
    assert set(told) == {"process_mib", "process_at_start_mib", "device_mib", "device_at_start_mib", "method"}


class PretendCuda:
    """Two devices with a past of 900 MiB each; one holds 10 MiB when asked, 50 at its peak, the other half as much."""

    def __init__(self, initialized: bool) -> None:
        self.initialized, self.peaks = initialized, [900 * MIB, 900 * MIB]

    def is_initialized(self) -> bool:
        return self.initialized

    def device_count(self) -> int:
        return 2

    def reset_peak_memory_stats(self, device: int) -> None:
        self.peaks[device] = 0

    def memory_allocated(self, device: int) -> int:
        return [10 * MIB, 5 * MIB][device]

    def max_memory_allocated(self, device: int) -> int:
        return self.peaks[device]

    def work(self) -> None:
        self.initialized = True
        self.peaks = [50 * MIB, 25 * MIB]


@pytest.mark.parametrize(("awake", "at_start"), [(True, 15), (False, 0)])
def test_device_memory_is_that_of_the_phase_summed_over_devices(
    awake: bool, at_start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuda = PretendCuda(initialized=awake)
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda))
    with PeakMemory() as peak:
        assert not awake or cuda.peaks == [0, 0]
        cuda.work()
    assert (peak.result.device_mib, peak.result.device_at_start_mib) == (75, at_start)


def test_an_engine_that_keeps_answers_tells_their_time_in_place_of_the_clock() -> None:
    told = {question.id: 0.001 * (1 + row % 3) for row, question in enumerate(QUESTIONS)}
    clerk = Clerk()
    latency = measure_latency(clerk, QUESTIONS, at_most=30, seconds_alone=lambda question: told[question.id])
    assert (latency.n, len(clerk.asked)) == (30, 3)  # only for warm-up
    assert 1 <= latency.p50_ms <= latency.p95_ms <= 3


def test_memory_that_nobody_knows_is_none_with_a_reason_and_has_the_usual_entries() -> None:
    with PeakMemory() as peak:
        pass
    unknown = unknown_memory("elsewhere")
    assert unknown.keys() == peak.result.to_json().keys() | {"reason"}
    assert {unknown[name] for name in ("process_mib", "process_at_start_mib", "device_mib")} == {None}
    assert unknown["reason"] == "elsewhere"
