"""What can come of a job that a worker was given, and how a worker's reply tells it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Taken:
    """The worker is there and has begun: from now on the job's time runs."""


@dataclass(frozen=True, slots=True)
class Returned:
    """The work returned.

    Attributes:
        result: plain JSON.
    """

    result: Any


@dataclass(frozen=True, slots=True)
class Raised:
    """The work raised.

    Attributes:
        error: the traceback.
        final: a usage error, which would come again.
    """

    error: str
    final: bool


@dataclass(frozen=True, slots=True)
class Died:
    """The worker is no more.

    Attributes:
        error: what became of it.
        blameless: not by the job, e.g. with its node.
    """

    error: str
    blameless: bool = False


Outcome = Taken | Returned | Raised | Died


def read_reply(line: str | bytes) -> Outcome:
    """What a worker tells in one line of JSON; see `worker` and `work.answer`."""
    reply = json.loads(line)
    if "taken" in reply:
        return Taken()
    return Raised(reply["error"], reply["final"]) if "error" in reply else Returned(reply["result"])
