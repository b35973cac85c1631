"""What is asked of a model for DSPy and what comes back, the same for a model in this process and behind a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from beatingbert.engines.protocol import EngineFacts
from beatingbert.engines.served.client import Reply
from beatingbert.prompts.chat import GAP


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One request; equal prompts have equal answers.

    Attributes:
        turns: (role, text) of a conversation: "system", "user", "assistant".
        opens: how the model's own turn begins.
        joins: what stands before the model's turns in a running text, for a model without chat template.
        gap: what stands between an opening and an answer.
        cued: whether `opens` begins every turn of the model's, so that it may also end the turns before.
        answers: the only words that may follow; empty where the model writes what it will.
        max_tokens, temperature, seed: of what is written; of no account where there are answers.
    """

    turns: tuple[tuple[str, str], ...]
    opens: str
    joins: str = GAP
    gap: str = ""
    cued: bool = False
    answers: tuple[str, ...] = ()
    max_tokens: int = 0
    temperature: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What came back.

    Attributes:
        text: the model's whole turn, its opening included; where an answer was chosen, that.
        scores: answer to log-likelihood, where the answers were compared.
        shown: what the model read, word for word.
        read, written: tokens; where answers are compared, those of the longest are counted as read.
        replies: the server's own, where there is one.
    """

    text: str
    shown: str
    scores: Mapping[str, float] | None = None
    read: int = 0
    written: int = 0
    replies: tuple[Reply, ...] = ()

    @property
    def answer(self) -> str | None:
        """The likeliest answer, the first of equals; None where they were not compared."""
        return None if self.scores is None else max(self.scores, key=self.scores.__getitem__)


class Voice(Protocol):
    """A model that can be asked."""

    @property
    def facts(self) -> EngineFacts:
        """What there is to know about it for the record."""

    @property
    def identity(self) -> str:
        """Changes with the weights."""

    @property
    def compares(self) -> bool:
        """Whether answers are compared; else they are written too."""

    @property
    def how(self) -> Any:
        """How answers come about, for the record."""

    @property
    def at_once(self) -> int:
        """How many prompts are best asked together."""

    def say(self, prompts: Sequence[Prompt], on_done: Callable[[int], None] = lambda done: None) -> list[Said]:
        """What the model says, one for each prompt and in their order; `on_done` is told how many there are."""

    def shorten(self, text: str, prompt_of: Callable[[str], Prompt]) -> tuple[str, int]:
        """The text cut at its end so that its prompt fits, and the tokens that it has lost.

        Raises:
            SettingsError: the prompt does not fit even without it.
        """
