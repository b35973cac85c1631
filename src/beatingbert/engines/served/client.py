"""What is asked of a server and what comes back, the same for every protocol. Knows no library and no task."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; equal requests may share one answer.

    Attributes:
        turns: (role, text) of a conversation, for the server to put into the model's chat format; where the last one is
            the assistant's, the model goes on with it.
        text: one running text to continue, where there are no turns.
        max_tokens: that may be written.
        temperature: 0 for greedy.
        seed: of sampling; None where nothing is sampled.
        alternatives: how many of the likeliest tokens to report for each one written; 0 for none.
        choices: the only texts that may be written; empty where anything may.
        constraint: in which words the server is told of the choices, a name from `endpoints`.
        echo: report the log-probabilities of the text itself.
    """

    turns: tuple[tuple[str, str], ...] = ()
    text: str = ""
    max_tokens: int
    temperature: float = 0.0
    seed: int | None = None
    alternatives: int = 0
    choices: tuple[str, ...] = ()
    constraint: str = ""
    echo: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether the model is to continue a turn of its own."""
        return bool(self.turns) and self.turns[-1][0] == "assistant"

    def shown(self) -> str:
        """What is sent, for whoever reads the record."""
        return "\n\n".join(f"[{role}]\n{text}" for role, text in self.turns) or self.text


@dataclass(frozen=True, slots=True)
class Token:
    """A token with its natural log-probability, and the likeliest tokens in its place (itself among them or not)."""

    text: str
    log_probability: float
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back.

    Attributes:
        text: what was written.
        tokens: of what was written, or of the text itself where it was echoed; empty where the server tells none.
        input_tokens, output_tokens: as the server counts them; None where it does not tell.
        finished: False where the limit of tokens cut it short.
        seconds: from request to answer, retries included.
        company: requests that were on their way at once; 1 means alone.
    """

    text: str
    tokens: tuple[Token, ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    finished: bool = True
    seconds: float = 0.0
    company: int = 1

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The reply that `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it did not.
        """
        tokens = tuple(
            Token(one["text"], float(one["log_probability"]), tuple((str(a), float(b)) for a, b in one["alternatives"]))
            for one in data["tokens"]
        )
        return cls(**{**data, "tokens": tokens, "seconds": float(data["seconds"]), "text": str(data["text"])})


@dataclass(slots=True, kw_only=True)
class About:
    """What a server tells of itself and of the model.

    Attributes:
        kind: which server it is, a name from `endpoints`.
        version: of the server, where it tells.
        digest: of the weights, where it tells.
        parameters, disk_bytes: of the model, where it tells.
        more: anything else for the record.
    """

    kind: str
    version: str = ""
    digest: str = ""
    parameters: int | None = None
    disk_bytes: int | None = None
    more: dict[str, Any] = field(default_factory=dict)


class Server(Protocol):
    """A server that has been found and has the model."""

    @property
    def about(self) -> About:
        """What is known of it."""

    @property
    def goes_on(self) -> bool:
        """Whether the model can be made to go on with a turn of its own."""

    @property
    def constraints(self) -> Sequence[str]:
        """The ways in which its kind may be told that only some texts can be written, the best first."""

    @property
    def echoes(self) -> bool:
        """Whether its kind may report the log-probabilities of a text that it is given."""

    def ask(self, request: Request) -> Reply:
        """Send one request, again where that may help; the reply's `seconds` and `company` are not filled in.

        Raises:
            RefusedError: of the key or the request; NotOfferedError where it does not know such a request.
            UnreachableError: no answer, or none that can be read.
        """


def describe_failure(error: Exception, keys: Sequence[str]) -> str:
    """A library's message on one line, without any key, however the server came by it."""
    return redact(" ".join(str(error).split()), keys)[:300] or type(error).__name__


def redact(text: str, keys: Sequence[str]) -> str:
    """The text with stars in place of keys."""
    for key in filter(None, keys):
        text = text.replace(key, "***")
    return text


def key_from(variable: str | None) -> str | None:
    """The key that an environment variable holds; None where none is named or it is empty."""
    return (os.environ.get(variable, "").strip() or None) if variable else None
