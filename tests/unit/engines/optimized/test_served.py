from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from beatingbert.engines.optimized.classifier import ServedProgramClassifier
from beatingbert.engines.optimized.engine import OptimizedEngine
from beatingbert.engines.protocol import Access, KeepsAnswers, Workplace
from beatingbert.errors import BudgetError, UnreachableError
from beatingbert.tasks.catalog import find_task
from engines.optimized.parrots import DEVELOPMENT, EVALUATION, TRAIN, settings
from stand_in import OTHERWISE, SURE, StandIn, serving
from tiny_tasks import questions_of, science

QUESTIONS = questions_of(EVALUATION)
LABELS = [row.label for row in EVALUATION]


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the user's kept answers, keys or proxies."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OLLAMA_API_KEY", "OLLAMA_HOST"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BEATINGBERT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def place() -> Iterator[StandIn]:
    with serving(StandIn(names=["tiny", "tiny:latest"])) as running:
        yield running


def fit(
    place: StandIn, folder: Path, *, ollama: bool = False, task: str = "sst2", access: Any = None, **given: Any
) -> Any:
    """A program that has been compiled against the stand-in."""
    where = ("ollama/tiny", place.url) if ollama else ("openai/tiny", place.openai_url)
    folder.mkdir(exist_ok=True)
    workplace = Workplace(
        task=find_task(task),
        folder=folder,
        access=access or Access(max_retries=0, timeout_seconds=5.0, concurrency=4),
    )
    chosen = settings(checkpoint=where[0], base_url=where[1], **given)
    rows = (TRAIN, DEVELOPMENT) if task == "sst2" else (science(30)[:24], science(30)[24:])
    return OptimizedEngine(chosen, workplace).fit(rows[0], development=rows[1], seed=99)


@pytest.mark.parametrize("ollama", [False, True], ids=["openai", "ollama"])
@pytest.mark.parametrize("optimizer", ["bootstrap", "miprov2"])
def test_a_prompt_is_compiled_for_a_served_model(optimizer: str, ollama: bool, place: StandIn, tmp_path: Path) -> None:
    classifier = fit(place, tmp_path / "run", ollama=ollama, optimizer=optimizer)
    predictions = classifier.predict(QUESTIONS)
    assert [one.label for one in predictions] == LABELS
    facts = classifier.facts
    assert facts.notes["development_accuracy"] == 1.0
    assert facts.notes["ended_by"] == "its own end"
    assert facts.notes["optimizer_calls"] >= len(DEVELOPMENT)
    assert (tmp_path / "run" / "dspy_optimized" / "program.json").is_file()
    assert facts.checkpoint["kind"] == "served"


def test_label_probabilities_come_from_the_servers_tokens(place: StandIn, tmp_path: Path) -> None:
    classifier = fit(place, tmp_path / "run")
    assert classifier.facts.notes["answer_by"] == "likelihood"
    for one in classifier.predict(QUESTIONS):
        assert one.probabilities is not None
        assert one.probabilities[one.label] == pytest.approx(SURE / (SURE + OTHERWISE))


@pytest.mark.parametrize(("adapter", "opening"), [("template", "Sentiment:"), ("chat", "[[ ## label ## ]]")])
def test_where_the_server_can_the_models_turn_is_opened(adapter: str, opening: str, tmp_path: Path) -> None:
    with serving(StandIn(owner="llamacpp")) as place:
        fit(place, tmp_path / "run", adapter=adapter).predict(QUESTIONS)
        last = [body["messages"][-1] for body in place.asked if len(body["messages"]) > 1]
    assert last
    assert all(turn == {"role": "assistant", "content": opening} for turn in last)


