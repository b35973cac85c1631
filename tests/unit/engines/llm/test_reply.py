from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from beatingbert.engines.llm.likelihood import split_answers
from beatingbert.engines.llm.reply import ConstrainedReply, FreeReply, Written
from beatingbert.prompts.parse import parse_reply
from engines.llm.asking import ask, load

FEELING = {"negative": "negative", "positive": "positive"}
END = 0


@pytest.fixture
def tokenizer(tiny_llama: Path) -> Any:
    return load(tiny_llama)[1]


def read(tokenizer: Any, text: str, *, stop_at_line: bool = False) -> Written:
    """The reply after as many of the text's tokens as it wants, and an end token if it wants more."""
    reply = FreeReply(FEELING, tokenizer, ends={END}, stop_at_line=stop_at_line)
    for token in [*tokenizer(text)["input_ids"], END]:
        if not reply.is_over:
            reply.read(token)
    assert reply.is_over
    return reply.written()


@pytest.mark.parametrize(
    ("text", "stopped"),
    [
        (" positive\nReview: a bad film\nSentiment: negative", " positive\n"),
        (" positive or negative, I think", " positive or negative,"),
        ("\n\n positive\n\nReview", "\n\n positive\n"),
        (" Unclear whether the review likes it", " Unclear w"),
        (" positive, because it is a good film", " positive, because it is a good film"),
        (" Answer: not to be told from a review", " Answer: not t"),
        ("positive", "positive"),
        ("", ""),
    ],
)
def test_a_reply_stops_where_nothing_can_change_what_it_names(tokenizer: Any, text: str, stopped: str) -> None:
    written = read(tokenizer, text)
    assert written.label == parse_reply(text, FEELING)
    assert text.startswith(written.text)
    assert abs(len(written.text) - len(stopped)) <= 3, written.text  # a token may hold a letter or a line more


def test_the_end_of_a_line_that_says_nothing_ends_a_reply_only_in_running_text(tokenizer: Any) -> None:
    assert read(tokenizer, "\n positive").label == "positive"
    assert read(tokenizer, "\n positive", stop_at_line=True) == Written("\n", None)


def test_half_a_character_settles_nothing(tokenizer: Any) -> None:
    """A curly quote takes three tokens; before the last one its bytes are shown as a mark that no label begins with."""
    assert len(tokenizer("\u201c")["input_ids"]) > 1
    assert read(tokenizer, "\u201cpositive\u201d\n").label == "positive"


def test_an_end_token_is_no_part_of_the_text(tokenizer: Any) -> None:
    reply = FreeReply(FEELING, tokenizer, ends={5}, stop_at_line=False)  # an ordinary token, which would be shown
    reply.read(5)
    assert reply.is_over
    assert reply.written() == Written("", None)


def test_a_constrained_reply_is_over_when_one_label_is_left() -> None:
    answers = {"a": " great story", "b": " great film", "c": " awful"}
    reply = ConstrainedReply(answers, {"a": [1, 2], "b": [1, 3, 4], "c": [5, 6]}, ends={END})
    assert sorted(reply.allowed()) == [1, 5]
    reply.read(1)
    assert not reply.is_over
    assert sorted(reply.allowed()) == [2, 3]
    reply.read(3)
    assert reply.is_over
    assert reply.written() == Written(" great film", "b")


@pytest.mark.parametrize(("token", "label"), [(END, "short"), (2, "long")])
def test_an_end_token_decides_for_a_label_whose_words_begin_another(token: int, label: str) -> None:
    reply = ConstrainedReply({"long": " not good", "short": " not"}, {"long": [1, 2], "short": [1]}, ends={END})
    assert reply.allowed() == [1]
    reply.read(1)
    assert sorted(reply.allowed()) == [END, 2]
    reply.read(token)
    assert reply.is_over
    assert reply.written().label == label


def test_of_labels_with_the_same_words_the_first_is_meant() -> None:
    reply = ConstrainedReply({"a": " x", "b": " x"}, {"a": [1], "b": [1]}, ends=())
    assert reply.is_over
    assert reply.allowed()
    assert reply.written() == Written(" x", "a")


@pytest.mark.parametrize("prompt", ["Answer:", "Sentiment: ", "Is it pos", "It is", "a"])
def test_prompt_and_label_are_split_where_their_tokens_are(tokenizer: Any, prompt: str) -> None:
    asked = ask(prompt, " positive", " negative", "itive", " not good")
    context, answers = split_answers(asked, tokenizer)
    for label, ids in answers.items():
        assert ids
        assert [*context, *ids] == tokenizer(prompt + asked.answers[label])["input_ids"]
