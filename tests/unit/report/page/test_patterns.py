import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatingbert.report.page.patterns import SHORTEST, fill, find_pattern

REVIEWS = ["a joy from start to end", "  a bore that never ends "]


def test_prompts_of_one_template_share_one_pattern() -> None:
    patterns = {find_pattern(f"Is it good?\nReview: {text.strip()}\nAnswer:", [text]) for text in REVIEWS}
    assert patterns == {("Is it good?\nReview: ", 0, "\nAnswer:")}


def test_a_longer_text_is_found_before_one_that_lies_in_it() -> None:
    premise, hypothesis = "the amish community is in ohio and elsewhere", "the amish community is in ohio"
    pattern = find_pattern(f"{premise}\nTrue? {hypothesis}", [hypothesis, premise])
    assert pattern == (1, "\nTrue? ", 0)


def test_a_text_that_stands_twice_is_put_in_twice() -> None:
    text = "a joy from start to end"
    assert find_pattern(f"{text}: A\n\n{text}: B", [text]) == (0, ": A\n\n", 0, ": B")


def test_a_short_text_and_one_that_was_cut_stay_in_words() -> None:
    short = "x" * (SHORTEST - 1)
    assert find_pattern(f"Say {short}", [short]) == (f"Say {short}",)
    assert find_pattern("Read: a joy from sta", ["a joy from start to end"]) == ("Read: a joy from sta",)


@pytest.mark.parametrize("prompt", ["", "Answer:"])
def test_a_prompt_without_its_texts_is_its_own_pattern(prompt: str) -> None:
    assert fill(find_pattern(prompt, REVIEWS), REVIEWS) == prompt


TEXT = st.text(alphabet="ab \n", max_size=30)


@given(st.lists(TEXT, max_size=4), st.lists(TEXT | st.integers(0, 3), max_size=6))
def test_filling_is_the_inverse_of_finding(texts: list[str], pieces: list[str | int]) -> None:
    prompt = "".join(texts[one % len(texts)] if isinstance(one, int) and texts else str(one) for one in pieces)
    assert fill(find_pattern(prompt, texts), texts) == prompt
