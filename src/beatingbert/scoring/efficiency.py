"""What an answer costs: milliseconds, questions per second, peak memory.

Every number is of one phase, measured the same way for every engine. Latency is one question at a time after warm-up;
throughput is a whole call, at whatever batch size the classifier uses; load and training time are neither and are timed
by the engines. What is timed must return its answers to Python, which also makes an accelerator finish its work.
"""

from __future__ import annotations

import ctypes
import gc
import platform
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from beatingbert.errors import SettingsError, TooFewExamplesError
from beatingbert.tasks.example import Question

Answers = TypeVar("Answers")

MIB = 2**20
SAMPLE_SECONDS = 0.01
RESET_PEAK = "5"  # what Linux takes, in /proc/self/clear_refs, as "forget the peak so far"; see proc(5)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryResult:
    """The most memory that was held during a phase, next to what was held when it began.

    Attributes:
        process_mib: peak resident set of this process (its children excluded), in MiB. It is not device memory.
        process_at_start_mib: resident set when the phase began; the difference is what the phase added.
        device_mib: peak of what torch allocated on CUDA devices, summed over devices; None where CUDA was not used.
        device_at_start_mib: the same when the phase began.
        method: "kernel" where the kernel tracked the process's peak, "sampled" where a thread looked every 10 ms and
            may have missed a shorter one.
    """

    process_mib: float
    process_at_start_mib: float
    device_mib: float | None
    device_at_start_mib: float | None
    method: str

    def to_json(self) -> dict[str, float | str | None]:
        """The same entries as plain JSON."""
        return asdict(self)


def unknown_memory(reason: str) -> dict[str, float | str | None]:
    """The entries of `MemoryResult` where nobody can know them, and why: none of them is 0."""
    names = ("process_mib", "process_at_start_mib", "device_mib", "device_at_start_mib")
    return {**dict.fromkeys(names), "method": "unknown", "reason": reason}


class PeakMemory:
    """Watches memory while its block runs: `with PeakMemory() as peak: ...`, then `peak.result`.

    Blocks cannot lie within each other or run at once, since a process has one peak: the inner would erase the outer's.

    Raises:
        RuntimeError: on entry, while another block runs; on `result`, before the block has ended.
    """

    _running = threading.Lock()

    def __init__(self) -> None:
        """Measure nothing yet; the block does."""
        self._result: MemoryResult | None = None

    @property
    def result(self) -> MemoryResult:
        """What was seen, once the block has ended, also where it ended with an error."""
        if self._result is None:
            raise RuntimeError("peak memory is known when the block has ended, not before")
        return self._result

    def __enter__(self) -> Self:
        """Forget earlier peaks and start to watch."""
        if not PeakMemory._running.acquire(blocking=False):
            raise RuntimeError("peak memory is already being measured; one phase at a time")
        try:
            self._device_start = _reset_device_peak()
            _give_back_freed_memory()
            self._start = _resident_bytes()
            self._sampler = None if _reset_kernel_peak() else _Sampler()
        except BaseException:
            PeakMemory._running.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop and keep what was seen; an error of the block passes through."""
        try:
            peak = _read_kernel_peak() if self._sampler is None else self._sampler.stop()
            device = _device_peak()
            self._result = MemoryResult(
                process_mib=max(peak, self._start) / MIB,
                process_at_start_mib=self._start / MIB,
                device_mib=None if device is None else device / MIB,
                device_at_start_mib=None if device is None else self._device_start / MIB,
                method="kernel" if self._sampler is None else "sampled",
            )
        finally:
            PeakMemory._running.release()


class _Sampler:
    """A thread that keeps the largest resident set it has seen, in bytes."""

    def __init__(self) -> None:
        self._largest = _resident_bytes()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stopped.wait(SAMPLE_SECONDS):
            self._largest = max(self._largest, _resident_bytes())

    def stop(self) -> int:
        self._stopped.set()
        self._thread.join()
        return max(self._largest, _resident_bytes())


def _resident_bytes() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def _give_back_freed_memory() -> None:
    """Return what earlier phases have freed to the system, where the C library is glibc: it is not this phase's."""
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def _reset_kernel_peak() -> bool:
    """Ask Linux to forget the process's peak so far; False where it cannot, or says it did but did not."""
    try:
        Path("/proc/self/clear_refs").write_text(RESET_PEAK, encoding="ascii")
        # Some sandboxes accept the write and ignore it. A page or two may come in between the two lines.
        return _read_kernel_peak() <= _resident_bytes() + MIB
    except (OSError, ValueError):
        return False


def _read_kernel_peak() -> int:
    """The process's peak resident set in bytes, as Linux counts it (VmHWM).

    Raises:
        OSError: there is no such file.
        ValueError: it does not tell the peak.
    """
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024  # the file counts in units of 1024 bytes, whatever its "kB" suggests
    raise ValueError("/proc/self/status has no VmHWM")


def _cuda_in_use() -> Any | None:
    """`torch.cuda` where this process uses it already; asking never loads torch or wakes a device."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None


def _reset_device_peak() -> int:
    """Forget torch's peaks so far; returns the bytes that it holds on all devices now."""
    cuda = _cuda_in_use()
    if cuda is None:
        return 0  # a device woken during the phase has its whole history inside the phase
    devices = range(cuda.device_count())
    for device in devices:
        cuda.reset_peak_memory_stats(device)
    return sum(int(cuda.memory_allocated(device)) for device in devices)


def _device_peak() -> int | None:
    """Bytes torch held at most, summed over devices (whose peaks need not coincide); None where CUDA is not in use."""
    cuda = _cuda_in_use()
    if cuda is None:
        return None
    return sum(int(cuda.max_memory_allocated(device)) for device in range(cuda.device_count()))
