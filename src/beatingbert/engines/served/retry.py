"""Trying again, for a client that does not do so by itself."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0  # seconds, as OpenAI's client has them
LONGEST_WISH = 120.0  # seconds; whoever asks for more is not waited for

Answer = TypeVar("Answer")


def with_retries(
    call: Callable[[], Answer], *, retries: int, wish: Callable[[Exception], float | bool | None]
) -> Answer:
    """The call's answer, after up to `retries` further attempts.

    Args:
        call: what to do.
        retries: attempts after the first.
        wish: whether an error may pass: False for never, None for a pause that doubles each time and is shortened by up
            to a quarter at random, so that many clients do not come back at once; or the seconds the server asks for.
    """
    for attempt in range(retries):
        try:
            return call()
        except Exception as error:
            seconds = wish(error)
            if seconds is False or (seconds is not None and seconds > LONGEST_WISH):
                raise
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt) * (1 - 0.25 * random.random())
            time.sleep(pause if seconds is None else seconds)
    return call()


def seconds_of(retry_after: str | None) -> float | None:
    """What a `Retry-After` header says in seconds; None where it says nothing, or a date, which Ollama never sends."""
    try:
        seconds = float(retry_after) if retry_after is not None else None
    except ValueError:
        return None
    return seconds if seconds is not None and seconds >= 0 else None
