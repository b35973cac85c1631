"""A served classifier under load: many clients at once on loopback, each sending its next text when it has an answer.

Starts `beatingbert serve` as a process of its own, so clients and server share the machine's cores; its figures are of
that machine under that load, errors included.

    python -m benchmarks.serve RUN --clients 50 --seconds 60
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx

from beatingbert.classifiers.kept import find_kept, read_development
from beatingbert.cli.console import out
from benchmarks.table import describe_machine

START_SECONDS = 300.0


def main() -> int:
    """Serve, send, and tell; 1 where any request failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="made with --keep_classifier; its development rows are sent")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--runtime", choices=["auto", "own", "onnx"], default="auto")
    arguments = parser.parse_args()
    rows = read_development(find_kept(arguments.run))
    texts = [[next(iter(row.question.texts.values()))] for row in rows]
    port = free_port()
    command = "import sys; from beatingbert.cli.main import main; raise SystemExit(main(sys.argv[1:]))"
    given = ["serve", str(arguments.run), "--port", str(port), "--runtime", arguments.runtime]
    server = subprocess.Popen([sys.executable, "-c", command, *given])
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, server)
        taken, codes = asyncio.run(load(url, texts, arguments.clients, arguments.seconds))
    finally:
        server.send_signal(signal.SIGINT)
        ended = server.wait(60)
    errors = sum(count for code, count in codes.items() if code != "200")
    out.print(describe_machine())
    out.print(
        f"{arguments.clients} clients for {arguments.seconds:.0f} s: {len(taken):,} answers, {errors} errors "
        f"({dict(codes)}); {len(taken) / arguments.seconds:.0f} a second; p50 {1e3 * statistics.median(taken):.0f} ms, "
        f"p95 {1e3 * statistics.quantiles(taken, n=20)[-1]:.0f} ms, longest {1e3 * max(taken):.0f} ms; "
        f"server ended with status {ended}"
    )
    return int(errors > 0)


def free_port() -> int:
    """One that nobody listens on just now."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    """Until it answers."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if httpx.get(f"{url}/health").status_code == 200:
                return
        except httpx.TransportError:
            pass
        if server.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("the server did not start")
        time.sleep(0.1)


async def load(url: str, texts: list[list[str]], clients: int, seconds: float) -> tuple[list[float], Counter[str]]:
    """Seconds that each answer took, and how often which status or failure came."""
    taken: list[float] = []
    codes: Counter[str] = Counter()
    end = time.monotonic() + seconds

    async def one_client(number: int) -> None:
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            at = number
            while time.monotonic() < end:
                started = time.perf_counter()
                try:
                    response = await client.post("/predict", json={"texts": texts[at % len(texts)]})
                    code = str(response.status_code)
                except httpx.HTTPError as error:
                    code = type(error).__name__
                codes[code] += 1
                if code == "200":
                    taken.append(time.perf_counter() - started)
                at += clients

    await asyncio.gather(*(one_client(number) for number in range(clients)))
    return taken, codes


if __name__ == "__main__":
    raise SystemExit(main())
