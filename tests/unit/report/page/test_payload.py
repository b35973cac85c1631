import json
from dataclasses import replace
from typing import Any

import pytest

from beatingbert.errors import MisalignedError
from beatingbert.report.page.data import PageData, Sheet
from beatingbert.report.page.payload import PROMPT_CHARACTERS, TEXT_CHARACTERS, build_payload, cut
from tiny_pages import LABELS, RUNS, row, sheet, small_page


def page_of(*sheets: Sheet) -> PageData:
    return replace(small_page(), sheets=sheets)


def large_sheet(name: str, rows: int) -> Sheet:
    """Of every three rows the first is got right by some, the second by nobody in one way, the third in two ways."""
    texts = [f"{name} row {at:04d} of a data set with long texts " + "x" * 200 for at in range(rows)]
    ways = (("negative", "positive", "positive"), ("positive",) * 3, ("positive", "positive", "neutral"))
    answers = {text: ways[at % 3] for at, text in enumerate(texts)}
    return sheet(answers, dict.fromkeys(texts, "negative"), name=name)


def prompt_of(packed: dict[str, Any], question: dict[str, Any], run: int) -> str:
    """What the page's script makes of a pattern."""
    pattern = packed["patterns"][question["answers"][run][3]]
    return "".join(
        question["texts"][-1 - one].strip(" \t\r\n") if one < 0 else packed["pieces"][one] for one in pattern
    )


def test_a_row_is_kept_once_with_every_runs_answer() -> None:
    (packed,) = build_payload(small_page())["sheets"]
    assert [run["name"] for run in packed["runs"]] == list(RUNS)
    first = packed["questions"][0]
    assert first["texts"] == ["a bore that never ends "]
    assert packed["labels"][first["gold"]] == "negative"
    assert [packed["labels"][answer[0]] for answer in first["answers"]] == ["negative", "positive", "positive"]
    own = first["answers"][1]
    assert dict(zip(packed["labels"], own[1], strict=True)) == {"positive": 0.9, "negative": 0.1}
    assert own[2] == " positive"


def test_prompts_are_kept_as_one_pattern_and_come_back_word_for_word() -> None:
    data = small_page()
    (packed,) = build_payload(data)["sheets"]
    assert len(packed["patterns"]) == 1
    wanted = [one.answers[1].prompt for one in data.sheets[0].questions]
    assert [prompt_of(packed, one, 1) for one in packed["questions"]] == wanted
    assert all(one["answers"][0][3] == -1 for one in packed["questions"])


def test_the_payload_is_plain_json_without_nan() -> None:
    assert json.loads(json.dumps(build_payload(small_page()), allow_nan=False))["rows"][0]["accuracy"] == [
        0.75,
        0.5,
        0.9,
    ]


@pytest.mark.parametrize("characters", [0, 5_000, 50_000])
def test_the_browser_takes_no_more_characters_than_it_may(characters: int) -> None:
    data = page_of(large_sheet("one", 300), large_sheet("two", 300))
    sheets = build_payload(data, characters=characters)["sheets"]
    texts = [text for packed in sheets for one in packed["questions"] for text in one["texts"]]
    assert sum(map(len, texts)) <= characters
    assert bool(texts) is (characters > 0)
    assert len(json.dumps(sheets)) < 2 * characters + 2_000


def test_rows_on_which_runs_differ_are_carried_first_and_shown_in_the_datas_order() -> None:
    whole = large_sheet("one", 30)
    (packed,) = build_payload(page_of(whole), characters=5_000)["sheets"]
    ids = [int(one["id"]) for one in packed["questions"]]
    assert ids == sorted(ids)
    assert {at for at in range(30) if at % 3 == 0} < set(ids)
    assert {at % 3 for at in ids} == {0, 2}


def test_what_one_sheet_leaves_the_next_one_gets() -> None:
    small, large = large_sheet("one", 3), large_sheet("two", 300)
    alone = build_payload(page_of(large, large), characters=20_000)["sheets"][0]["questions"]
    after = build_payload(page_of(small, large), characters=20_000)["sheets"][1]["questions"]
    assert len(after) > 1.5 * len(alone)


def test_counts_are_those_of_all_rows_even_if_none_is_carried() -> None:
    whole = large_sheet("one", 30)
    (packed,) = build_payload(page_of(whole), characters=0)["sheets"]
    assert packed["questions"] == []
    assert packed["wrongRows"] == 30
    assert packed["pairs"][0] == [0, 1, 10, 0, 20, 10]


def test_long_texts_are_cut_and_say_by_how_much() -> None:
    assert cut("x" * 10, 10) == "x" * 10
    assert cut("x" * 1_010, 10) == "x" * 10 + " … [1,000 more characters are left out of this page]"
    long = "y" * (TEXT_CHARACTERS + 7)
    (packed,) = build_payload(page_of(sheet({long: ("positive",) * 3}, {long: "negative"})))["sheets"]
    assert packed["questions"][0]["texts"][0].endswith("[7 more characters are left out of this page]")


def test_a_long_prompt_is_cut_too() -> None:
    whole = small_page().sheets[0]
    question = whole.questions[0]
    long = replace(question.answers[1], prompt="z" * (PROMPT_CHARACTERS + 1))
    questions = (replace(question, answers=(question.answers[0], long, question.answers[2])),)
    (packed,) = build_payload(page_of(replace(whole, questions=questions)))["sheets"]
    assert packed["pieces"][0].endswith("[1 more characters are left out of this page]")


def test_a_choice_can_be_put_into_a_prompt_as_a_text_can() -> None:
    whole = small_page().sheets[0]
    choices = ("she opens the door and leaves", "she sits down and reads")
    prompted = replace(whole.questions[0].answers[1], prompt=f"What next?\n{choices[0]}\n{choices[1]}")
    question = replace(whole.questions[0], choices=choices, answers=(prompted,) * 3)
    (packed,) = build_payload(page_of(replace(whole, questions=(question,))))["sheets"]
    assert packed["pieces"] == ["What next?\n", "\n"]
    assert prompt_of(packed, packed["questions"][0], 0) == prompted.prompt


def test_a_question_without_an_answer_of_each_run_is_refused() -> None:
    whole = small_page().sheets[0]
    short = replace(whole.questions[0], answers=whole.questions[0].answers[:2])
    with pytest.raises(MisalignedError, match="has 2 answers for 3 runs"):
        replace(whole, questions=(short,))


def test_every_label_has_a_name_and_a_price_may_be_missing() -> None:
    data = replace(small_page(), rows=(row(cost_per_million=None),))
    payload = build_payload(data)
    assert payload["rows"][0]["price"] is None
    assert set(LABELS) <= set(payload["sheets"][0]["labels"])
