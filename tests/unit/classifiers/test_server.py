from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from keeping import keep

from beatingbert import KeptClassifier, load_classifier
from beatingbert.classifiers import server
from beatingbert.classifiers.server import Limits, make_app
from beatingbert.errors import MissingExtraError, SettingsError
from tiny_tasks import entailment, science

LIMITS = Limits(body_bytes=2000, texts=4, characters=50, waiting=6, together=3)


@pytest.fixture(scope="module")
def linear(kept_linear: Path) -> KeptClassifier:
    return load_classifier(kept_linear)


@asynccontextmanager
async def running(classifier: KeptClassifier, limits: Limits = LIMITS) -> AsyncIterator[httpx.AsyncClient]:
    app = make_app(classifier, limits)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            yield client


def ask(classifier: KeptClassifier, *bodies: Any, limits: Limits = LIMITS) -> list[httpx.Response]:
    """The answers to bodies that are sent at once."""

    async def all_at_once() -> list[httpx.Response]:
        async with running(classifier, limits) as client:
            return await asyncio.gather(*(client.post("/predict", json=body) for body in bodies))

    return asyncio.run(all_at_once())


def test_an_answer_has_label_and_probabilities_for_each_text(linear: KeptClassifier) -> None:
    texts = ["a great film", "an awful one"]
    (response,) = ask(linear, {"texts": texts})
    assert response.status_code == 200
    shares = linear.predict_proba(texts)
    assert response.json() == {
        "predictions": [
            {
                "label": label,
                "probability": pytest.approx(row.max()),
                "probabilities": pytest.approx(dict(zip(("negative", "positive"), row, strict=True))),
            }
            for label, row in zip(("positive", "negative"), shares, strict=True)
        ]
    }


def test_requests_that_come_at_once_get_their_own_answers(linear: KeptClassifier) -> None:
    texts = [f"a {'great' if at % 3 else 'awful'} film {at}" for at in range(40)]
    limits = Limits(waiting=1000)
    answered = ask(linear, *({"texts": [text]} for text in texts), limits=limits)
    expected = linear.predict_proba(texts)
    for response, row in zip(answered, expected, strict=True):
        (one,) = response.json()["predictions"]
        assert list(one["probabilities"].values()) == pytest.approx(row.tolist())


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"texts": []}, "at least 1 item"),
        ({"texts": ["x"] * 5}, "at most 4 items"),
        ({"texts": ["x" * 51]}, "at most 50 characters"),
        ({"texts": "one"}, "valid list"),
        ({"texts": [7]}, "valid string"),
        ({"texts": [["a", "b"]]}, "valid string"),
        ({"text": ["x"]}, "Field required"),
        ({"texts": ["x"], "more": 1}, "Extra inputs"),
        ([], "valid dictionary"),
        ({"texts": ["x", "secret" * 9]}, 'texts",1]'),
    ],
)
def test_what_is_no_such_request_is_answered_by_422(linear: KeptClassifier, body: Any, told: str) -> None:
    (response,) = ask(linear, body)
    assert response.status_code == 422
    assert told in response.text
    assert "secret" not in response.text


