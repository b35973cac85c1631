from typing import Any, get_args

import dspy
import pytest

from beatingbert.engines.optimized.signature import Form, form_of
from beatingbert.prompts.template import load_template, parse_template
from beatingbert.tasks.catalog import TASKS, find_task
from beatingbert.tasks.example import Question
from engines.optimized.parrots import sentiment_form
from tiny_tasks import science


def form(task: str, **more: Any) -> Form:
    found = find_task(task)
    return form_of(found, load_template(found), **({"reasoning": False, "most_choices": 4} | more))


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_signature_made_of_its_own_declaration(name: str) -> None:
    task, made = TASKS[name], form(name)
    signature = made.signature()
    assert list(made.fields) == list(task.text_fields)
    assert tuple(signature.input_fields) == made.inputs
    assert tuple(signature.output_fields) == ("label",)
    words = get_args(signature.output_fields["label"].annotation)
    template = load_template(task)
    assert words == (tuple(template.words.values()) if task.labels else ("A", "B", "C", "D"))
    assert signature.instructions.startswith(template.instruction)
    assert made.long_field == made.fields[task.long_field]


def test_what_the_prompt_file_says_around_its_fields_is_not_lost() -> None:
    signature = form("rte").signature()
    assert signature.instructions == (
        "Decide whether the hypothesis follows from the premise.\n"
        "Does the hypothesis follow from the premise, yes or no?"
    )
    described = {name: field.json_schema_extra["desc"] for name, field in signature.fields.items()}
    assert described == {"sentence1": "Premise", "sentence2": "Hypothesis", "label": "Answer"}


def test_a_reason_comes_before_the_label() -> None:
    assert tuple(sentiment_form(reasoning=True).signature().output_fields) == ("reasoning", "label")


def test_the_users_own_prompt_file_is_what_is_used() -> None:
    own = (
        "[instruction]\nHow is it?\n[question]\nSomebody wrote:\n{sentence}\n[labels]\nnegative: bad\npositive: good\n"
    )
    task = find_task("sst2")
    made = form_of(task, parse_template(own, task, source="own"), reasoning=False)
    assert made.instruction == "How is it?\nSomebody wrote:"
    assert made.words == {"negative": "bad", "positive": "good"}
    assert (made.about, made.answer) == ({}, "")
    assert dspy.ChatAdapter().format(made.signature(), [], {"sentence": "x"})


def test_only_the_letters_of_a_questions_own_choices_may_be_chosen() -> None:
    made = form("arc_challenge", most_choices=5)
    for row in science(8):
        letters = made.answers(made.put(row.question))
        assert letters == tuple("ABCDE"[: len(row.question.choices)])
        assert made.solved(row)["label"] == "ABCDE"[int(row.label)]


def test_a_choice_with_lines_that_look_like_choices_adds_none() -> None:
    made = form("arc_challenge", most_choices=5)
    question = Question("1", {"question": "which?"}, ("one\nC. not a choice", "two"))
    assert made.answers(made.put(question)) == ("A", "B")


def test_field_names_that_dspy_takes_for_itself_are_changed() -> None:
    import dataclasses

    fields = ("label", "demos", "class", "1 st text", "schema")
    task = dataclasses.replace(
        find_task("sst2"), text_fields=fields, long_field="label", name="own", shape=find_task("sst2").shape
    )
    question = "\n".join(f"{{{name}}}" for name in fields)
    text = f"[instruction]\nSay.\n[question]\n{question}\n[labels]\nnegative: no\npositive: yes\n"
    made = form_of(task, parse_template(text, task, source="own"), reasoning=False)
    names = list(made.fields.values())
    assert len(set(names)) == len(fields)
    assert all(name.isidentifier() for name in names)
    assert made.put(Question("1", dict.fromkeys(fields, "x"))) == dict.fromkeys(names, "x")
    predict = dspy.Predict(made.signature())
    assert tuple(predict.signature.input_fields) == tuple(names)
