"""Which OpenAI-compatible server it is, and what its kind is known to offer beyond the protocol.

What is said here is only where to look first: `ways` asks each server for what it would use, and believes the answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

STRUCTURED, GUIDED, GRAMMAR, SCHEMA = "structured_outputs", "guided_choice", "grammar", "json_schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What servers of one make offer.

    Attributes:
        about: where this is documented.
        going_on: what has to be added to a request for the model to go on with its own turn; None where it cannot.
        constraints: ways to limit what is written, the best first.
        echoes: whether completions may report the log-probabilities of the prompt.
        token_limit: what the limit of written tokens is called in chat requests.
    """

    about: str
    going_on: Mapping[str, Any] | None = None
    constraints: tuple[str, ...] = (SCHEMA,)
    echoes: bool = False
    token_limit: str = "max_tokens"


KINDS: dict[str, Kind] = {
    "vllm": Kind(
        about="docs.vllm.ai, OpenAI-compatible server and structured outputs (guided_choice before 0.12)",
        going_on={"add_generation_prompt": False, "continue_final_message": True},
        constraints=(STRUCTURED, GUIDED),
        echoes=True,
    ),
    "llama.cpp": Kind(
        about="llama.cpp, tools/server/README.md: an assistant's message at the end is gone on with; grammar",
        going_on={},
        constraints=(GRAMMAR,),
    ),
    "openai": Kind(about="platform.openai.com, chat completions", token_limit="max_completion_tokens"),
    "unknown": Kind(about="any other: transformers serve, TGI, LM Studio, a gateway", constraints=(SCHEMA, STRUCTURED)),
}
OWNERS = {"vllm": "vllm", "llamacpp": "llama.cpp"}  # what these write as the owner of every model they list


def recognise(base_url: str, owners: Iterable[str]) -> str:
    """The server's kind, from its address and from whom it names as the models' owner."""
    if urlsplit(base_url).hostname == "api.openai.com":
        return "openai"
    return next((OWNERS[owner] for owner in owners if owner in OWNERS), "unknown")


def constrain(constraint: str, choices: tuple[str, ...]) -> dict[str, Any]:
    """The field of a request by which a server is told that only these texts may be written."""
    if constraint == STRUCTURED:
        return {STRUCTURED: {"choice": list(choices)}}
    if constraint == GUIDED:
        return {GUIDED: list(choices)}
    if constraint == GRAMMAR:
        # A JSON string is also a literal of llama.cpp's grammars, as long as nothing but ASCII is escaped by letters.
        either = " | ".join(json.dumps(choice, ensure_ascii=False) for choice in choices)
        return {GRAMMAR: f"root ::= {either}"}
    named = {"name": "answer", "strict": True, "schema": label_schema(choices)}
    return {"response_format": {"type": SCHEMA, SCHEMA: named}}


def label_schema(choices: tuple[str, ...]) -> dict[str, Any]:
    """JSON that holds one of the texts; blanks around them are no part of it."""
    words = [choice.strip() for choice in choices]
    properties = {"label": {"type": "string", "enum": words}}
    return {"type": "object", "properties": properties, "required": ["label"], "additionalProperties": False}


def writes_json(constraint: str) -> bool:
    """Whether the choice comes inside JSON, so that the model's turn cannot be opened for it."""
    return constraint == SCHEMA


def chosen_text(text: str, constraint: str) -> str:
    """The text that was chosen, taken out of JSON where it comes in it; what was written, where it is no such JSON."""
    if writes_json(constraint):
        try:
            return str(json.loads(text)["label"])
        except (ValueError, KeyError, TypeError):
            return text
    return text
