"""What every engine promises, whatever it is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from beatingbert.engines.catalog import ENGINES, build_engine, restore_classifier
from beatingbert.engines.protocol import Classifier, EngineFacts, Workplace
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Example
from beatingbert.tasks.spec import Shape
from stand_in import StandIn, serving
from tiny_tasks import blanks, entailment, questions_of, science, sentiment

TASKS: dict[str, Callable[[int], list[Example]]] = {
    "sst2": sentiment,
    "rte": entailment,
    "arc_challenge": science,
    "winogrande": blanks,
}
TRAIN_ROWS, QUESTIONS = 20, 9


class Way(NamedTuple):
    """One way of answering: an engine with settings, and the fixture of its checkpoint or server if it needs one."""

    engine: str
    settings: Mapping[str, Any] = {}
    checkpoint: str | None = None


WAYS = {
    "majority": Way("majority"),
    "linear": Way("linear"),
    "embedding": Way("embedding", {}, "tiny_minilm"),
    "encoder": Way("encoder", {"epochs": 1, "learning_rate": 1e-3}, "tiny_bert"),
    "encoder without token types": Way("encoder", {"epochs": 1, "learning_rate": 1e-3}, "tiny_distilbert"),
    "encoder from a decoder": Way("encoder", {"epochs": 1, "learning_rate": 1e-3}, "tiny_llama"),
    "llm zero-shot": Way("llm", {}, "tiny_llama"),
    "llm few-shot": Way("llm", {"shots": 2}, "tiny_gemma"),
    "llm chat": Way("llm", {"shots": 2}, "tiny_qwen"),
    "llm by letter": Way("llm", {"choice_by": "letter", "shots": 1}, "tiny_qwen"),
    "llm contextual calibration": Way("llm", {"calibration": "contextual"}, "tiny_llama"),
    "llm batch calibration": Way("llm", {"shots": 2, "calibration": "batch"}, "tiny_qwen"),
    "llm generation": Way("llm", {"answer_by": "generation"}, "tiny_llama"),
    "llm constrained": Way("llm", {"answer_by": "generation", "constrained": True}, "tiny_gemma"),
    "lora": Way("lora", {"epochs": 1, "rank": 4}, "tiny_llama"),
    "lora chat": Way("lora", {"epochs": 1, "rank": 4, "target_modules": "all-linear"}, "tiny_qwen"),
    "optimized": Way("optimized", {"shots": 2, "max_length": 8192}, "tiny_far_llama"),
    "optimized chat": Way(
        "optimized",
        {
            "shots": 2,
            "optimizer": "bootstrap_random_search",
            "num_candidates": 1,
            "adapter": "chat",
            "max_length": 8192,
        },
        "tiny_far_qwen",
    ),
    "optimized reasoning": Way(
        "optimized", {"shots": 1, "reasoning": True, "max_new_tokens": 8, "max_length": 8192}, "tiny_far_qwen"
    ),
    "optimized served": Way("optimized", {"shots": 2}, "talking_server"),
    "served log-probabilities": Way("served", {"shots": 2}, "talking_server"),
    "served choice": Way("served", {"answer_by": "generation", "constrained": True}, "talking_server"),
    "served generation": Way("served", {"answer_by": "generation", "temperature": 1.0}, "talking_server"),
    "llm sampling": Way("llm", {"answer_by": "generation", "temperature": 1.0, "shots": 2}, "tiny_qwen"),
}
CHOICE = [name for name in TASKS if find_task(name).shape is Shape.CHOICE]
NO_CHOICE = ("linear", "embedding", "encoder without token types", "encoder from a decoder")
NO_CHOICE += ("llm contextual calibration", "llm batch calibration")
CANNOT = {
    *((way, task) for way in NO_CHOICE for task in CHOICE),
    *(("llm by letter", task) for task in TASKS if task not in CHOICE),
}
CAN = [(way, task) for way in WAYS for task in TASKS if (way, task) not in CANNOT]


class Fitted(NamedTuple):
    """A classifier with the rows it has learnt from and those it is asked about."""

    way: Way
    settings: Mapping[str, Any]
    classifier: Classifier
    workplace: Workplace
    unseen: list[Example]


@pytest.fixture(scope="module")
def talking_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a stand-in that offers everything."""
    with pytest.MonkeyPatch.context() as patch, serving(StandIn(choices="response_format")) as place:
        patch.setenv("BEATINGBERT_CACHE", str(tmp_path_factory.mktemp("kept")))
        yield place.openai_url


