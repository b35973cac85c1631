"""A limit on requests and money, kept by many threads at once."""

from __future__ import annotations

import threading

from beatingbert.engines.protocol import Access
from beatingbert.engines.served.client import Reply, Request
from beatingbert.errors import BudgetError, SettingsError

BYTES_PER_TOKEN = 3  # a first guess on the dear side; afterwards what requests have cost so far tells more


class Budget:
    """Counts what is sent and spent; each request is paid for in advance by a guess, so limits hold with many at once.

    Args:
        access: the limits and the prices.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._reserved = 0.0
        self._answered = 0
        self.sent = 0
        self.spent: float | None = None if access.price_in is None else 0.0

    def reserve(self, request: Request) -> float:
        """Take the place of one request; returns what has been set aside for it.

        Raises:
            BudgetError: a limit would be passed.
        """
        access = self._access
        with self._lock:
            if access.max_requests is not None and self.sent >= access.max_requests:
                raise BudgetError(f"stopped after {self.sent} requests, as --max_requests {access.max_requests} says")
            guess = self._guess(request)
            if access.max_cost is not None and (self.spent or 0) + self._reserved + guess > access.max_cost:
                raise BudgetError(
                    f"stopped after {self.sent} requests that cost {self.spent:.6g}: the next one might pass "
                    f"--max_cost {access.max_cost:g}"
                )
            self.sent += 1
            self._reserved += guess
            return guess

    def settle(self, reserved: float, reply: Reply | None) -> None:
        """Put what a request has really cost in place of what was set aside; None for one that failed.

        Raises:
            SettingsError: there is a limit on money, but the server does not tell what it has read and written.
        """
        with self._lock:
            self._reserved -= reserved
            if reply is None or self.spent is None:
                return
            if reply.input_tokens is None or reply.output_tokens is None:
                if self._access.max_cost is None:
                    return
                raise SettingsError(
                    "the server does not tell how many tokens it has read and written, so --max_cost cannot be kept; "
                    "use --max_requests"
                )
            self.spent += self._cost(reply.input_tokens, reply.output_tokens)
            self._answered += 1

    def _guess(self, request: Request) -> float:
        if self.spent is None:
            return 0.0
        if self._answered:
            return self.spent / self._answered
        size = sum(len(text.encode()) for _, text in request.turns) or len(request.text.encode())
        return self._cost(size // BYTES_PER_TOKEN, request.max_tokens)

    def _cost(self, read: int, written: int) -> float:
        return (read * (self._access.price_in or 0) + written * (self._access.price_out or 0)) / 1e6
