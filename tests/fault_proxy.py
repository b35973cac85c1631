"""A proxy between a client and a real server that breaks things on purpose and counts what comes through."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from stand_in import Fault


@dataclass(kw_only=True)
class FaultProxy:
    """What goes wrong, and what was asked.

    Attributes:
        target: the real server's address.
        faults: of the first requests for an answer, in their order; None lets one through. A status is given without
            asking the server; "cut" loses the server's answer half-way, "hang" keeps it back for ever.
        after: number of answers delivered to what is done as soon as they are.
        url: its own address.
        arrivals: time in seconds and body of every request for an answer.
        delivered: body to how often its answer came through whole.
    """

    target: str
    faults: list[Fault | None] = field(default_factory=list)
    after: dict[int, Callable[[], None]] = field(default_factory=dict)
    url: str = ""
    arrivals: list[tuple[float, bytes]] = field(default_factory=list)
    delivered: Counter[bytes] = field(default_factory=Counter)
    lock: Any = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    def waits(self) -> list[float]:
        """Seconds between two times that the same was asked."""
        seen: dict[bytes, float] = {}
        found = []
        for when, body in self.arrivals:
            if body in seen:
                found.append(when - seen[body])
            seen[body] = when
        return found


@contextmanager
def in_front_of(proxy: FaultProxy) -> Iterator[FaultProxy]:
    """The proxy while the block runs."""

    class Handler(_Handler):
        place = proxy

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield proxy
    finally:
        proxy.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    place: FaultProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._pass_on(b"", None)

    def do_POST(self) -> None:
        place = self.place
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with place.lock:
            place.arrivals.append((time.monotonic(), body))
            fault = place.faults.pop(0) if place.faults else None
        if fault is not None and fault.status:
            self._send(fault.status, fault.headers, b'{"error": {"message": "out of order"}}')
            return
        if not self._pass_on(body, fault):
            return
        with place.lock:
            place.delivered[body] += 1
            then = place.after.pop(place.delivered.total(), None)
        if then is not None:
            then()

    def _pass_on(self, body: bytes, fault: Fault | None) -> bool:
        """Ask the server and hand on its answer; whether an answer came through, and was no refusal."""
        try:
            status, answer = self._ask(body)
        except (OSError, http.client.HTTPException):  # it is dead, so its client sees a dead connection
            self.close_connection = True
            return False
        if fault is not None and fault.kind == "hang":
            self.place.over.wait()
            self.close_connection = True
            return False
        self._send(status, {}, answer, cut=fault is not None and fault.kind == "cut")
        return status == 200 and fault is None

    def _ask(self, body: bytes) -> tuple[int, bytes]:
        where = urlsplit(self.place.target)
        assert where.hostname is not None
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=600)
        with contextlib.closing(connection):
            connection.request(self.command, self.path, body or None, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def _send(self, status: int, headers: dict[str, str], body: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.wfile.flush()
        self.close_connection = self.close_connection or cut
