"""How a long wait is told to whoever waits: one call per step, no printing here."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called as (what is being done, steps done, steps in all); the unit of a step depends on the phase."""


def silent(phase: str, done: int, total: int) -> None:
    """The progress report of someone who does not want one."""
