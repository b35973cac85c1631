"""What an optimisation may take, and what it has taken."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from beatingbert.engines.optimized.settings import OptimizedSettings
from beatingbert.engines.optimized.voice import Said
from beatingbert.engines.protocol import Access


class Halt(BaseException):
    """The budget is used up. No `Exception`, because DSPy takes those for wrong answers and goes on."""


class Broken(BaseException):
    """The model cannot be asked; carries the real error past DSPy, which would take it for a wrong answer."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What was taken. Seconds are by the clock; cost is None where there are no prices."""

    calls: int = 0
    tokens_read: int = 0
    tokens_written: int = 0
    seconds: float = 0.0
    cost: float | None = None

    def since(self, before: Spent) -> Spent:
        """The difference."""
        return Spent(
            calls=self.calls - before.calls,
            tokens_read=self.tokens_read - before.tokens_read,
            tokens_written=self.tokens_written - before.tokens_written,
            seconds=self.seconds - before.seconds,
            cost=None if self.cost is None else self.cost - (before.cost or 0.0),
        )


class Meter:
    """Counts from its making on.

    Args:
        settings: the limits.
        access: the prices, where there are any.
    """

    def __init__(self, settings: OptimizedSettings, access: Access) -> None:
        self._settings = settings
        self._access = access
        self._started = time.perf_counter()
        self._calls = self._read = self._written = 0

    @property
    def spent(self) -> Spent:
        """So far."""
        access = self._access
        cost = None
        if access.price_in is not None and access.price_out is not None:
            cost = (self._read * access.price_in + self._written * access.price_out) / 1e6
        return Spent(
            calls=self._calls,
            tokens_read=self._read,
            tokens_written=self._written,
            seconds=time.perf_counter() - self._started,
            cost=cost,
        )

    def room(self, wanted: int) -> int:
        """How many of these calls may be made now. All limits but that on calls may be passed by what is under way.

        Raises:
            Halt: none.
        """
        limits, spent = self._settings, self.spent
        for flag, limit, used in (
            ("calls", limits.max_calls, spent.calls),
            ("tokens", limits.max_tokens, spent.tokens_read + spent.tokens_written),
            ("seconds", limits.max_seconds, spent.seconds),
            ("cost", limits.max_cost, spent.cost or 0.0),
        ):
            if limit is not None and used >= limit:
                raise Halt(f"--max_optimizer_{flag} {limit:g}")
        return wanted if limits.max_calls is None else min(wanted, limits.max_calls - spent.calls)

    def count(self, said: Sequence[Said]) -> None:
        """Add what was said."""
        self._calls += len(said)
        self._read += sum(one.read for one in said)
        self._written += sum(one.written for one in said)
