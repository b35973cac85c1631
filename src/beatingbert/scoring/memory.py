"""The most memory that one phase of a run holds, of the process and of its devices."""

from __future__ import annotations

import ctypes
import gc
import platform
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

MIB = 2**20
SAMPLE_SECONDS = 0.01
RESET_PEAK = "5"  # what Linux takes, in /proc/self/clear_refs, as "forget the peak so far"; see proc(5)


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
