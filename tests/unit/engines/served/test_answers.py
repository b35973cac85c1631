import math

import pytest

from beatingbert.engines.served.answers import normalised, read_beginnings, read_choice, read_echoes, told_apart
from beatingbert.engines.served.client import Token

SENTIMENT = {"negative": "negative", "positive": "positive"}
NLI = {"e": "entailment", "n": "neutral", "g": "negation"}


def token(text: str, probability: float, **others: float) -> Token:
    """A token with others in its place; in their names a blank is written as two underscores."""
    listed = {text: probability} | {name.replace("__", " "): value for name, value in others.items()}
    return Token(text, math.log(probability), tuple((one, math.log(value)) for one, value in listed.items()))


def probabilities(tokens: list[Token], words: dict[str, str]) -> dict[str, float] | None:
    found = read_beginnings(tokens, words)
    return None if found is None else {label: math.exp(value) for label, value in found.items()}


def test_every_spelling_of_a_labels_beginning_counts_for_it() -> None:
    found = probabilities([token(" positive", 0.5, Positive=0.1, pos=0.05, __Negative=0.2, The=0.1)], SENTIMENT)
    assert found == pytest.approx({"positive": 0.65, "negative": 0.2})


def test_words_that_merely_begin_like_a_label_do_not_count() -> None:
    found = probabilities([token("positive", 0.5, positively=0.2, negative=0.1, negatives=0.05)], SENTIMENT)
    assert found == pytest.approx({"positive": 0.5, "negative": 0.1})


def test_the_written_token_counts_also_where_the_server_lists_only_others() -> None:
    first = Token("negative", math.log(0.4), ((" positive", math.log(0.3)),))
    assert probabilities([first], SENTIMENT) == pytest.approx({"negative": 0.4, "positive": 0.3})


def test_a_label_that_is_not_listed_gets_the_most_it_could_have() -> None:
    found = probabilities([token("positive", 0.6, The=0.3, A=0.06)], SENTIMENT)
    assert found == pytest.approx({"positive": 0.6, "negative": 0.04})  # what is left over
    found = probabilities([token("The", 0.6, A=0.2, positive=0.02)], SENTIMENT)
    assert found == pytest.approx({"positive": 0.02, "negative": 0.02}, rel=2e-3)  # less than the least that is listed
    assert found is not None
    assert found["positive"] > found["negative"]


def test_a_beginning_that_two_labels_share_is_followed_to_where_they_part() -> None:
    first = token("ne", 0.6, ent=0.3)
    second = token("utral", 0.7, gation=0.2)
    found = probabilities([first, second], NLI)
    assert found == pytest.approx({"e": 0.3, "n": 0.42, "g": 0.12})
    assert read_beginnings([first], NLI) is None  # more has to be asked for


def test_blanks_and_line_breaks_before_the_answer_are_waited_out() -> None:
    assert read_beginnings([token("\n", 0.9, positive=0.05)], SENTIMENT) is None
    found = probabilities([token("\n", 0.9, positive=0.05), token("negative", 0.8, positive=0.1)], SENTIMENT)
    assert found == pytest.approx({"negative": 0.72, "positive": 0.14})


def test_blanks_as_tokenizers_write_them_are_blanks() -> None:
    found = probabilities([Token("\u2581positive", math.log(0.5), (("\u0120negative", math.log(0.4)),))], SENTIMENT)
    assert found == pytest.approx({"positive": 0.5, "negative": 0.4})


def test_where_no_label_is_listed_there_are_no_probabilities() -> None:
    assert read_beginnings([token("The", 0.6, A=0.3)], SENTIMENT) is None
    assert read_beginnings([], SENTIMENT) is None


def test_letters_are_not_found_in_words() -> None:
    found = probabilities([token("A", 0.4, Answer=0.3, __B=0.2)], {"0": "A", "1": "B"})
    assert found == pytest.approx({"0": 0.4, "1": 0.2})


def test_labels_are_told_apart_unless_one_begins_with_all_of_another() -> None:
    assert told_apart(SENTIMENT)
    assert told_apart({"a": "equivalent", "b": "not equivalent"})
    assert told_apart({"a": "positive", "b": "positively"})
    assert not told_apart({"a": "yes", "b": "Yes, but"})
    assert not told_apart({"a": "yes", "b": " "})


def test_echoes_are_compared_where_they_part() -> None:
    prompt = [Token("Is it", 0.0), Token(" so?", -1.0)]
    found = read_echoes({"y": [*prompt, Token(" yes", -0.5)], "n": [*prompt, Token(" no", -2.0), Token("pe", -0.25)]})
    assert found == {"y": -0.5, "n": -2.25}


def test_what_echoed_labels_share_changes_no_comparison() -> None:
    prompt = [Token("Is it", 0.0), Token(" not", -3.0)]
    found = read_echoes({"a": [*prompt, Token(" a", -0.5)], "b": [*prompt, Token(" b", -1.5)]})
    assert normalised(found)["a"] == pytest.approx(1 / (1 + math.exp(-1)))


def test_probabilities_sum_to_one_however_small_they_are() -> None:
    found = normalised({"a": -2000.0, "b": -2000.0 + math.log(3)})
    assert found == pytest.approx({"a": 0.25, "b": 0.75})


def test_a_choice_is_one_of_the_list_or_none() -> None:
    assert read_choice(" positive\n", SENTIMENT) == "positive"
    assert read_choice("posit", SENTIMENT) is None
    assert read_choice("Positive", SENTIMENT) is None
