import sys
import traceback

import pytest

from beatingbert.engines.protocol import Access
from beatingbert.engines.served.client import Request
from beatingbert.engines.served.ollama_server import OllamaServer
from beatingbert.errors import (
    MissingExtraError,
    NotOfferedError,
    RefusedError,
    SettingsError,
    UnknownNameError,
    UnreachableError,
)
from engines.served.asking import HASTY, ask, ollama_server
from stand_in import Fault, StandIn, serving

KEY = "geheim-0123456789"


def ollama(**offers: object) -> StandIn:
    return StandIn(**{"names": ["tiny:latest", "qwen2:0.5b", "tiny"], **offers})  # type: ignore[arg-type]


def test_a_conversation_is_sent_as_ollama_wants_it() -> None:
    with serving(ollama()) as place:
        reply = ollama_server(place, room=512).ask(ask("a great film", temperature=0.5, seed=7, alternatives=3))
    (body,) = place.asked
    assert body["messages"] == [{"role": "user", "content": "a great film"}]
    assert body["options"] == {"temperature": 0.5, "num_predict": 5, "num_ctx": 512, "seed": 7}
    assert (body["logprobs"], body["top_logprobs"], body["think"], body["stream"]) == (True, 3, False, False)
    assert (reply.text, reply.output_tokens) == ("positive", 1)
    assert [one[0] for one in reply.tokens[0].alternatives] == ["positive", "negative", " The"]


def test_a_running_text_goes_past_the_models_template() -> None:
    with serving(ollama()) as place:
        ollama_server(place).ask(Request(text="a great film\nSentiment:", max_tokens=5))
    (body,) = place.asked
    assert (body["prompt"], body["raw"]) == ("a great film\nSentiment:", True)


def test_labels_are_told_as_a_schema() -> None:
    with serving(ollama(choices="format")) as place:
        reply = ollama_server(place).ask(
            ask("a great film", choices=(" negative", " positive"), constraint="json_schema")
        )
    assert place.asked[0]["format"]["properties"]["label"]["enum"] == ["negative", "positive"]
    assert reply.text == '{"label": "positive"}'


def test_it_tells_which_weights_they_are_and_how_large() -> None:
    with serving(ollama()) as place:
        about = ollama_server(place, name="qwen2:0.5b").about
    assert (about.kind, about.digest, about.parameters, about.disk_bytes) == (
        "ollama",
        "ab" * 32,
        494_032_768,
        352_000_000,
    )
    assert about.more == {"quantization": "Q4_0"}


def test_a_model_that_is_not_there_is_told_with_the_command_that_fetches_it() -> None:
    with serving(ollama()) as place:
        with pytest.raises(UnknownNameError, match=r"'ollama pull qwen2:7b', or let --pull") as caught:
            ollama_server(place, name="qwen2:7b")
    assert "qwen2:0.5b" in str(caught.value)


def test_a_wished_model_is_fetched_with_progress() -> None:
    steps: list[tuple[str, int, int]] = []

    def remember(phase: str, done: int, total: int) -> None:
        steps.append((phase, done, total))

    with serving(ollama(pullable=("qwen2:7b",))) as place:
        access = Access(pull=True, **HASTY)
        server = OllamaServer("qwen2:7b", place.url, access, room=512, progress=remember)
        assert server.ask(ask("great")).text == "positive"
    assert steps == [("pulling qwen2:7b", 4, 10), ("pulling qwen2:7b", 10, 10)]


def test_a_model_that_cannot_be_fetched_is_told() -> None:
    with serving(ollama()) as place:
        with pytest.raises(SettingsError, match=r"cannot fetch 'nothing'.*does not exist.*ollama.com/library"):
            ollama_server(place, name="nothing", pull=True)


def test_an_ollama_that_does_not_run_is_told_with_the_command_that_starts_it() -> None:
    with serving(ollama()) as place:
        pass
    with pytest.raises(UnreachableError, match=f"{place.url}; start it with 'ollama serve'"):
        ollama_server(place)


@pytest.mark.parametrize(
    "fault",
    [Fault(503, {"Retry-After": "0.05"}), Fault(429, {"Retry-After": "0.05"}), Fault(kind="cut")],
    ids=["503", "429", "cut connection"],
)
def test_what_may_pass_is_asked_again(fault: Fault) -> None:
    with serving(ollama(faults=[fault])) as place:
        assert ollama_server(place).ask(ask("great")).text == "positive"
    assert len(place.asked) == 2


def test_the_server_says_when_to_come_back() -> None:
    with serving(ollama(faults=[Fault(503, {"Retry-After": "1.5"})])) as place:
        ollama_server(place).ask(ask("great"))
    first, second = place.arrivals
    assert second - first >= 1.5


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (Fault(500, says="llama runner has died"), UnreachableError, "llama runner has died"),
        (Fault(kind="hang"), UnreachableError, r"within 0.3 s.*--timeout"),
        (Fault(kind="cut"), UnreachableError, "'ollama serve'"),
        (Fault(kind="garbage"), UnreachableError, "not as Ollama does"),
        (Fault(400, says="does not support logprobs"), NotOfferedError, "does not support logprobs"),
    ],
    ids=["500", "hang", "cut connection", "no JSON", "400"],
)
def test_a_failure_that_stays_is_told_and_never_an_answer(fault: Fault, kind: type[Exception], message: str) -> None:
    with serving(ollama(faults=[fault])) as place:
        with pytest.raises(kind, match=message):
            ollama_server(place, max_retries=0, timeout_seconds=0.3).ask(ask("great"))


def test_what_ollama_would_cut_without_a_word_is_refused_before_it_is_sent() -> None:
    with serving(ollama()) as place:
        with pytest.raises(SettingsError, match="--max_length"):
            ollama_server(place, room=512).ask(ask("great " * 300))
    assert place.asked == []


def test_a_prompt_that_has_filled_all_room_is_not_trusted() -> None:
    with serving(ollama(characters_per_token=2.0)) as place:
        with pytest.raises(SettingsError, match="may have been cut"):
            ollama_server(place, room=16).ask(ask("x" * 30))
        assert place.asked


def test_its_key_comes_from_its_own_variable_and_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", KEY)
    with serving(ollama(key=KEY)) as place:
        assert ollama_server(place).ask(ask("great")).text == "positive"
    with serving(ollama(key="another")) as place:
        with pytest.raises(RefusedError, match="OLLAMA_API_KEY") as caught:
            ollama_server(place)
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ollama", None)
    with serving(ollama()) as place:
        with pytest.raises(MissingExtraError, match=r"beatingbert\[served\]"):
            ollama_server(place)
