import logging
import traceback
from typing import Any

import pytest

from beatingbert.engines.served.client import Request
from beatingbert.engines.served.openai_server import OpenAIServer
from beatingbert.errors import (
    BeatingBertError,
    MissingExtraError,
    NotOfferedError,
    RefusedError,
    SettingsError,
    UnknownNameError,
    UnreachableError,
)
from engines.served.asking import ask, openai_server
from stand_in import Fault, StandIn, serving

KEY = "sk-geheim-0123456789"


def test_a_conversation_is_sent_as_the_protocol_says() -> None:
    with serving(StandIn()) as place:
        reply = openai_server(place).ask(ask("Review: a great film", temperature=0.5, seed=7, alternatives=3))
    (body,) = place.asked
    assert body["messages"] == [{"role": "user", "content": "Review: a great film"}]
    assert {name: body[name] for name in ("model", "max_tokens", "temperature", "seed")} == {
        "model": "tiny",
        "max_tokens": 5,
        "temperature": 0.5,
        "seed": 7,
    }
    assert (reply.text, reply.output_tokens, reply.finished) == ("positive", 1, True)
    assert [one[0] for one in reply.tokens[0].alternatives] == ["positive", "negative", " The"]


def test_a_running_text_is_sent_as_the_protocol_says() -> None:
    with serving(StandIn()) as place:
        reply = openai_server(place).ask(Request(text="Review: a great film\nSentiment:", max_tokens=5, alternatives=2))
    (body,) = place.asked
    assert (body["prompt"], body["logprobs"]) == ("Review: a great film\nSentiment:", 2)
    assert "seed" not in body
    assert reply.tokens[0].text == "positive"


@pytest.mark.parametrize(
    ("owner", "kind", "more"),
    [
        ("vllm", "vllm", {"add_generation_prompt": False, "continue_final_message": True}),
        ("llamacpp", "llama.cpp", {}),
        ("somebody", "unknown", {}),
    ],
)
def test_servers_are_told_in_their_own_words_to_go_on_with_a_turn(owner: str, kind: str, more: dict[str, Any]) -> None:
    with serving(StandIn(owner=owner)) as place:
        server = openai_server(place)
        server.ask(Request(turns=(("user", "great?"), ("assistant", "Sentiment:")), max_tokens=5))
    assert server.about.kind == kind
    assert server.goes_on == (kind != "unknown")
    assert {name: place.asked[0].get(name) for name in more} == more


@pytest.mark.parametrize("repeats", [True, False])
def test_a_turn_that_was_gone_on_with_comes_back_without_its_beginning(repeats: bool) -> None:
    with serving(StandIn(owner="llamacpp", repeats=repeats)) as place:
        reply = openai_server(place).ask(Request(turns=(("user", "great?"), ("assistant", "Sentiment:")), max_tokens=5))
    assert reply.text == "positive"


def test_an_echoed_text_comes_back_without_what_was_written_after_it() -> None:
    with serving(StandIn(owner="vllm", echoes=True)) as place:
        reply = openai_server(place).ask(Request(text="It is great. So it is positive", max_tokens=1, echo=True))
    assert [token.text for token in reply.tokens] == ["It is great. So it is", " positive"]


@pytest.mark.parametrize(
    "fault",
    [Fault(429, {"Retry-After": "0.05"}), Fault(503, {"Retry-After": "0.05"}), Fault(500), Fault(kind="cut")],
    ids=["429", "503", "500", "cut connection"],
)
def test_what_may_pass_is_asked_again(fault: Fault) -> None:
    with serving(StandIn(faults=[fault])) as place:
        assert openai_server(place).ask(ask("great")).text == "positive"
    assert len(place.asked) == 2


def test_the_server_says_when_to_come_back() -> None:
    with serving(StandIn(faults=[Fault(429, {"Retry-After": "1.5"})])) as place:
        openai_server(place).ask(ask("great"))
    first, second = place.arrivals
    assert second - first >= 1.5


