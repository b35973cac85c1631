"""A model of Ollama, through Ollama's own client: found, fetched where that is wished, and asked."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from beatingbert.engines.protocol import Access
from beatingbert.engines.served.client import About, Reply, Request, Token, describe_failure, key_from
from beatingbert.engines.served.endpoints import SCHEMA, label_schema
from beatingbert.engines.served.retry import seconds_of, with_retries
from beatingbert.errors import (
    MissingExtraError,
    NotOfferedError,
    RefusedError,
    SettingsError,
    UnknownNameError,
    UnreachableError,
)
from beatingbert.progress import Progress

KEY_VARIABLE = "OLLAMA_API_KEY"  # Ollama's client reads it by itself
LATEST = ":latest"
FEWEST_BYTES_PER_TOKEN = 3  # English has more than four; what Ollama cuts, it cuts without a word


class OllamaServer:
    """One model of one Ollama.

    Args:
        name: the model's, with its tag.
        base_url: where Ollama listens.
        access: time-outs, retries, and whether to fetch a model that is not there.
        room: tokens of prompt and answer together that the model is loaded with.
        progress: told how a download goes.

    Raises:
        MissingExtraError: the `ollama` package is not installed.
        UnreachableError: Ollama does not run there.
        UnknownNameError: it does not have the model; the message has the command that fetches it.
    """

    goes_on = True  # its templates leave the assistant's last message open
    constraints: Sequence[str] = (SCHEMA,)
    echoes = False

    def __init__(self, name: str, base_url: str, access: Access, *, room: int, progress: Progress) -> None:
        try:
            import httpx
            import ollama
        except ImportError as error:
            raise MissingExtraError(
                "ollama/NAME needs the package 'ollama'; install it with: pip install 'beatingbert[served]'"
            ) from error
        self._library, self._http = ollama, httpx
        self._name, self._base_url = name, base_url
        self._access, self._room = access, room
        self._keys = [key] if (key := key_from(KEY_VARIABLE)) else []
        headers = {}
        if access.key_variable and (own := key_from(access.key_variable)):
            self._keys.append(own)
            headers["Authorization"] = f"Bearer {own}"
        self._client: Any = ollama.Client(host=base_url, timeout=access.timeout_seconds, headers=headers)
        weakref.finalize(self, self._client.close)
        entry = self._find() or self._fetch(progress)
        self.about = self._describe(entry)

    def ask(self, request: Request) -> Reply:
        """As `Server.ask`."""
        self._require_room(request)
        reply = self._once_more_if_needed(lambda: self._send(request))
        if reply.input_tokens is not None and reply.input_tokens >= self._room:
            raise SettingsError(
                f"a prompt filled all {self._room} tokens that Ollama made room for, so it may have been cut; raise "
                "--max_length"
            )
        return reply

    def _send(self, request: Request) -> Reply:
        options: dict[str, Any] = {
            "temperature": request.temperature,
            "num_predict": request.max_tokens,
            "num_ctx": self._room,
        }
        if request.seed is not None:
            options["seed"] = request.seed
        common: dict[str, Any] = {"model": self._name, "options": options}
        if request.alternatives:
            common |= {"logprobs": True, "top_logprobs": request.alternatives}
        if request.choices:
            common["format"] = label_schema(request.choices)
        if request.turns:
            messages = [{"role": role, "content": text} for role, text in request.turns]
            # Models that think aloud would spend all tokens on it.
            answer = self._client.chat(messages=messages, think=False, **common)
            text = answer.message.content
        else:
            answer = self._client.generate(prompt=request.text, raw=True, **common)
            text = answer.response
        return Reply(
            text=text or "",
            tokens=tuple(
                Token(one.token, one.logprob, tuple((other.token, other.logprob) for other in one.top_logprobs or ()))
                for one in answer.logprobs or ()
            ),
            input_tokens=answer.prompt_eval_count,
            output_tokens=answer.eval_count,
            finished=answer.done_reason != "length",
        )

    def _require_room(self, request: Request) -> None:
        """Refuse what Ollama might cut.

        Raises:
            SettingsError: the prompt could be too long.
        """
        size = sum(len(text.encode()) for _, text in request.turns) or len(request.text.encode())
        needed = size // FEWEST_BYTES_PER_TOKEN + request.max_tokens
        if needed > self._room:
            raise SettingsError(
                f"a prompt of {size:,} bytes may need {needed:,} tokens, but Ollama was told to make room for "
                f"{self._room:,} and would cut it without a word; raise --max_length, or use fewer demonstrations "
                "(--num_few_shot)"
            )

    def _find(self) -> Any | None:
        """The model's entry in Ollama's list; None where it does not have it."""
        wanted = self._name if ":" in self._name.rpartition("/")[2] else self._name + LATEST
        try:
            self._listed = list(self._client.list().models)
        except Exception as error:
            raise self._translated(error) from None
        return next((one for one in self._listed if one.model == wanted), None)

    def _fetch(self, progress: Progress) -> Any:
        if not self._access.pull:
            raise UnknownNameError(
                "Ollama model",
                self._name,
                [one.model for one in self._listed],
                f"Fetch it with 'ollama pull {self._name}', or let --pull do it.",
            )
        try:
            for step in self._client.pull(self._name, stream=True):
                if step.total:
                    progress(f"pulling {self._name}", step.completed or 0, step.total)
        except Exception as error:
            translated = self._translated(error)
            if isinstance(translated, NotOfferedError) or isinstance(error, self._library.ResponseError):
                said = describe_failure(error, self._keys)
                raise SettingsError(
                    f"Ollama cannot fetch {self._name!r} ({said}); ollama.com/library lists what there is"
                ) from None
            raise translated from None
        entry = self._find()
        if entry is None:
            raise UnreachableError(f"Ollama says that it has fetched {self._name!r}, but does not list it; try again")
        return entry

    def _describe(self, entry: Any) -> About:
        about = About(
            kind="ollama",
            digest=str(entry.digest or "").removeprefix("sha256:"),
            disk_bytes=None if entry.size is None else int(entry.size),
        )
        try:
            shown = self._client.show(self._name)
            count = (shown.modelinfo or {}).get("general.parameter_count")
            about.parameters = None if count is None else int(count)
            if shown.details is not None:
                about.more["quantization"] = shown.details.quantization_level
        except Exception as error:  # an older Ollama tells less; what it tells is no part of any answer
            about.more["not_told"] = describe_failure(error, self._keys)
        return about

    def _once_more_if_needed(self, call: Any) -> Reply:
        try:
            reply: Reply = with_retries(call, retries=self._access.max_retries, wish=self._wish)
            return reply
        except Exception as error:
            raise self._translated(error) from None

    def _wish(self, error: Exception) -> float | bool | None:
        """As `with_retries` wants it: lost connections, time-outs, 429 and 5xx may pass."""
        if isinstance(error, self._library.ResponseError):
            if error.status_code != 429 and error.status_code < 500:
                return False
            # The client drops the headers, but Python keeps the error that it stands for.
            response = getattr(error.__context__, "response", None)
            return seconds_of(None if response is None else response.headers.get("retry-after"))
        return None if isinstance(error, ConnectionError | self._http.TransportError) else False

    def _translated(self, error: Exception) -> Exception:
        """The library's error in this house's words."""
        said = describe_failure(error, self._keys)
        if isinstance(error, self._http.TimeoutException):
            return UnreachableError(
                f"Ollama at {self._base_url} gave no answer within {self._access.timeout_seconds:g} s; give it more "
                "--timeout (a large model takes a while to load)"
            )
        if isinstance(error, ConnectionError | self._http.TransportError):
            return UnreachableError(
                f"Ollama does not answer at {self._base_url}; start it with 'ollama serve' (to install it: "
                "ollama.com/download), or say where it is with --base_url or OLLAMA_HOST"
            )
        if isinstance(error, self._library.ResponseError):
            status = error.status_code
            if status in (401, 403):
                return RefusedError(
                    f"Ollama at {self._base_url} refuses the key (HTTP {status}: {said}); see {KEY_VARIABLE}"
                )
            if 400 <= status < 500 and status != 429:
                return NotOfferedError(f"Ollama at {self._base_url} refuses a request ({said})")
            return UnreachableError(f"Ollama at {self._base_url} fails ({said})")
        if isinstance(error, AttributeError | TypeError | LookupError | ValueError):
            return UnreachableError(
                f"{self._base_url} answered, but not as Ollama does ({said}); is --base_url Ollama's own address? "
                "Other servers are named openai/NAME"
            )
        return error
