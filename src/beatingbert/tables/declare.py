"""A user's table as a task, with a prompt made from its labels and columns."""

from __future__ import annotations

import re
from collections.abc import Mapping

from beatingbert.prompts.declared import declared_prompt
from beatingbert.tables.look import Look
from beatingbert.tables.naming import field_name, in_words
from beatingbert.tables.own import OwnData
from beatingbert.tasks.catalog import TASKS
from beatingbert.tasks.spec import Shape, Task


def declare(own: OwnData, looked: Look, label_descriptions: Mapping[str, str] | None = None) -> Task:
    """The task that the table's columns make.

    Its labels stand in their natural order ("2" before "10"), so that the order says nothing about the rows.

    Raises:
        PromptError: a description of no label.
    """
    columns = [own.columns.text, *filter(None, [own.columns.text_pair])]
    fields = [field_name(columns[0])]
    fields += [field_name(column, fields[0]) for column in columns[1:]]
    labels = tuple(sorted({label for counts in looked.classes.values() for label in counts}, key=_natural))
    rows = [row for part in looked.parts.values() for row in part]
    letters = [sum(len(row.texts[at]) for row in rows) for at in range(len(fields))]
    headings = ["Text" if re.fullmatch(r"column \d+|v\d+|text", name) else in_words(name) for name in columns]
    if len(set(headings)) < len(headings):
        headings = ["Text 1", "Text 2"]
    name = f"own_{own.name}" if own.name in TASKS else own.name
    return Task(
        name=name,
        title=name,
        shape=Shape.PAIR if len(fields) == 2 else Shape.SINGLE,
        text_fields=tuple(fields),
        long_field=fields[letters.index(max(letters))],
        labels=labels,
        label_column=own.columns.label,
        evaluation=("test",),
        test=None,
        prompt=name,
        prompt_text=declared_prompt(
            dict(zip(fields, headings, strict=True)), {label: in_words(label) for label in labels}, label_descriptions
        ),
        licence="yours",
    )


def _natural(label: str) -> list[tuple[int, int, str]]:
    """Numbers in a name by their amount: 'class 2' before 'class 10'."""
    return [
        (0, int(part), "") if part.isdecimal() and part.isascii() else (1, 0, part)
        for part in re.split(r"(\d+)", label)
    ]
