"""How much time there is, and how much of it is left. Downloads stop the clock."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from beatingbert.errors import SettingsError

Clock = Callable[[], float]
"""Seconds that only ever grow, as `time.monotonic`."""

LEAST_SECONDS = 10.0
"""Loading a library and fitting the smallest candidate takes as long."""

UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}


def read_budget(text: str) -> float:
    """Seconds that a budget such as "20m", "90s", "1.5h" or "1h30m" stands for.

    Raises:
        SettingsError: it is none, or less than `LEAST_SECONDS`.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([hms])", text.strip().lower())
    if not parts or "".join(number + unit for number, unit in parts) != re.sub(r"\s+", "", text.lower()):
        raise SettingsError(f"--budget {text!r} is no time; write it as 20m, 90s, 1h or 1h30m")
    seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
    if seconds < LEAST_SECONDS:
        raise SettingsError(
            f"--budget {text} is too small for anything: the smallest candidate takes about {LEAST_SECONDS:.0f} s with "
            "its answers; give at least 1m, better 10m or more"
        )
    return seconds


class Budget:
    """Wall-clock time that runs from the moment this is made.

    Args:
        seconds: in all.
        clock: what tells the time; the tests have their own.
    """

    def __init__(self, seconds: float, *, clock: Clock = time.monotonic) -> None:
        self.seconds = seconds
        self.clock = clock
        self.downloading = 0.0
        self._begun = clock()

    @property
    def spent(self) -> float:
        """Seconds since the beginning, downloads excluded."""
        return self.clock() - self._begun - self.downloading

    @property
    def left(self) -> float:
        """Seconds still to spend; below 0 when it is overrun."""
        return self.seconds - self.spent

    def moment(self, seconds: float) -> float:
        """The clock's reading in so many seconds."""
        return self.clock() + seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What is done within it is a download and does not count."""
        begun = self.clock()
        try:
            yield
        finally:
            self.downloading += self.clock() - begun
