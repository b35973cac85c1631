from __future__ import annotations

import re

import pytest

from beatingbert.errors import SettingsError
from beatingbert.prompts.letters import is_letter_settled, list_choices, parse_letter
from beatingbert.tasks.example import Question

CHOICES = ("the moon", " the Sun ", "vitamin C", "A dog")


def test_choices_are_listed_line_by_line_without_their_outer_blanks() -> None:
    listed = list_choices(Question("q", {}, CHOICES))
    assert listed == "A. the moon\nB. the Sun\nC. vitamin C\nD. A dog"


def test_there_is_a_letter_for_each_of_twenty_six_choices() -> None:
    listed = list_choices(Question("q", {}, tuple(map(str, range(26)))))
    assert listed.splitlines()[-1] == "Z. 25"


@pytest.mark.parametrize("count", [0, 1, 27])
def test_other_numbers_of_choices_are_refused(count: int) -> None:
    with pytest.raises(SettingsError, match=f"'q' has {count} choices, .*between 2 and 26.*--choice_by ending"):
        list_choices(Question("q", {}, ("x",) * count))


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("A", "0"),
        (" B\n", "1"),
        ("(C)", "2"),
        ("**D**", "3"),
        ("B.", "1"),
        ("B) the Sun", "1"),
        ("B. the sun", "1"),
        ("B: the sun, since C is none", None),
        ("C. vitamin C", "2"),
        ("C. vitamin C is one", "2"),
        ("D. A d", "3"),  # the reply was cut short
        ("Answer: B", "1"),
        ("The answer is A.", "0"),
        ("The answer is (A)", "0"),
        ("\n\nB\nC", "1"),
        ("A, because it shines", "0"),
        ("B - it shines", "1"),
    ],
)
def test_a_reply_that_begins_with_one_letter_names_its_choice(reply: str, label: str | None) -> None:
    assert parse_letter(reply, CHOICES) == label


@pytest.mark.parametrize(
    "reply",
    [
        "",
        " \n",
        "E",
        "b",
        "A dog",
        "A or B",
        "A, B",
        "A/B",
        "A. B",
        "AB",
        "A1",
        "the Sun",
        "I say B",
        "Not A",
        "Answer:",
    ],
)
def test_a_reply_that_does_not_clearly_name_one_letter_names_none(reply: str) -> None:
    assert parse_letter(reply, CHOICES) is None


def test_a_letter_beyond_the_choices_names_none() -> None:
    assert parse_letter("C", CHOICES[:2]) is None


@pytest.mark.parametrize(
    "reply", ["The sun. ", "Answer: the ", "E. ", "B\n", "\n\nA or B\n", "Because ", "The answer is not "]
)
def test_a_reply_is_settled_once_its_line_is_over_or_begins_otherwise(reply: str) -> None:
    assert is_letter_settled(reply, CHOICES)


@pytest.mark.parametrize(
    "reply", ["", "\n", "A", "The ", "The answer ", "**Answer:** ", "B. the ", "B, not A", "(C) vitamin "]
)
def test_a_reply_that_may_still_name_one_letter_or_another_is_not_settled(reply: str) -> None:
    assert not is_letter_settled(reply, CHOICES)


@pytest.mark.parametrize(
    "reply", ["The answer is A. the moon\nB", "It is B", "C. vitamin C or A\nA", "**Answer:** D", "\nA dog\n"]
)
def test_what_is_settled_is_never_read_otherwise_later(reply: str) -> None:
    settled = [at for at in range(len(reply)) if is_letter_settled(re.sub(r"\w*\Z", "", reply[:at]), CHOICES)]
    for at in settled:
        assert parse_letter(reply[:at], CHOICES) == parse_letter(reply, CHOICES)