def test_elsewhere_the_cue_ends_the_question_as_for_the_served_engine(place: StandIn, tmp_path: Path) -> None:
    fit(place, tmp_path / "run").predict(QUESTIONS)
    shown = [body["messages"] for body in place.asked if len(body["messages"]) == 5][-1]
    assert [turn["role"] for turn in shown] == ["user", "assistant", "user", "assistant", "user"]
    assert all(turn["content"].endswith("\nSentiment:") for turn in shown[::2])
    assert {turn["content"] for turn in shown[1::2]} <= {"positive", "negative"}


def test_a_marker_that_the_model_writes_is_passed_over(tmp_path: Path) -> None:
    # The whole reply is one token here, so the label cannot be read from its beginning: it is read as text.
    with serving(StandIn(prefix="[[ ## label ## ]]\n", logprobs=False)) as place:
        classifier = fit(place, tmp_path / "run", adapter="chat")
        predictions = classifier.predict(QUESTIONS)
    assert classifier.facts.notes["answer_by"] == "generation"
    assert [one.label for one in predictions] == LABELS
    assert all(one.probabilities is None and one.reply for one in predictions)


def test_a_reply_that_names_no_label_is_none(tmp_path: Path) -> None:
    with serving(StandIn(prefix="I think it is ", logprobs=False)) as place:
        predictions = fit(place, tmp_path / "run").predict(QUESTIONS)
    assert {one.label for one in predictions} == {None}
    assert all(one.reply for one in predictions)


def test_letters_are_chosen_among_a_questions_own(place: StandIn, tmp_path: Path) -> None:
    classifier = fit(place, tmp_path / "run", task="arc_challenge")
    rows = science(40)[30:]
    assert [one.label for one in classifier.predict(questions_of(rows))] == [row.label for row in rows]


def test_nothing_is_asked_twice(place: StandIn, tmp_path: Path) -> None:
    first = fit(place, tmp_path / "first")
    answers = first.predict(QUESTIONS)
    sent = len(place.asked)
    second = fit(place, tmp_path / "second")
    assert second.predict(QUESTIONS) == answers
    assert len(place.asked) == sent
    assert second.facts.notes["requests"]["sent"] == 0


def test_requests_are_on_their_way_together(tmp_path: Path) -> None:
    with serving(StandIn(seconds=0.02)) as place:
        fit(place, tmp_path / "run")
        assert 1 < place.most_at_once <= 4


def test_a_server_that_dies_ends_the_run(tmp_path: Path) -> None:
    with serving(StandIn(dies_after=6)) as place, pytest.raises(UnreachableError):
        fit(place, tmp_path / "run")


def test_the_limit_on_the_whole_run_ends_it_and_keeps_the_answers(place: StandIn, tmp_path: Path) -> None:
    access = Access(max_requests=5, max_retries=0)
    with pytest.raises(BudgetError, match="--max_requests 5"):
        fit(place, tmp_path / "run", access=access)
    assert len(place.asked) == 5


def test_the_optimisers_own_limit_leaves_the_program_so_far_to_answer(place: StandIn, tmp_path: Path) -> None:
    access = Access(price_in=1000.0, price_out=1000.0, max_retries=0)
    classifier = fit(place, tmp_path / "run", access=access, max_cost=0.001)
    assert classifier.facts.notes["ended_by"] == "--max_optimizer_cost 0.001"
    assert classifier.facts.notes["optimizer_cost"] >= 0.001
    assert [one.label for one in classifier.predict(QUESTIONS)] == LABELS


def test_it_tells_the_times_of_answers_that_were_kept(place: StandIn, tmp_path: Path) -> None:
    classifier = fit(place, tmp_path / "run")
    assert isinstance(classifier, ServedProgramClassifier)
    assert isinstance(classifier, KeepsAnswers)
    assert classifier.seconds_alone(QUESTIONS[0]) > 0
    assert classifier.seconds_together(QUESTIONS) > 0
    sent = len(place.asked)
    assert classifier.seconds_together(QUESTIONS) > 0
    assert len(place.asked) == sent
    assert classifier.facts.notes["usage"]["answers"] == len(QUESTIONS)
