"""Classifiers that ask a stand-in, and requests to send it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from beatingbert.engines.protocol import Access, Workplace
from beatingbert.engines.served.client import Request
from beatingbert.engines.served.engine import ServedClassifier, ServedEngine
from beatingbert.engines.served.ollama_server import OllamaServer
from beatingbert.engines.served.openai_server import OpenAIServer
from beatingbert.engines.served.settings import ServedSettings
from beatingbert.progress import silent
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Example
from stand_in import StandIn

HASTY = {"max_retries": 2, "timeout_seconds": 5.0}


def fit(
    place: StandIn,
    *,
    task: str = "sst2",
    train: Sequence[Example] = (),
    ollama: bool = False,
    access: dict[str, Any] | None = None,
    **settings: Any,
) -> ServedClassifier:
    """A classifier that asks the stand-in, through the protocol named."""
    where = {"model": "ollama/tiny", "base_url": place.url} if ollama else {}
    where = where or {"model": "openai/tiny", "base_url": place.openai_url}
    workplace = Workplace(
        task=find_task(task), folder=Path(tempfile.gettempdir()), access=Access(**(HASTY | (access or {})))
    )
    return ServedEngine(ServedSettings(**(where | settings)), workplace).fit(train, development=[], seed=99)


def openai_server(place: StandIn, *, name: str = "tiny", **access: Any) -> OpenAIServer:
    return OpenAIServer(name, place.openai_url, Access(**(HASTY | access)))


def ollama_server(place: StandIn, *, name: str = "tiny", room: int = 512, **access: Any) -> OllamaServer:
    return OllamaServer(name, place.url, Access(**(HASTY | access)), room=room, progress=silent)


def ask(text: str, **details: Any) -> Request:
    """One turn of the user's."""
    return Request(turns=(("user", text),), **({"max_tokens": 5} | details))
