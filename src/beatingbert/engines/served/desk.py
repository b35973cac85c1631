"""Many requests, each answered once: from what was kept, else by the server, a bounded number at a time.

Threads, not asyncio: the official clients have a blocking face that threads may share, everything around this is
blocking too, and a few dozen threads that wait for a socket cost nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager

from beatingbert.engines.protocol import Access
from beatingbert.engines.served.budget import Budget
from beatingbert.engines.served.cache import AnswerCache
from beatingbert.engines.served.client import Reply, Request, Server
from beatingbert.errors import BeatingBertError

FORMAT = 1  # of a key; goes up when the same request would be sent in another form


class Desk:
    """Takes requests to one server and keeps every answer before it is used.

    Args:
        server: who answers.
        cache: where answers are kept.
        access: how many requests at once, and the limits.
        identity: what an answer depends on besides the request: model, place, hash of the weights.
    """

    def __init__(self, server: Server, cache: AnswerCache, access: Access, identity: Mapping[str, str]) -> None:
        self.budget = Budget(access)
        self.kept = 0  # requests that an earlier run has paid for
        self._server = server
        self._cache = cache
        self._access = access
        self._identity = dict(identity)
        self._replies: dict[str, Reply] = {}

    def ask(self, requests: Sequence[Request], on_done: Callable[[int], None] = lambda done: None) -> list[Reply]:
        """One reply per request, in their order.

        Args:
            requests: equal ones are sent once.
            on_done: called with the number of requests that have an answer.

        Raises:
            BudgetError, RefusedError, UnreachableError: the first failure. Nothing more is sent then, and what is on
                its way is waited for and kept.
        """
        keys = [self._key(request) for request in requests]
        missing = {key: request for key, request in zip(keys, requests, strict=True) if self._find(key) is None}
        done = len(requests) - len(missing)
        on_done(done)
        company = min(self._access.concurrency, len(missing))
        if missing:
            with self._telling_what_is_kept(), ThreadPoolExecutor(company, thread_name_prefix="served") as pool:
                futures = [pool.submit(self._send, key, request, company) for key, request in missing.items()]
                try:
                    for future in as_completed(futures):
                        future.result()
                        done += 1
                        on_done(done)
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
        return [self._replies[key] for key in keys]

    def ask_alone(self, requests: Sequence[Request]) -> list[Reply]:
        """The same, one after the other; what was asked in company is asked once more, for how long it takes alone."""
        with self._telling_what_is_kept():
            return [self._one_alone(request) for request in requests]

    def try_out(self, request: Request) -> Reply:
        """The reply to one request that may well be refused."""
        key = self._key(request)
        return self._find(key) or self._send(key, request, 1)

    def _one_alone(self, request: Request) -> Reply:
        key = self._key(request)
        reply = self._find(key)
        return self._send(key, request, 1) if reply is None or reply.company > 1 else reply

    def _find(self, key: str) -> Reply | None:
        if key not in self._replies and not self._access.ask_again:
            reply = self._cache.get(key)
            if reply is not None:
                self._replies[key] = reply
                self.kept += 1
        return self._replies.get(key)

    def _send(self, key: str, request: Request, company: int) -> Reply:
        reserved = self.budget.reserve(request)
        started = time.perf_counter()
        try:
            reply = self._server.ask(request)
        except BaseException:
            self.budget.settle(reserved, None)
            raise
        reply = dataclasses.replace(reply, seconds=time.perf_counter() - started, company=company)
        self._cache.put(key, reply)
        self._replies[key] = reply
        self.budget.settle(reserved, reply)
        return reply

    def _key(self, request: Request) -> str:
        whole = {"format": FORMAT, **self._identity, "request": dataclasses.asdict(request)}
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()

    @contextmanager
    def _telling_what_is_kept(self) -> Iterator[None]:
        """Add to a failure what it leaves."""
        try:
            yield
        except BeatingBertError as error:
            raise type(error)(
                f"{error}. {len(self._replies):,} answers are kept: the same command goes on from there and sends only "
                "the other requests"
            ) from None