def test_a_server_that_stays_busy_is_left_in_peace_and_told_of() -> None:
    with serving(StandIn(faults=[Fault(429, {"Retry-After": "0.01"}, says="quota used up")] * 9)) as place:
        with pytest.raises(UnreachableError, match=r"2 more attempts .*quota used up.*--concurrency"):
            openai_server(place).ask(ask("great"))
    assert len(place.asked) == 3


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(500, says="out of memory"), "HTTP 500: .*out of memory"),
        (Fault(kind="hang"), "no answer within 0.3 s; give it more --timeout"),
        (Fault(kind="cut"), "does not answer"),
        (Fault(kind="garbage"), "not as OpenAI's protocol says.*/v1"),
    ],
    ids=["500", "hang", "cut connection", "no JSON"],
)
def test_a_failure_that_stays_is_told_with_its_place_and_never_an_answer(fault: Fault, message: str) -> None:
    with serving(StandIn(faults=[fault])) as place:
        with pytest.raises(UnreachableError, match=message) as caught:
            openai_server(place, max_retries=0, timeout_seconds=0.3).ask(ask("great"))
        assert place.openai_url in str(caught.value)


def test_a_server_that_is_down_is_told_of_at_once() -> None:
    with serving(StandIn()) as place:
        pass
    with pytest.raises(UnreachableError, match="start it, or correct --base_url"):
        openai_server(place, max_retries=0)


def test_a_model_that_is_not_there_is_told_with_those_that_are() -> None:
    with serving(StandIn(names=["tiny", "large"])) as place:
        with pytest.raises(UnknownNameError, match=r"'tny'.*Did you mean 'tiny'.*large, tiny"):
            openai_server(place, name="tny")
    assert place.asked == []


def test_a_server_without_a_list_is_asked_all_the_same() -> None:
    with serving(StandIn(names=None)) as place:
        assert openai_server(place, name="whatever").ask(ask("great")).text == "positive"


def test_what_the_server_does_not_know_is_not_offered() -> None:
    with serving(StandIn(refuses=("logprobs",))) as place:
        with pytest.raises(NotOfferedError, match=r"HTTP 422.*logprobs"):
            openai_server(place).ask(ask("great", alternatives=5))
    assert len(place.asked) == 1  # asking again would change nothing


def test_a_prompt_that_is_too_long_is_no_missing_feature() -> None:
    with serving(StandIn(context=100)) as place:
        with pytest.raises(SettingsError, match=r"maximum context length.*--num_few_shot") as caught:
            openai_server(place).ask(ask("great " * 100))
    assert not isinstance(caught.value, NotOfferedError)


def test_the_key_comes_from_the_variable_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with serving(StandIn(key=KEY)) as place:
        assert openai_server(place, key_variable="MY_KEY").ask(ask("great")).text == "positive"


def test_no_key_is_sent_to_a_server_that_is_not_said_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(StandIn(key=KEY)) as place:
        with pytest.raises(RefusedError, match=r"without a key.*--api_key_env"):
            openai_server(place)


def test_a_refused_key_is_named_by_its_variable_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with serving(StandIn(key="another")) as place, caplog.at_level(logging.DEBUG, logger="beatingbert"):
        with pytest.raises(RefusedError, match=r"key in MY_KEY .*HTTP 401") as caught:
            openai_server(place, key_variable="MY_KEY")
    assert "incorrect key provided" in str(caught.value)  # the server has repeated the key, which is taken out
    whole = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert KEY not in whole
    assert "***" in whole


def test_openai_itself_needs_a_key_before_anything_is_sent() -> None:
    from beatingbert.engines.protocol import Access

    with pytest.raises(RefusedError, match="OPENAI_API_KEY is empty"):
        OpenAIServer("gpt-4o-mini", "https://api.openai.com/v1", Access(key_variable="OPENAI_API_KEY"))


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openai", None)
    with serving(StandIn()) as place:
        with pytest.raises(MissingExtraError, match=r"beatingbert\[served\]") as caught:
            openai_server(place)
    assert isinstance(caught.value, BeatingBertError)
