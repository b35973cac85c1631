"""A prompt as turns of a conversation or as one running text. Chat markup itself is the tokenizer's business."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from beatingbert.prompts.template import Template
from beatingbert.tasks.example import Example, Question

GAP = "\n\n"  # between instruction, demonstrations and question


def chat_turns(
    template: Template,
    demonstrations: Sequence[Example],
    question: Question,
    label: str | None = None,
    *,
    replace: Mapping[str, str] | None = None,
    cue_ends_question: bool = False,
) -> list[dict[str, str]]:
    """Messages for a chat model, ending with the user's question.

    Each demonstration is a user turn and an assistant turn, which opens with the cue as the model's own answer will.
    The instruction opens the first user turn, because some chat templates (Gemma's) know no system role. `label` is
    that of the choice that is put into the question's blank, where the template fills it. Where the model's own turn
    cannot be opened for it, the cue ends the user's turn instead (`cue_ends_question`).
    """
    tail = f"\n{template.cue}" if cue_ends_question and template.cue else ""
    turns: list[dict[str, str]] = []
    for example in demonstrations:
        turns.append({"role": "user", "content": template.ask(example.question, example.label) + tail})
        answer = template.answer(example.question, example.label)
        turns.append({"role": "assistant", "content": answer if cue_ends_question else cued(template, answer)})
    turns.append({"role": "user", "content": template.ask(question, label, replace=replace) + tail})
    turns[0]["content"] = _joined([template.instruction, turns[0]["content"]])
    return turns


def running_text(
    template: Template,
    demonstrations: Sequence[Example],
    question: Question,
    label: str | None = None,
    *,
    replace: Mapping[str, str] | None = None,
) -> str:
    """One text for a model without chat template; the answer would follow after a blank. `label` as in `chat_turns`."""
    line = "\n" if template.cue else " "  # without a cue the answer goes on where the question stops
    solved = [
        template.ask(one.question, one.label) + line + cued(template, template.answer(one.question, one.label))
        for one in demonstrations
    ]
    asked = template.ask(question, label, replace=replace) + (line + template.cue if template.cue else "")
    return _joined([template.instruction, *solved, asked])


def _joined(parts: Sequence[str]) -> str:
    """The parts that say something, with a blank line between them."""
    return GAP.join(part for part in parts if part)


def cued(template: Template, answer: str) -> str:
    """The answer after its cue."""
    return f"{template.cue} {answer}" if template.cue else answer
