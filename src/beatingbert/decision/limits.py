"""What an answer may take at most: milliseconds, memory, space on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from beatingbert.errors import SettingsError
from beatingbert.runs.record import RunRecord

LEAST_MEMORY_GB = 0.05
"""A Python process that does nothing takes as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Upper limits; None for none.

    Attributes:
        max_latency_ms: of one question at a time, 19 of 20 times (p95).
        max_memory_gb: of the whole process while it answers, or of the GPU where one answers; 10^9 bytes.
        max_model_mb: of what must be deployed, on disk; 10^6 bytes.
    """

    max_latency_ms: float | None = None
    max_memory_gb: float | None = None
    max_model_mb: float | None = None

    def __post_init__(self) -> None:
        for name, value in self.given().items():
            if not 0 < value < float("inf"):
                raise SettingsError(f"--{name} must be a number above 0, got {value:g}")
        if self.max_memory_gb is not None and self.max_memory_gb < LEAST_MEMORY_GB:
            raise SettingsError(
                f"--max_memory_gb {self.max_memory_gb:g} is impossible: a Python process alone takes "
                f"{LEAST_MEMORY_GB} GB; give at least 0.5"
            )

    def given(self) -> dict[str, float]:
        """The limits that there are, by name."""
        named = {name: getattr(self, name) for name in ("max_latency_ms", "max_memory_gb", "max_model_mb")}
        return {name: float(value) for name, value in named.items() if value is not None}

    def broken_by_size(self, disk_bytes: float | None) -> str | None:
        """What is wrong with a model of this size, in words; None where nothing is."""
        if self.max_model_mb is None or disk_bytes is None or disk_bytes <= self.max_model_mb * 1e6:
            return None
        return f"takes {disk_bytes / 1e6:,.0f} MB on disk, over --max_model_mb {self.max_model_mb:g}"

    def broken_by_latency(self, milliseconds: float) -> str | None:
        """What is wrong with answers that take so long."""
        if self.max_latency_ms is None or milliseconds <= self.max_latency_ms:
            return None
        return f"takes {milliseconds:.1f} ms a question, over --max_latency_ms {self.max_latency_ms:g}"

    def broken_by(self, record: RunRecord) -> list[str]:
        """Everything that is wrong with a finished run, in words."""
        gigabytes = memory_gb(record.efficiency)
        memory = None
        if self.max_memory_gb is not None and gigabytes is not None and gigabytes > self.max_memory_gb:
            memory = f"takes {gigabytes:.2f} GB of memory, over --max_memory_gb {self.max_memory_gb:g}"
        found = (
            self.broken_by_latency(float(record.efficiency["latency"]["p95_ms"])),
            memory,
            self.broken_by_size(record.efficiency["disk_bytes"]),
        )
        return [one for one in found if one is not None]


def memory_gb(efficiency: Mapping[str, Any]) -> float | None:
    """Peak while answering: of the GPU where one was used, else of the process; None where nobody knows."""
    memory = efficiency["memory"]["answer"]
    found = memory.get("device_mib") or memory.get("process_mib")
    return None if found is None else float(found) * 2**20 / 1e9
