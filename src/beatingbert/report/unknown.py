"""Figures that nobody knows of some runs, such as the memory of a model behind a server: None, and never 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any


def peak_mib(efficiency: Mapping[str, Any]) -> float | None:
    """Most memory while answering: the device's where there is one, else the process's; None where nobody knows."""
    memory = efficiency["memory"]["answer"]
    peak: float | None = memory["process_mib"] if memory["device_mib"] is None else memory["device_mib"]
    return peak


def known_median(values: Iterable[float | None]) -> float | None:
    """The median of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return median(known) if known else None
