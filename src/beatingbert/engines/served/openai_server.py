"""A server that speaks OpenAI's protocol, through OpenAI's own client.

The client itself tries again, with growing pauses and jitter, after 408, 409, 429, 5xx, a lost connection or a
time-out, and waits as long as `Retry-After` says, up to two minutes.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from beatingbert.engines.protocol import Access
from beatingbert.engines.served.client import About, Reply, Request, Token, describe_failure, key_from
from beatingbert.engines.served.endpoints import KINDS, constrain, recognise
from beatingbert.errors import (
    MissingExtraError,
    NotOfferedError,
    RefusedError,
    SettingsError,
    UnknownNameError,
    UnreachableError,
)

NOT_OFFERED = (400, 404, 405, 415, 422, 501)
NO_KEY = "none"  # what the client sends where the server wants no key; it insists on one
TOO_LONG = ("context length", "context size", "maximum context", "too long", "context_length")


class OpenAIServer:
    """One model of one server.

    Args:
        name: the model's, as the server lists it.
        base_url: up to and with `/v1`.
        access: time-outs, retries, and where the key is.

    Raises:
        MissingExtraError: the `openai` package is not installed.
        RefusedError: the key is refused.
        UnknownNameError: the server lists its models, and this is none of them.
        UnreachableError: nobody answers there.
    """

    def __init__(self, name: str, base_url: str, access: Access) -> None:
        try:
            import openai
        except ImportError as error:
            raise MissingExtraError(
                "openai/NAME needs the package 'openai'; install it with: pip install 'beatingbert[served]'"
            ) from error
        self._library = openai
        self._name = name
        self._base_url = base_url
        self._variable = access.key_variable
        key = key_from(access.key_variable)
        if key is None and recognise(base_url, ()) == "openai":
            raise RefusedError(
                f"{base_url} needs a key, and {access.key_variable} is empty; put it into that environment variable"
            )
        self._keys = [key] if key else []
        self._client = openai.OpenAI(
            api_key=key or NO_KEY,
            base_url=base_url,
            timeout=access.timeout_seconds,
            max_retries=access.max_retries,
        )
        weakref.finalize(self, self._client.close)
        listed = self._list()
        self.about = About(kind=recognise(base_url, [owner for _, owner in listed]))
        names = [listed_name for listed_name, _ in listed]
        if names and name not in names:  # llama.cpp and others answer to any name, with whatever model they have
            raise UnknownNameError(f"model at {base_url}", name, names)
        self._kind = KINDS[self.about.kind]
        self.goes_on = self._kind.going_on is not None
        self.constraints: Sequence[str] = self._kind.constraints
        self.echoes = self._kind.echoes

    def _list(self) -> list[tuple[str, str]]:
        """(name, owner) of every model; empty where the server does not list them."""
        try:
            # A server that is down says so at once: the user is waiting, and nothing has been asked yet.
            page = self._client.with_options(max_retries=min(1, self._client.max_retries)).models.list()
            return [(str(one.id), str(getattr(one, "owned_by", ""))) for one in page.data or ()]
        except Exception as error:
            translated = self._translated(error)
            if isinstance(translated, NotOfferedError):
                return []
            raise translated from None  # the library's own error may quote the key

    def ask(self, request: Request) -> Reply:
        """As `Server.ask`."""
        try:
            return self._in_turns(request) if request.turns else self._running_on(request)
        except Exception as error:
            raise self._translated(error) from None

    def _in_turns(self, request: Request) -> Reply:
        known, others = self._common(request)
        if request.goes_on:
            others |= self._kind.going_on or {}
        if request.alternatives:
            known |= {"logprobs": True, "top_logprobs": request.alternatives}
        known[self._kind.token_limit] = request.max_tokens
        create: Any = self._client.chat.completions.create
        answer = create(
            messages=[{"role": role, "content": text} for role, text in request.turns], extra_body=others, **known
        )
        choice = answer.choices[0]
        text = choice.message.content or ""
        if request.goes_on:  # llama.cpp answers with the whole turn, what it went on from included
            text = text.removeprefix(request.turns[-1][1])
        return self._reply(answer, text, choice, request)

    def _running_on(self, request: Request) -> Reply:
        known, others = self._common(request)
        if request.alternatives:
            known["logprobs"] = request.alternatives
        if request.echo:
            known |= {"echo": True, "logprobs": 1}
        create: Any = self._client.completions.create
        answer = create(prompt=request.text, max_tokens=request.max_tokens, extra_body=others, **known)
        choice = answer.choices[0]
        return self._reply(answer, choice.text or "", choice, request)

    def _common(self, request: Request) -> tuple[dict[str, Any], dict[str, Any]]:
        """Arguments that the client knows, and fields that it only passes on."""
        known: dict[str, Any] = {"model": self._name, "temperature": request.temperature}
        if request.seed is not None:
            known["seed"] = request.seed
        return known, constrain(request.constraint, request.choices) if request.choices else {}

    def _reply(self, answer: Any, text: str, choice: Any, request: Request) -> Reply:
        usage = answer.usage
        read = None if usage is None else int(usage.prompt_tokens)
        tokens = read_tokens(choice.logprobs)
        if request.echo:  # what comes after the prompt was written by the model
            tokens = tokens[:read] if read else tokens[:-1]
        return Reply(
            text=text,
            tokens=tokens,
            input_tokens=read,
            output_tokens=None if usage is None else int(usage.completion_tokens or 0),
            finished=choice.finish_reason != "length",
        )

    def _translated(self, error: Exception) -> Exception:
        """The library's error in this house's words."""
        library, said = self._library, describe_failure(error, self._keys)
        where = f"the server at {self._base_url}"
        if isinstance(error, library.APITimeoutError):
            return UnreachableError(f"{where} gave no answer within {self._client.timeout:g} s; give it more --timeout")
        if isinstance(error, library.APIConnectionError):
            if isinstance(error.__cause__, Exception):  # the library itself says no more than "Connection error."
                said = describe_failure(error.__cause__, self._keys)
            return UnreachableError(f"{where} does not answer ({said}); start it, or correct --base_url")
        if isinstance(error, library.APIStatusError):
            return self._refusal(error.status_code, said, where)
        if isinstance(error, library.OpenAIError | AttributeError | TypeError | LookupError | ValueError):
            return UnreachableError(
                f"{where} answered, but not as OpenAI's protocol says ({said}); --base_url usually ends with /v1"
            )
        return error

    def _refusal(self, status: int, said: str, where: str) -> Exception:
        if status in (401, 403):
            key = f"the key in {self._variable}" if self._keys else "a request without a key"
            return RefusedError(
                f"{where} refuses {key} (HTTP {status}: {said}); put the right one into an environment variable and "
                "name that variable with --api_key_env"
            )
        if status in NOT_OFFERED:
            if any(phrase in said.lower() for phrase in TOO_LONG):
                return SettingsError(
                    f"{where} has no room for a prompt ({said}); start it with a longer context, or use fewer "
                    "demonstrations (--num_few_shot)"
                )
            return NotOfferedError(f"{where} refuses a request (HTTP {status}: {said})")
        if status == 429:
            return UnreachableError(
                f"{where} still has no time or no quota left after {self._client.max_retries} more attempts "
                f"(HTTP 429: {said}); lower --concurrency, or come back later"
            )
        return UnreachableError(f"{where} fails (HTTP {status}: {said})")


def read_tokens(log_probabilities: Any) -> tuple[Token, ...]:
    """Tokens from chat's form of log-probabilities ("content") or from completions' (three lists); none for None."""
    if log_probabilities is None:
        return ()
    data = log_probabilities.model_dump()
    if data.get("content"):
        return tuple(
            Token(
                str(one["token"]),
                float(one["logprob"]),
                tuple((str(other["token"]), float(other["logprob"])) for other in one.get("top_logprobs") or ()),
            )
            for one in data["content"]
        )
    texts = data.get("tokens") or ()
    values = data.get("token_logprobs") or ()
    others = data.get("top_logprobs") or [None] * len(texts)
    return tuple(
        # Nothing comes before the first token of an echoed text, so it has no probability.
        Token(str(text), 0.0 if value is None else float(value), tuple((other or {}).items()))
        for text, value, other in zip(texts, values, others, strict=True)
    )