@pytest.fixture(scope="module", params=CAN, ids=lambda pair: f"{pair[0]} on {pair[1]}")
def fitted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    name, task = request.param
    way = WAYS[name]
    settings: dict[str, Any] = dict(way.settings)
    if way.checkpoint == "talking_server":
        name = "model" if way.engine == "served" else "checkpoint"
        settings |= {name: "openai/tiny", "base_url": request.getfixturevalue(str(way.checkpoint))}
    elif way.checkpoint is not None:
        folder: Path = request.getfixturevalue(way.checkpoint)
        settings |= {"checkpoint": str(folder), "full_precision": True}
    place = Workplace(task=find_task(task), folder=tmp_path_factory.mktemp("work"))
    rows = TASKS[task](TRAIN_ROWS + QUESTIONS)
    train, unseen = rows[:TRAIN_ROWS], rows[TRAIN_ROWS:]
    classifier = build_engine(way.engine, settings, place).fit(train[4:], development=train[:4], seed=99)
    return Fitted(way, settings, classifier, place, unseen)


def test_every_engine_of_the_catalogue_is_under_contract() -> None:
    assert {way.engine for way in WAYS.values()} == set(ENGINES)


def test_there_is_one_prediction_per_question_in_their_order(fitted: Fitted) -> None:
    for questions in (questions_of(fitted.unseen), questions_of(fitted.unseen)[::-1]):
        predictions = fitted.classifier.predict(questions)
        assert [one.question_id for one in predictions] == [question.id for question in questions]


def test_a_label_is_one_of_the_questions_own_or_none(fitted: Fitted) -> None:
    questions = questions_of(fitted.unseen)
    for one, question in zip(fitted.classifier.predict(questions), questions, strict=True):
        labels = fitted.workplace.task.labels_of(question)
        assert one.label is None or one.label in labels
        assert one.label is not None or one.reply is not None  # who names no label must show what was said instead


def test_probabilities_cover_the_labels_and_sum_to_one(fitted: Fitted) -> None:
    questions = questions_of(fitted.unseen)
    for one, question in zip(fitted.classifier.predict(questions), questions, strict=True):
        if one.probabilities is None:
            assert one.reply is not None
            continue
        assert set(one.probabilities) == set(fitted.workplace.task.labels_of(question))
        assert sum(one.probabilities.values()) == pytest.approx(1, abs=1e-6)
        assert min(one.probabilities.values()) >= 0


def test_no_questions_give_no_predictions(fitted: Fitted) -> None:
    assert fitted.classifier.predict([]) == []


def test_asking_twice_gives_the_same_predictions(fitted: Fitted) -> None:
    questions = questions_of(fitted.unseen)
    assert fitted.classifier.predict(questions) == fitted.classifier.predict(questions)


def test_a_question_asked_alone_is_answered_the_same(fitted: Fitted) -> None:
    questions = questions_of(fitted.unseen)
    for one, question in zip(fitted.classifier.predict(questions), questions, strict=True):
        (alone,) = fitted.classifier.predict([question])
        assert (alone.label, alone.reply) == (one.label, one.reply)
        assert alone.probabilities == pytest.approx(one.probabilities, abs=1e-4)


def test_a_question_knows_no_label(fitted: Fitted) -> None:
    for question in questions_of(fitted.unseen):
        assert {field.name for field in dataclasses.fields(question)} == {"id", "texts", "choices"}
        assert "label" not in question.texts
        assert not hasattr(question, "__dict__")


def test_the_facts_are_filled(fitted: Fitted) -> None:
    facts = fitted.classifier.facts
    assert isinstance(facts, EngineFacts)
    if facts.checkpoint.get("kind") == "served":
        assert facts.parameters is None  # this server does not tell, and then it is not 0
        assert facts.disk_bytes is None
        assert facts.memory_unknown
    elif facts.checkpoint:
        assert facts.parameters is not None
        assert facts.disk_bytes is not None
        assert facts.parameters > 0
        assert facts.disk_bytes > 0
        assert len(facts.checkpoint["sha256"]) == 64


def test_what_was_kept_answers_the_same_elsewhere(
    fitted: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    fitted.classifier.keep(folder)
    monkeypatch.chdir(tmp_path)
    place = Workplace(task=fitted.workplace.task, folder=folder)
    again = restore_classifier(fitted.way.engine, folder, fitted.settings, place, seed=99)
    asked = questions_of(fitted.unseen)
    assert again.predict(asked) == fitted.classifier.predict(asked)


def test_multiple_choice_is_among_the_shapes_under_contract() -> None:
    assert {find_task(task).shape for task in TASKS} == set(Shape)
