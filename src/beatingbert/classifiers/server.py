"""A kept classifier behind HTTP: `/predict`, `/health`, and the OpenAPI page that FastAPI makes of them.

It has no keys and no encryption: it listens on this machine unless told otherwise, and whoever opens it to others puts
a proxy before it. What comes in is limited before it is read or answered.

No `from __future__ import annotations` here: FastAPI reads the types of `predict`, one of which is made for its task.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from beatingbert.classifiers.batching import STOPPING, Batcher, BusyError, ClosedError
from beatingbert.classifiers.estimator import KeptClassifier
from beatingbert.classifiers.texts import as_questions
from beatingbert.errors import MissingExtraError, SettingsError, UsageError

if TYPE_CHECKING:
    from fastapi import FastAPI

RETRY_SECONDS = "1"
FINISH_SECONDS = 8  # after the word to stop, for the requests that have come
LAST_SECONDS = 2.0  # and then for the texts in hand, though nobody waits for them: a thread cut off may end in a crash


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
        A `fastapi.FastAPI`; its worker thread runs from start to shutdown, finishes the texts in hand
        before it ends, for two seconds at most, and refuses what waits.
    """
    require_serving()
    from fastapi import FastAPI

    limits = limits or Limits()
    batcher = Batcher(classifier.answers, most_together=limits.together, most_waiting=limits.waiting)

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asyncio.to_thread(batcher.close, patience_seconds=LAST_SECONDS)

    app = FastAPI(
        title=f"beatingbert: {classifier.task.title}",
        description=f"A classifier made by beatingbert ({classifier.about.engine} engine).",
        lifespan=running,
        max_body_size=limits.body_bytes,
    )
    _add_routes(app, classifier, batcher, limits)
    return app


def _add_routes(app: "FastAPI", classifier: KeptClassifier, batcher: Batcher, limits: Limits) -> None:
    """What can be asked of the application."""
    from fastapi import HTTPException, Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse

    from beatingbert.classifiers.messages import Answers, Health, answer_of, request_model

    task = classifier.task
    asked_type: Any = request_model(task, texts=limits.texts, characters=limits.characters)

    @app.exception_handler(RequestValidationError)
    async def refuse(_: Request, error: RequestValidationError) -> JSONResponse:
        """What is wrong and where, without sending the text itself back, which may not even have bytes."""
        wrong = [{name: one[name] for name in ("type", "loc", "msg")} for one in error.errors()]
        return JSONResponse({"detail": wrong}, status_code=422)

    @app.post("/predict", responses={413: {"description": "body too long"}, 503: {"description": "too many wait"}})
    async def predict(asked: asked_type) -> Answers:
        """The label of each text."""
        try:
            questions = as_questions(task, asked.texts)
            predictions = await asyncio.wrap_future(batcher.submit(questions))
        except (BusyError, ClosedError) as error:
            raise HTTPException(503, str(error), headers={"Retry-After": RETRY_SECONDS}) from error
        except UsageError as error:  # a text that this task or model cannot read
            raise HTTPException(422, str(error)) from error
        return Answers(predictions=[answer_of(one) for one in predictions])

    @app.get("/health", responses={503: {"description": "stopping"}})
    async def health() -> Health:
        """Whether questions are answered, and by whom."""
        if not batcher.is_alive:
            raise HTTPException(503, STOPPING)
        return Health(
            status="ok",
            engine=classifier.about.engine,
            runtime=classifier.runtime,
            task=task.name,
            labels=list(task.labels),
            waiting=batcher.waiting,
        )


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
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
