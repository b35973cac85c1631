"""A kept classifier behind HTTP: `/predict`, `/health`, and the OpenAPI page that FastAPI makes of them.

It has no keys and no encryption: it listens on this machine unless told otherwise, and whoever opens it to others puts
a proxy before it. What comes in is limited before it is read or answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Any

from beatingbert.classifiers.batching import Batcher, BusyError, ClosedError
from beatingbert.classifiers.estimator import KeptClassifier
from beatingbert.classifiers.texts import as_questions
from beatingbert.errors import MissingExtraError, SettingsError, UsageError
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Shape, Task

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
RETRY_SECONDS = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a request may ask for, and how much waits or is answered together.

    Attributes:
        body_bytes: of a request; more is answered by 413.
        texts: in a request; more is answered by 422.
        characters: of a text; more is answered by 422.
        waiting: texts that wait for an answer; where one more would, the answer is 503.
        together: texts that are answered in one go.
    """

    body_bytes: int = 4_000_000
    texts: int = 256
    characters: int = 50_000
    waiting: int = 2048
    together: int = 64

    def __post_init__(self) -> None:
        for name in ("body_bytes", "texts", "characters", "waiting", "together"):
            if getattr(self, name) < 1:
                raise SettingsError(f"the limit {name!r} must be at least 1, got {getattr(self, name)}")
        if self.waiting < self.texts:
            raise SettingsError(
                f"a request may have {self.texts} texts, but only {self.waiting} may wait; raise --max_waiting"
            )


def require_serving() -> None:
    """See that the packages of the extra are installed.

    Raises:
        MissingExtraError: one is not.
    """
    missing = [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"serving needs {', '.join(missing)}, which is not installed; get it with: pip install 'beatingbert[serve]'"
        )


def make_app(classifier: KeptClassifier, limits: Limits | None = None) -> Any:
    """The application, for uvicorn or any other ASGI server.

    Args:
        classifier: who answers, from one thread at a time.
        limits: what is let in; None for the usual ones.

    Returns:
        A `fastapi.FastAPI`; its worker thread runs from start to shutdown, and answers what waits before it ends.
    """
    require_serving()
    from fastapi import FastAPI, HTTPException
    from pydantic import BaseModel, ConfigDict, Field

    limits = limits or Limits()
    task = classifier.task
    batcher = Batcher(classifier.answers, most_together=limits.together, most_waiting=limits.waiting)
    inputs: Any = Annotated[
        list[_text_type(task, limits)],  # type: ignore[misc]
        Field(min_length=1, max_length=limits.texts, description=_about_texts(task), examples=[_sample(task)]),
    ]

    class Asked(BaseModel):
        """Texts to be answered."""

        model_config = ConfigDict(extra="forbid")
        texts: inputs

    class Answer(BaseModel):
        """The answer to one text."""

        label: str | None = Field(description="null where the model's reply named no label")
        probability: float | None = Field(description="of the label; null where the model has none")
        probabilities: dict[str, float] | None = Field(description="label to probability; they sum to 1")

    class Answers(BaseModel):
        """One answer per text, in their order."""

        predictions: list[Answer]

    class Health(BaseModel):
        """Who answers."""

        status: str
        engine: str
        runtime: str
        task: str
        labels: list[str]
        waiting: int = Field(description="texts that wait for an answer")

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asyncio.to_thread(batcher.close)

    app = FastAPI(
        title=f"beatingbert: {task.title}",
        description=f"A classifier made by beatingbert ({classifier.about.engine} engine).",
        lifespan=running,
    )
    app.add_middleware(BodyLimit, most_bytes=limits.body_bytes)

    @app.post("/predict", responses={413: {"description": "body too long"}, 503: {"description": "too many wait"}})
    async def predict(asked: Asked) -> Answers:
        """The label of each text."""
        try:
            questions = as_questions(task, asked.texts)
            predictions = await asyncio.wrap_future(batcher.submit(questions))
        except (BusyError, ClosedError) as error:
            raise HTTPException(503, str(error), headers={"Retry-After": RETRY_SECONDS}) from error
        except UsageError as error:  # a text that this task or model cannot read
            raise HTTPException(422, str(error)) from error
        return Answers(predictions=[Answer(**_plain(one)) for one in predictions])

    @app.get("/health", responses={503: {"description": "stopping"}})
    async def health() -> Health:
        """Whether questions are answered, and by whom."""
        if not batcher.is_alive:
            raise HTTPException(503, "the server is stopping")
        return Health(
            status="ok",
            engine=classifier.about.engine,
            runtime=classifier.runtime,
            task=task.name,
            labels=list(task.labels),
            waiting=batcher.waiting,
        )

    return app


def serve(classifier: KeptClassifier, *, host: str, port: int, limits: Limits) -> None:
    """Answer requests until the process is told to stop; then finish those that have come, for ten seconds at most."""
    require_serving()
    import uvicorn

    uvicorn.run(
        make_app(classifier, limits),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,  # texts are the user's, and so is who sends them
        timeout_graceful_shutdown=10,
    )


class BodyLimit:
    """Turns a request away before more of its body than this has been read.

    Args:
        app: the ASGI application behind it.
        most_bytes: of a body.
    """

    def __init__(self, app: Any, most_bytes: int) -> None:
        self._app = app
        self._most_bytes = most_bytes

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = dict(scope["headers"]).get(b"content-length", b"0")
        if not told.isdigit() or int(told) > self._most_bytes:
            await self._refuse(send)
            return
        # Read whole, here: a length need not be told, and what is told need not be true.
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._most_bytes:
                await self._refuse(send)
                return
        given = False

        async def again() -> Any:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, again, send)

    async def _refuse(self, send: Send) -> None:
        text = b'{"detail":"the body is longer than %d bytes; send fewer texts at once"}' % self._most_bytes
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
        headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": text})


def _plain(one: Prediction) -> dict[str, Any]:
    probabilities = None if one.probabilities is None else dict(one.probabilities)
    chosen = None if probabilities is None or one.label is None else probabilities[one.label]
    return {"label": one.label, "probability": chosen, "probabilities": probabilities}


def _text_type(task: Task, limits: Limits) -> Any:
    """What stands for one question in a request."""
    from pydantic import Field

    text = Annotated[str, Field(max_length=limits.characters)]
    if task.shape is Shape.SINGLE:
        return text
    if task.shape is Shape.PAIR:
        return tuple[text, text]
    choices = Annotated[list[text], Field(min_length=2, max_length=26)]
    return dict[str, text | choices]


def _about_texts(task: Task) -> str:
    columns = ", ".join((*task.text_fields, *task.choice_columns))
    return {
        Shape.SINGLE: f"texts ({columns})",
        Shape.PAIR: f"pairs of texts, in this order: {columns}",
        Shape.CHOICE: f"objects with the columns {columns}",
    }[task.shape]


def _sample(task: Task) -> list[Any]:
    if task.shape is Shape.SINGLE:
        return ["a gripping film"]
    if task.shape is Shape.PAIR:
        return [["a first text", "a second one"]]
    sample: dict[str, Any] = dict.fromkeys((*task.text_fields, *task.choice_columns), "a text")
    if len(task.choice_columns) == 1:
        sample[task.choice_columns[0]] = ["one", "two"]
    return [sample]