def test_text_that_is_no_text_is_answered_by_422(linear: KeptClassifier) -> None:
    async def send() -> list[httpx.Response]:
        async with running(linear) as client:
            contents = (b'{"texts": ["\\ud800"]}', b'{"texts": ["\xff"]}', b"{")
            headers = {"content-type": "application/json"}
            return [await client.post("/predict", content=one, headers=headers) for one in contents]

    assert [response.status_code // 100 for response in asyncio.run(send())] == [4, 4, 4]


async def _pieces(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 500


@pytest.mark.parametrize("length_is_told", [True, False])
def test_a_body_that_is_too_long_is_answered_by_413(linear: KeptClassifier, length_is_told: bool) -> None:
    async def send() -> httpx.Response:
        async with running(linear) as client:
            content: Any = b"x" * 2001 if length_is_told else _pieces(5)
            return await client.post("/predict", content=content, headers={"content-type": "application/json"})

    response = asyncio.run(send())
    assert response.status_code == 413


def test_more_than_may_wait_are_answered_by_503_and_the_rest_right(
    linear: KeptClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    gate, plain = threading.Event(), linear.answers

    def slow(questions: Any) -> Any:
        gate.wait(30)
        return plain(questions)

    monkeypatch.setattr(linear, "answers", slow)

    async def send() -> list[httpx.Response]:
        async with running(linear) as client:
            sent = [asyncio.create_task(client.post("/predict", json={"texts": ["a", "b"]})) for _ in range(5)]
            while sum(one.done() for one in sent) < 2:  # those that are turned away are answered at once
                await asyncio.sleep(0.001)
            gate.set()
            return await asyncio.gather(*sent)

    responses = asyncio.run(send())
    assert sorted(response.status_code for response in responses) == [200, 200, 200, 503, 503]
    refused = next(response for response in responses if response.status_code == 503)
    assert refused.headers["retry-after"] == "1"
    assert "wait already" in refused.json()["detail"]


def test_health_tells_who_answers(linear: KeptClassifier) -> None:
    async def look() -> httpx.Response:
        async with running(linear) as client:
            return await client.get("/health")

    assert asyncio.run(look()).json() == {
        "status": "ok",
        "engine": "linear",
        "runtime": "own",
        "task": "sst2",
        "labels": ["negative", "positive"],
        "waiting": 0,
    }


def test_after_the_end_nothing_is_answered(linear: KeptClassifier) -> None:
    async def look() -> list[int]:
        app = make_app(linear, LIMITS)
        async with app.router.lifespan_context(app):
            pass
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://here") as client:
            answers = [await client.get("/health"), await client.post("/predict", json={"texts": ["x"]})]
            return [one.status_code for one in answers]

    assert asyncio.run(look()) == [503, 503]


def test_stopping_waits_only_so_long_for_the_texts_in_hand(
    linear: KeptClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    begun, gate, plain = threading.Event(), threading.Event(), linear.answers

    def slow(questions: Any) -> Any:
        begun.set()
        gate.wait(60)
        return plain(questions)

    monkeypatch.setattr(server, "LAST_SECONDS", 0.01)
    monkeypatch.setattr(linear, "answers", slow)

    async def stop() -> bool:
        app = make_app(linear, LIMITS)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            async with app.router.lifespan_context(app):
                sent = asyncio.create_task(client.post("/predict", json={"texts": ["a"]}))
                assert await asyncio.to_thread(begun.wait, 60)
            still_at_work = not sent.done()
            sent.cancel()
        return still_at_work

    assert asyncio.run(stop())
    gate.set()


@pytest.fixture
def pages(linear: KeptClassifier) -> Iterator[Any]:
    yield make_app(linear, LIMITS).openapi()


def test_the_openapi_page_tells_the_limits(pages: Any) -> None:
    texts = pages["components"]["schemas"]["Asked"]["properties"]["texts"]
    assert (texts["minItems"], texts["maxItems"], texts["items"]["maxLength"]) == (1, 4, 50)
    assert set(pages["paths"]) == {"/predict", "/health"}
    assert {"200", "413", "422", "503"} <= set(pages["paths"]["/predict"]["post"]["responses"])
    json.dumps(pages)


def test_pairs_and_choices_have_their_own_form(tmp_path: Path) -> None:
    _, pair = keep("majority", tmp_path / "pair", entailment(8), task="rte")
    (right, *wrong) = ask(
        load_classifier(pair), *({"texts": [one]} for one in (["a", "b"], "a", {"sentence1": "a"}, ["a"]))
    )
    assert (right.status_code, *(one.status_code for one in wrong)) == (200, 422, 422, 422)
    for one in wrong:
        assert "expected a list of two texts, sentence1 and sentence2 in this order" in one.text
    _, choice = keep("majority", tmp_path / "choice", science(8), task="arc_challenge")
    row = {"question": "which?", "choices": ["one", "two"]}
    (right, wrong) = ask(load_classifier(choice), {"texts": [row]}, {"texts": [{"question": "which?"}]})
    assert right.json()["predictions"][0]["label"] in ("0", "1")
    assert wrong.status_code == 422
    assert "'choices' is missing" in wrong.json()["detail"]


@pytest.mark.parametrize("name", ["body_bytes", "texts", "characters", "waiting", "together"])
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Limits(**{name: 0})


def test_what_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"beatingbert\[serve\]"):
        server.require_serving()
