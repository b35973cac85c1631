"""The prompt file of a task of one's own: written once, from the labels and what the user says of them.

It is an ordinary prompt file, so whoever knows better words puts them in and asks again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from beatingbert.errors import PromptError
from beatingbert.prompts.template import Template, parse_template
from beatingbert.tasks.spec import Shape, Task

ONE, TWO = "Choose the label that fits the text best.", "Choose the label that fits the two texts best."
SECTION = re.compile(r"^(?=\[\w+\]\s*$)", flags=re.MULTILINE)


def write_prompt(task: Task, folder: Path, descriptions: Mapping[str, str] | None = None) -> Template:
    """Write `folder`/NAME.txt, where `load_template` looks, and return what it says.

    Args:
        task: with labels; not multiple choice.
        folder: made if it is not there.
        descriptions: label to what it means, shown once before the questions; a label may be left out.

    Raises:
        PromptError: a description of no label, or two labels that differ in nothing that can be said.
    """
    text = prompt_text(task, descriptions or {})
    template = parse_template(text, task, source=f"{task.prompt}.txt")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{task.prompt}.txt").write_text(text, encoding="utf-8")
    return template


def prompt_text(task: Task, descriptions: Mapping[str, str]) -> str:
    """The file's text."""
    unknown = [label for label in descriptions if label not in task.labels]
    if unknown:
        raise PromptError(
            f"label descriptions: {unknown[0]!r} is none of the task's labels ({', '.join(task.labels)}); "
            "take it out or write it as the table does"
        )
    words = say_labels(task.labels)
    told = [f"- {words[label]}: {_line(descriptions[label])}" for label in task.labels if descriptions.get(label)]
    rest = [words[label] for label in task.labels if not descriptions.get(label)]
    listed = [*told, *([f"{'Other labels' if told else 'Labels'}: {'; '.join(rest)}."] if rest else [])]
    pair = task.shape is Shape.PAIR
    shown = ["Text 1", "Text 2"] if pair else ["Text"]
    question = "\n".join(f"{name}: {{{field}}}" for name, field in zip(shown, task.text_fields, strict=True))
    lines = "\n".join(f"{json.dumps(label, ensure_ascii=False)}: {words[label]}" for label in task.labels)
    instruction = SECTION.sub(" ", "\n".join([TWO if pair else ONE, *listed]))
    return f"[instruction]\n{instruction}\n\n[question]\n{question}\n\n[cue]\nLabel:\n\n[labels]\n{lines}\n"


def say_labels(labels: tuple[str, ...]) -> dict[str, str]:
    """Label to words that a model can read: `card_arrival` is `card arrival`; as they are where that would join two."""
    said = {label: " ".join(re.sub(r"[_\s]+", " ", label).split()) or label for label in labels}
    if len({words.casefold() for words in said.values()}) == len(labels) and all(said.values()):
        return said
    plain = {label: _line(label) for label in labels}
    if len({words.casefold() for words in plain.values()}) < len(labels):
        # Labels that differ in nothing but case or blanks: numbered, for an answer must tell them apart.
        return {label: f"{words} ({number})" for number, (label, words) in enumerate(plain.items(), start=1)}
    return plain


def _line(text: str) -> str:
    return " ".join(text.split())
