"""A task as DSPy's signature: names, instruction and typed labels come from the task and its prompt file alone."""

from __future__ import annotations

import keyword
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import dspy

from beatingbert.prompts.letters import LETTERS, list_choices
from beatingbert.prompts.template import Template
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.spec import Shape, Task

CHOICES, REASONING, LABEL = "choices", "reasoning", "label"
# What DSPy takes for itself among the arguments of a predictor, and what would name two fields alike.
TAKEN = {CHOICES, REASONING, LABEL, "completed", "signature", "new_signature", "demos", "config", "lm", "prediction"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Which fields a question is put into, and which words may stand in the answer.

    Attributes:
        fields: the task's text field to the signature's input field, in the order in which they are read.
        about: input field to its description; the words before it in the prompt file, none where there are none.
        instruction: the prompt file's instruction, with what its question says outside of fields.
        answer: description of the label; the prompt file's cue.
        words: label to the words that stand for it. For multiple choice position to letter, as many as any row has.
        long_field: the input field that may be cut.
        reasoning: whether a reason is written before the label.
        lists_choices: whether the choices are an input field of their own, and letters are the answers.
    """

    fields: Mapping[str, str]
    about: Mapping[str, str]
    instruction: str
    answer: str
    words: Mapping[str, str]
    long_field: str
    reasoning: bool
    lists_choices: bool

    @property
    def inputs(self) -> tuple[str, ...]:
        """The signature's input fields, in order."""
        return (*self.fields.values(), *([CHOICES] if self.lists_choices else []))

    @property
    def outputs(self) -> tuple[str, ...]:
        """The signature's output fields, in order."""
        return (REASONING, LABEL) if self.reasoning else (LABEL,)

    def put(self, question: Question) -> dict[str, str]:
        """Input field to text."""
        values = {name: question.texts[own].strip() for own, name in self.fields.items()}
        return values | ({CHOICES: list_choices(question)} if self.lists_choices else {})

    def solved(self, example: Example) -> dict[str, str]:
        """Input field to text, and the right label's words."""
        return self.put(example.question) | {LABEL: self.words[example.label]}

    def answers(self, inputs: Mapping[str, Any]) -> tuple[str, ...]:
        """The words to choose from for these inputs; of letters only those that are listed."""
        words = tuple(self.words.values())
        if not self.lists_choices:
            return words
        listed, count = f"\n{inputs[CHOICES]}", 0
        while count < len(words) and (at := listed.find(f"\n{words[count]}. ")) >= 0:
            listed, count = listed[at + 1 :], count + 1
        return words[:count]

    def label(self, word: str | None) -> str | None:
        """The label that the words stand for."""
        return next((label for label, known in self.words.items() if known == word), None)

    def signature(self, instruction: str | None = None) -> type[dspy.Signature]:
        """DSPy's own form of it."""
        fields: dict[str, Any] = {}
        for name in self.inputs:
            about = {"desc": self.about[name]} if name in self.about else {}
            fields[name] = (str, dspy.InputField(**about))
        if self.reasoning:
            fields[REASONING] = (str, dspy.OutputField(desc="a short reason for the label"))
        words: Any = Literal[tuple(self.words.values())]
        fields[LABEL] = (words, dspy.OutputField(**({"desc": self.answer} if self.answer else {})))
        said = self.instruction if instruction is None else instruction
        whole: type[dspy.Signature] = dspy.Signature(fields, said or " ")  # for none at all DSPy would make one up
        return whole


def form_of(
    task: Task, template: Template, *, reasoning: bool, most_choices: int = 0, has_question: bool = False
) -> Form:
    """The form of a task.

    Args:
        task: its fields and labels.
        template: its words.
        reasoning: whether a reason is written before the label.
        most_choices: of any question, for multiple choice.
        has_question: whether the words of the template's question will be asked as they are; else what they say besides
            the fields becomes part of the instruction.
    """
    lists = task.shape is Shape.CHOICE
    fields: dict[str, str] = {}
    for own in task.text_fields:
        fields[own] = _name(own, set(fields.values()))
    about, others = _read_question(template.question)
    words = dict(template.words)
    if lists:
        words = {str(at): LETTERS[at] for at in range(min(most_choices, len(LETTERS)))}
        others.append(f"Answer with the letter of one of the {CHOICES}.")
    return Form(
        fields=fields,
        about={fields[own]: said for own, said in about.items() if said},
        instruction="\n".join(filter(None, [template.instruction, *([] if has_question else others)])),
        answer=template.cue.strip().rstrip(":").strip(),
        words=words,
        long_field=fields[task.long_field],
        reasoning=reasoning,
        lists_choices=lists,
    )


def _read_question(text: str) -> tuple[dict[str, str], list[str]]:
    """Field to the words before it on its line, and the lines that hold no field."""
    about: dict[str, str] = {}
    others: list[str] = []
    for literal, own, _, _ in string.Formatter().parse(text):
        *lines, last = literal.split("\n")
        if own is not None:
            about[own] = last.strip().rstrip(":").strip() if re.search(r"\w", last) else ""
        elif lines:
            lines.append(last)
        # What comes first after a field is the rest of that field's line.
        others += [line.strip() for line in lines[1 if len(about) > (own is not None) else 0 :] if line.strip()]
    return about, others


def _name(own: str, used: set[str]) -> str:
    """A name that Python, pydantic and DSPy all take, as close to the task's own as may be."""
    name = re.sub(r"\W", "_", own).strip("_") or "text"
    name = f"text_{name}" if name[0].isdigit() else name
    while name in TAKEN | used or keyword.iskeyword(name) or hasattr(dspy.Signature, name):
        name += "_text"
    return name
