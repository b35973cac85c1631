import json
import sys
import time
import types

import pytest

from beatingbert.checkpoints.device import keep_freed_memory
from beatingbert.scoring import memory
from beatingbert.scoring.memory import MIB, PeakMemory, unknown_memory


def hold_for_a_moment(mib: int) -> None:
    block = bytearray(mib * MIB)
    block[::4096] = b"x" * len(block[::4096])  # memory that is never written never becomes resident
    time.sleep(0.05)


@pytest.fixture(params=["kernel", "sampled"])
def method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "sampled":
        monkeypatch.setattr(memory, "_reset_kernel_peak", lambda: False)
    elif not memory._reset_kernel_peak():
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


def test_memory_that_nobody_knows_is_none_with_a_reason_and_has_the_usual_entries() -> None:
    with PeakMemory() as peak:
        pass
    unknown = unknown_memory("elsewhere")
    assert unknown.keys() == peak.result.to_json().keys() | {"reason"}
    assert {unknown[name] for name in ("process_mib", "process_at_start_mib", "device_mib")} == {None}
    assert unknown["reason"] == "elsewhere"
