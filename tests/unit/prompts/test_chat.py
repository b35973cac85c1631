from __future__ import annotations

import pytest

from beatingbert.prompts.chat import chat_turns, running_text
from beatingbert.prompts.template import parse_template, shipped_text
from beatingbert.tasks.catalog import find_task
from tiny_tasks import sentiment

SST2 = find_task("sst2")
SHIPPED = shipped_text("sst2")
WITHOUT_CUE = SHIPPED.replace("[cue]\nSentiment:\n\n", "")
SHOWN, ASKED = sentiment(2), sentiment(1, start=50)[0].question


@pytest.mark.parametrize("text", [SHIPPED, WITHOUT_CUE], ids=["cue", "no cue"])
def test_the_prompt_goes_on_as_the_demonstrations_did(text: str) -> None:
    """What a demonstration says after its question begins with what the prompt ends with."""
    template = parse_template(text, SST2, source="x")
    solved = running_text(template, [SHOWN[0]], SHOWN[1].question)
    end_of_prompt = running_text(template, [], SHOWN[0].question).removeprefix(template.instruction)
    assert f"{end_of_prompt} {template.answer(SHOWN[0].question, SHOWN[0].label)}\n\n" in solved


@pytest.mark.parametrize("text", [SHIPPED, WITHOUT_CUE], ids=["cue", "no cue"])
def test_an_assistant_turn_is_cue_and_answer(text: str) -> None:
    template = parse_template(text, SST2, source="x")
    turns = chat_turns(template, SHOWN, ASKED)
    answers = [turn["content"] for turn in turns if turn["role"] == "assistant"]
    assert answers == [f"{template.cue} {example.label}".strip() for example in SHOWN]


def test_the_instruction_is_said_once_and_first() -> None:
    template = parse_template(SHIPPED, SST2, source="x")
    turns = chat_turns(template, SHOWN, ASKED)
    assert turns[0]["content"].startswith(template.instruction)
    assert sum(template.instruction in turn["content"] for turn in turns) == 1
    assert running_text(template, SHOWN, ASKED).count(template.instruction) == 1


def test_only_the_question_is_replaced_and_not_the_demonstrations() -> None:
    template = parse_template(SHIPPED, SST2, source="x")
    text = running_text(template, SHOWN, ASKED, replace={"sentence": "cut"})
    assert text.endswith("Review: cut\nSentiment:")
    assert all(example.question.texts["sentence"] in text for example in SHOWN)


def test_an_empty_instruction_leaves_no_gap() -> None:
    template = parse_template(SHIPPED.replace("Classify the sentiment of the movie review.\n", ""), SST2, source="x")
    assert template.instruction == ""
    assert running_text(template, [], ASKED).startswith("Review: ")
    assert chat_turns(template, [], ASKED)[0]["content"].startswith("Review: ")


@pytest.mark.parametrize("text", [SHIPPED, WITHOUT_CUE], ids=["cue", "no cue"])
def test_where_the_models_turn_cannot_be_opened_the_cue_ends_each_question(text: str) -> None:
    template = parse_template(text, SST2, source="x")
    turns = chat_turns(template, SHOWN, ASKED, cue_ends_question=True)
    assert [turn["content"] for turn in turns if turn["role"] == "assistant"] == [example.label for example in SHOWN]
    asked = [turn["content"] for turn in turns if turn["role"] == "user"]
    assert all(content.endswith(f"\n{template.cue}" if template.cue else "") for content in asked)
    assert sum(content.count("Sentiment:") for content in asked) == (3 if template.cue else 0)
