"""A prompt template: a plain text file that says in which words a task is asked and answered.

A file has these sections, each opened by its name in square brackets on a line of its own:

    [instruction]   said once, before everything else
    [question]      one question, with its fields in braces
    [cue]           what comes right before the answer, e.g. `Sentiment:`; may be left out
    [labels]        one line per label, `label: the words that stand for it`; for multiple choice `choice: {choice}`
    [filled]        for a task whose text has a blank (WinoGrande), and may be left out: all that is read where each
                    choice is put into the blank; it must end with the text that has it, e.g. `{sentence}`

Multiple choice can be asked in three forms, all from the same file (`Template.by_letter`, `Template.in_blank`):

- by ending: question and cue, then the words of each choice;
- by letter: question, then the choices as lines `A. ...`, then the cue (`Answer:` where the file has none); the answer
  is `choice: {choice}` with the letter as choice. The list is no part of the file: it is always the same;
- in the blank: [filled] up to its blank, which holds the choice; the answer is what comes after the blank, the same
  for every choice. Instruction, question and cue are not read. A file without [filled] is asked by ending instead.

An empty [instruction] is left out together with its blank line, so the bare questions of other projects can be asked.
Lines that start with '#' before the first section are comments. Blank lines around a section do not count.
Knows nothing of models: tokens, chat markup and truncation belong to the engine.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from beatingbert.errors import PromptError, UnknownNameError
from beatingbert.prompts.letters import LETTERS, list_choices
from beatingbert.tasks.example import Question
from beatingbert.tasks.spec import Blank, Shape, Task

SECTIONS = ("instruction", "question", "labels")
OPTIONAL = ("cue", "filled")
LETTER_CUE = "Answer:"  # before a letter, where the file has no cue: it cannot go on where a list stops


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A prompt file that has been read and fits its task.

    Attributes:
        name: the file's name without its ending.
        text: the whole file, kept for the record.
        instruction, question, cue: the sections of these names; an empty cue where there is none.
        words: label to the words that stand for it; {"choice": "{choice}"} for multiple choice.
        filled: the section of this name; empty where there is none.
        blank: the task's blank, where it has one.
        lists_choices: whether choices are asked by letter.
        fills_blank: whether each choice is put into the blank and what follows the blank is the answer.
    """

    name: str
    text: str
    instruction: str
    question: str
    cue: str
    words: Mapping[str, str]
    filled: str = ""
    blank: Blank | None = None
    lists_choices: bool = False
    fills_blank: bool = False

    @property
    def sha256(self) -> str:
        """Hash of the file's text, so that a record can say which wording was used."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def by_letter(self) -> Template:
        """The same template, asking multiple choice by letter."""
        return dataclasses.replace(self, cue=self.cue or LETTER_CUE, lists_choices=True)

    def in_blank(self) -> Template:
        """The same template, putting each choice into the blank."""
        return dataclasses.replace(self, instruction="", question=self.filled, cue="", fills_blank=True)

    def ask(self, question: Question, label: str | None = None, *, replace: Mapping[str, str] | None = None) -> str:
        """The question in words, without the cue.

        Args:
            question: what to ask.
            label: of the choice that is put into the blank, where the template fills it; of no account elsewhere.
            replace: field name to text that stands in for the question's own, e.g. a passage that was cut.
        """
        texts = {**question.texts, **(replace or {})}
        if self.fills_blank and self.blank is not None and label is not None:
            before, _ = self.blank.split(texts[self.blank.field])
            texts[self.blank.field] = before + question.choices[int(label)]
        asked = self.question.format_map({name: text.strip() for name, text in texts.items()})
        return f"{asked}\n{list_choices(question)}" if self.lists_choices else asked

    def answer(self, question: Question, label: str) -> str:
        """The words that stand for `label`, without a blank before them; a choice keeps the blanks it has."""
        if self.fills_blank and self.blank is not None:
            return self.blank.split(question.texts[self.blank.field])[1].strip()
        if question.choices:
            choice = LETTERS[int(label)] if self.lists_choices else question.choices[int(label)]
            return self.words["choice"].format(choice=choice)
        return self.words[label]


def load_template(task: Task, prompt_dir: Path | None = None) -> Template:
    """Read the task's prompt file: the one in `prompt_dir` if it has one, else the task's own, else the one shipped.

    Raises:
        PromptError: the folder does not exist, or the file lacks a section, names an unknown field or label,
            leaves out a field or label, or gives two labels the same words.
    """
    file_name = f"{task.prompt}.txt"
    if prompt_dir is not None:
        if not prompt_dir.is_dir():
            raise PromptError(f"prompt_dir {str(prompt_dir)!r} is no folder; expected one that may hold {file_name}")
        own = prompt_dir / file_name
        if own.is_file():
            return parse_template(own.read_text(encoding="utf-8"), task, source=str(own))
    text = shipped_text(task.prompt) if task.prompt_text is None else task.prompt_text
    return parse_template(text, task, source=file_name)


def shipped_text(name: str) -> str:
    """The shipped prompt file of this name, comments and all."""
    folder = files("beatingbert.prompts") / "texts"
    known = [entry.name.removesuffix(".txt") for entry in folder.iterdir() if entry.name.endswith(".txt")]
    if name not in known:
        raise UnknownNameError("prompt", name, known, "See 'beatingbert show prompts'.")
    return (folder / f"{name}.txt").read_text(encoding="utf-8")


def parse_template(text: str, task: Task, *, source: str) -> Template:
    """Read a template from its text and hold it against the task's declaration.

    Args:
        text: the whole file.
        task: whose fields and labels it must cover.
        source: the file's name, for messages.
    """
    parts = re.split(r"^\[(\w+)\][ \t]*$", text, flags=re.MULTILINE)
    sections = {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}
    if set(SECTIONS) - set(sections) or set(sections) - {*SECTIONS, *OPTIONAL} or len(parts) != 1 + 2 * len(sections):
        found = ", ".join(f"[{name}]" for name in parts[1::2]) or "none"
        raise PromptError(
            f"{source}: expected [instruction], [question], [cue] and [filled] if any, and [labels] once each; "
            f"found {found}"
        )
    _check_fields("[question]", sections["question"], set(task.text_fields), source)
    words = _read_words(sections["labels"], ("choice",) if task.shape is Shape.CHOICE else task.labels, source)
    if task.shape is Shape.CHOICE:
        _check_fields("the line 'choice:'", words["choice"], {"choice"}, source)
    if "filled" in sections:
        _check_filled(sections["filled"], task, source)
    return Template(
        name=task.prompt,
        text=text,
        instruction=sections["instruction"],
        question=sections["question"],
        cue=sections.get("cue", ""),
        words=words,
        filled=sections.get("filled", ""),
        blank=task.blank,
    )


def _check_fields(place: str, text: str, expected: set[str], source: str) -> None:
    try:
        fields = [field for field in string.Formatter().parse(text) if field[1] is not None]
    except ValueError as error:
        raise PromptError(f"{source}: unbalanced braces in {place} ({error}); a literal brace is {{{{") from error
    found = {str(name) for _, name, _, _ in fields}
    listed = ", ".join(f"{{{name}}}" for name in sorted(expected))
    if found != expected:
        raise PromptError(f"{source}: {place} must use exactly the fields {listed}, found {sorted(found)}")
    if any(form or conversion for _, _, form, conversion in fields):
        raise PromptError(f"{source}: {place} must name its fields exactly as {listed}, without ':' or '!'")


def _check_filled(text: str, task: Task, source: str) -> None:
    if task.blank is None:
        raise PromptError(f"{source}: [filled] is for a task whose text has a blank, which {task.name!r} has not")
    _check_fields("[filled]", text, set(task.text_fields), source)
    if not text.endswith(f"{{{task.blank.field}}}"):
        raise PromptError(
            f"{source}: [filled] must end with {{{task.blank.field}}}, because what follows the blank is the answer"
        )


def _read_words(section: str, labels: tuple[str, ...], source: str) -> dict[str, str]:
    words: dict[str, str] = {}
    for line in filter(None, map(str.strip, section.splitlines())):
        label, colon, value = _label_and_words(line, labels)
        if not colon or not value or label in words:
            raise PromptError(f"{source}: [labels] needs one line 'label: words' per label, found {line!r}")
        words[label] = value
    if set(words) != set(labels):
        found = ", ".join(words) or "none"
        raise PromptError(f"{source}: [labels] must name exactly {', '.join(labels)}, found {found}")
    if len({value.casefold() for value in words.values()}) < len(words):
        raise PromptError(f"{source}: two labels have the same words, so an answer could not be told apart: {words}")
    return {label: words[label] for label in labels}


def _label_and_words(line: str, labels: tuple[str, ...]) -> tuple[str, str, str]:
    """A line at its colon; a label that holds a colon itself (`DESC:manner`) is known by its whole name."""
    for label in sorted(labels, key=len, reverse=True):
        if line.startswith(f"{label}:") or line.startswith(f"{label} :"):
            return label, ":", line.removeprefix(label).lstrip().removeprefix(":").strip()
    label, colon, words = (part.strip() for part in line.partition(":"))
    return label, colon, words
