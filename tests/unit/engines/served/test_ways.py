from typing import Any

import pytest

from beatingbert.errors import RefusedError, SettingsError, UnreachableError
from engines.served.asking import fit
from stand_in import Fault, StandIn, serving
from tiny_tasks import sentiment

BEGINNINGS = "log-probabilities of the answer's first tokens"
ECHO = "log-probabilities of each label's words, echoed after the prompt"
CHOICE = "the server lets only labels be written"
WRITTEN = "free text, read strictly"
SILENT = {"logprobs": False}
PLAIN_SERVER = {"refuses": ("logprobs", "response_format", "structured_outputs")}


def scoring(offers: dict[str, Any], *, ollama: bool = False, **settings: Any) -> tuple[str, str, bool]:
    """How answers come, by which constraint, and whether in turns."""
    if ollama:
        offers = {"names": ["tiny", "tiny:latest"], **offers}
    with serving(StandIn(**offers)) as place:
        notes = fit(place, ollama=ollama, **settings).facts.notes
    return notes["scoring"], notes["constraint"], notes["chat_template"]


@pytest.mark.parametrize(
    ("offers", "expected"),
    [
        ({}, (BEGINNINGS, "", True)),
        (SILENT | {"choices": "response_format"}, (CHOICE, "json_schema", True)),
        (SILENT | {"owner": "vllm", "choices": "structured_outputs"}, (CHOICE, "structured_outputs", True)),
        (SILENT | {"owner": "vllm", "choices": "guided_choice"}, (CHOICE, "guided_choice", True)),
        (SILENT | {"owner": "llamacpp", "choices": "grammar"}, (CHOICE, "grammar", True)),
        (SILENT | {"owner": "llamacpp", "choices": "grammar", "repeats": True}, (CHOICE, "grammar", True)),
        (SILENT, (WRITTEN, "", True)),
        (PLAIN_SERVER, (WRITTEN, "", True)),
    ],
    ids=[
        *("log-probabilities", "schema", "vLLM", "old vLLM", "llama.cpp", "llama.cpp that repeats the turn"),
        *("takes all, does nothing", "refuses all"),
    ],
)
def test_the_best_way_that_a_server_shows_is_taken(offers: dict[str, Any], expected: tuple[str, str, bool]) -> None:
    assert scoring(offers) == expected


@pytest.mark.parametrize(
    ("offers", "expected"),
    [
        ({}, (BEGINNINGS, "", True)),
        (SILENT | {"choices": "format"}, (CHOICE, "json_schema", True)),
        (SILENT, (WRITTEN, "", True)),
    ],
    ids=["log-probabilities", "schema", "an old one"],
)
def test_of_ollama_as_well(offers: dict[str, Any], expected: tuple[str, str, bool]) -> None:
    assert scoring(offers, ollama=True) == expected


def test_a_running_text_is_scored_whole_where_the_server_echoes() -> None:
    assert scoring({"owner": "vllm", "echoes": True}, chat_template="never") == (ECHO, "", False)
    assert scoring({"owner": "vllm"}, chat_template="never") == (BEGINNINGS, "", False)


def test_what_is_asked_for_is_insisted_on() -> None:
    assert scoring({"choices": "response_format"}, answer_by="generation")[0] == WRITTEN
    assert scoring({"choices": "response_format"}, answer_by="generation", constrained=True)[0] == CHOICE
    assert scoring({"choices": "response_format"}, temperature=0.7)[0] == WRITTEN
    with pytest.raises(SettingsError, match=r"does not offer answers by likelihood.*Leave --answer_by"):
        scoring(SILENT | {"choices": "response_format"}, answer_by="likelihood")
    with pytest.raises(SettingsError, match="HTTP 422"):
        scoring(PLAIN_SERVER, answer_by="generation", constrained=True)


def test_a_server_without_chat_is_sent_running_text() -> None:
    assert scoring({"refuses": ("messages",)}) == (BEGINNINGS, "", False)
    with pytest.raises(SettingsError, match="messages"):
        scoring({"refuses": ("messages",)}, chat_template="always")


def test_a_failure_is_no_missing_feature() -> None:
    """Else a server that is busy for a moment would silently be asked in a worse way."""
    with serving(StandIn(faults=[Fault(500)])) as place, pytest.raises(UnreachableError, match="500"):
        fit(place, access={"max_retries": 0})
    with serving(StandIn(key="wanted")) as place, pytest.raises(RefusedError, match="401"):
        fit(place)


def test_the_cue_opens_the_models_turn_where_that_is_possible_and_else_ends_the_users() -> None:
    train = sentiment(6)
    with serving(StandIn(owner="vllm")) as place:
        classifier = fit(place, shots=1, train=train)
        classifier.predict([sentiment(1, start=50)[0].question])
        assert classifier.facts.notes["cue_opens_the_models_turn"] is True
        turns = place.asked[-1]["messages"]
        assert turns[-1] == {"role": "assistant", "content": "Sentiment:"}
        assert turns[1]["content"].startswith("Sentiment: ")
    with serving(StandIn()) as place:
        classifier = fit(place, shots=1, train=train)
        classifier.predict([sentiment(1, start=50)[0].question])
        assert classifier.facts.notes["cue_opens_the_models_turn"] is False
        turns = place.asked[-1]["messages"]
        assert turns[-1]["role"] == "user"
        assert turns[-1]["content"].endswith("\nSentiment:")
        assert turns[1]["content"] in ("negative", "positive")
