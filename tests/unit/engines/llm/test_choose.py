"""The two rules, held against numbers worked out by hand."""

from __future__ import annotations

import pytest

from beatingbert.engines.llm.choose import best, labels_by_rule, per_character
from beatingbert.tasks.example import Question

# Lengths 4, 10 and 5 characters (the last is 7 bytes); -8/4 = -2, -10/10 = -1, -6/5 = -1.2.
QUESTION = Question("q", {}, ("rain", "heavy rain", "d\u00e9g\u00e2t"))
LOG_LIKELIHOODS = {"0": -8.0, "1": -10.0, "2": -6.0}


def test_each_rule_takes_its_own_choice() -> None:
    assert per_character(LOG_LIKELIHOODS, QUESTION) == pytest.approx({"0": -2.0, "1": -1.0, "2": -1.2})
    assert labels_by_rule(LOG_LIKELIHOODS, QUESTION, fills_blank=False) == {"acc": "2", "acc_norm": "1"}


def test_blanks_of_the_choice_itself_count() -> None:
    question = Question("q", {}, (" rain", "rain"))
    assert per_character({"0": -5.0, "1": -5.0}, question) == {"0": -1.0, "1": -1.25}


def test_what_follows_a_blank_has_one_length_so_there_is_one_rule() -> None:
    assert labels_by_rule(LOG_LIKELIHOODS, QUESTION, fills_blank=True) == {"acc": "2"}


def test_of_equal_choices_the_first_is_taken() -> None:
    assert best({"0": -3.0, "1": -2.0, "2": -2.0}) == "1"


def test_an_empty_choice_is_no_division_by_zero() -> None:
    assert per_character({"0": -5.0, "1": -4.0}, Question("q", {}, ("", "ab"))) == {"0": -5.0, "1": -2.0}
