from __future__ import annotations

import itertools
import random

import pytest

from beatingbert.prompts.parse import is_settled, parse_reply

FEELING = {"negative": "negative", "positive": "positive"}
YES_NO = {"not_entailment": "no", "entailment": "yes"}
NLI = {"entailment": "yes", "neutral": "maybe", "contradiction": "no"}
NESTED = {"not_equivalent": "not equivalent", "equivalent": "equivalent"}


@pytest.mark.parametrize(
    ("reply", "words", "label"),
    [
        ("positive", FEELING, "positive"),
        ("Positive", FEELING, "positive"),
        (" POSITIVE.\n", FEELING, "positive"),
        ("**Positive**", FEELING, "positive"),
        ("`positive`", FEELING, "positive"),
        ("\u201cpositive\u201d", FEELING, "positive"),
        ("<positive>", FEELING, "positive"),
        ("\n\n  positive\n", FEELING, "positive"),
        ("---\npositive", FEELING, None),
        ("***\npositive", FEELING, "positive"),
        ("Answer: positive", FEELING, "positive"),
        ("**Answer:** positive", FEELING, "positive"),
        ("The answer is positive.", FEELING, "positive"),
        ("The final answer is: positive", FEELING, "positive"),
        ("Sentiment: negative", FEELING, "negative"),
        ("positive, because it is fun", FEELING, "positive"),
        ("positive\nReview: another one\nSentiment: negative", FEELING, "positive"),
        ("negative (very)", FEELING, "negative"),
        ("Yes, it does.", YES_NO, "entailment"),
        ("No. Nothing says so.", YES_NO, "not_entailment"),
        ("maybe", NLI, "neutral"),
        ("Yes", NLI, "entailment"),
        ("no", NLI, "contradiction"),
        ("not equivalent", NESTED, "not_equivalent"),
        ("equivalent", NESTED, "equivalent"),
        ("no, none", YES_NO, "not_entailment"),
    ],
)
def test_a_clear_reply_names_its_label(reply: str, words: dict[str, str], label: str | None) -> None:
    assert parse_reply(reply, words) == label


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("", FEELING),
        ("   \n\t\n", FEELING),
        ("**", FEELING),
        ("...", FEELING),
        ("not positive", FEELING),
        ("non-positive", FEELING),
        ("positive or negative", FEELING),
        ("positive/negative", FEELING),
        ("positive, not negative", FEELING),
        ("positively", FEELING),
        ("positive_negative", FEELING),
        ("unpositive", FEELING),
        ("I think it is positive", FEELING),
        ("1", FEELING),
        ("neutral\npositive", FEELING),
        ("yes and no", YES_NO),
        ("maybe", YES_NO),
        ("yes/no/maybe", NLI),
        ("yes, no or maybe?", NLI),
        ("Yes, maybe.", NLI),
        ("nothing", NLI),
        ("yesterday", NLI),
        ("equivalent or not equivalent", NESTED),
        ("Answer:", FEELING),
    ],
)
def test_a_reply_that_does_not_clearly_name_one_label_names_none(reply: str, words: dict[str, str]) -> None:
    assert parse_reply(reply, words) is None


@pytest.mark.parametrize("reply", ["", "?", "<", "\n"])
def test_a_choice_of_marks_alone_is_not_named_by_an_empty_reply(reply: str) -> None:
    assert parse_reply(reply, {"0": "...", "1": "a cat"}) is None


def test_choices_are_read_by_their_words_and_not_by_their_letters() -> None:
    choices = {"0": "the moon", "1": "the sun (a star)", "2": "C++"}
    assert parse_reply("The sun (a star)", choices) == "1"
    assert parse_reply("c++ of course", choices) == "2"
    assert parse_reply("A", choices) is None


WORDS = [
    FEELING,
    NESTED,
    {"0": "cat", "1": "cat or dog house", "2": "dog"},
    {"0": "the answer", "1": "a_b", "2": "..."},
]


@pytest.mark.parametrize("words", WORDS, ids=lambda words: "/".join(words.values()))
def test_nothing_that_follows_a_settled_reply_changes_what_it_names(words: dict[str, str]) -> None:
    """Tried with everything that few pieces can make, and with longer replies drawn at random."""
    pieces = [*words.values(), "no", "_", " ", "\n", "*", ":", "the", "Answer", " is", "\u00a0", "x"]
    replies = ["".join(parts) for count in range(4) for parts in itertools.product(pieces, repeat=count)]
    rng = random.Random(99)
    replies += ["".join(rng.choices([*pieces, " or ", "final ", ": ", "\r"], k=7)) for _ in range(1500)]
    settled = [reply for reply in replies if is_settled(reply, words)]
    assert 0.2 < len(settled) / len(replies) < 0.95
    for reply in rng.sample(settled, 1000):
        named = parse_reply(reply, words)
        for follows in [*pieces, *("".join(rng.choices(pieces, k=3)) for _ in range(30))]:
            assert parse_reply(reply + follows, words) == named, (reply, follows)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("positive\n", FEELING),
        ("\n positive.\r", FEELING),
        ("neutral", FEELING),
        ("not positive", FEELING),
        ("**Un", FEELING),
        ("positively", FEELING),
        ("positive or negative.", FEELING),
        ("Answer: unclear", FEELING),
        ("The film", FEELING),
        ("answers", FEELING),
        ("not eq,", NESTED),
        ("anything", {"0": "..."}),
    ],
)
def test_a_reply_is_settled_when_nothing_can_change_it(reply: str, words: dict[str, str]) -> None:
    assert is_settled(reply, words)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("", FEELING),
        ("\n\n", FEELING),
        (" **", FEELING),
        ("pos", FEELING),
        ("positive", FEELING),
        ("Positive, because", FEELING),
        ("positive_", FEELING),
        ("positive or neg", FEELING),
        ("The", FEELING),
        ("the final", FEELING),
        ("Answer", FEELING),
        ("Answer i", FEELING),
        ("Answer is", FEELING),
        ("**Answer:**", FEELING),
        ("not ", NESTED),
        ("equivalent or not", NESTED),
    ],
)
def test_a_reply_is_not_settled_while_it_may_still_name_a_label_or_name_two(reply: str, words: dict[str, str]) -> None:
    assert not is_settled(reply, words)
    assert len({parse_reply(reply + follows, words) for follows in CONTINUATIONS}) > 1


CONTINUATIONS = [
    "",
    *(
        start + word
        for start in ("", " ", ": ", "s: ")
        for word in [
            "positive",
            "itive",
            "ly",
            "negative",
            " or negative",
            "ative",
            "n't",
            "final answer: positive",
            "answer: positive",
            "equivalent",
            "positively",
            "xx",
        ]
    ),
]
