"""From a row as it is stored to a question and its label. Knows a task's columns, not where the row came from.

Texts are kept exactly as they are stored, unless the task declares how its rows are prepared: outer blanks and line
ends may matter to a tokenizer or a prompt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from beatingbert.errors import DataError
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.spec import Shape, Task

HIDDEN_LABELS = ("", "-1")  # how published test splits hide a label; so do null and NaN


class MissingSplitError(DataError):
    """The place that holds the task's rows has no such split."""


@dataclass(frozen=True, slots=True)
class StoredRow:
    """One row as it lies in its file.

    Attributes:
        number: 1-based, header excluded.
        line: 1-based line of the file on which the row starts; None where the format has no lines.
        cells: column name to value.
    """

    number: int
    line: int | None
    cells: Mapping[str, Any]

    def place(self, file: str) -> str:
        """`file`, row 3 (line 4)."""
        return f"{file}, row {self.number}" + (f" (line {self.line})" if self.line is not None else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """One split, read.

    Attributes:
        labelled: rows that can be scored, in the order of the file.
        unlabelled: rows whose label is hidden, in the order of the file.
        questions: all of them, in the order of the file.
        file: file name or hub id, never a path of this machine.
        partial: True where a sample stands in for the split.
        sha256: of the file's bytes, where there is one file.
    """

    labelled: list[Example]
    unlabelled: list[Question]
    questions: list[Question]
    file: str
    partial: bool = False
    sha256: str | None = None


def decode_rows(task: Task, stored: Iterable[StoredRow], *, file: str, source: str, **about: Any) -> Rows:
    """Questions and labels of one split.

    A question's id is its `idx` where every row has one and no two are equal, else its 0-based position.

    Args:
        task: names the columns.
        stored: the rows, in order.
        file: goes into the record; holds no path.
        source: goes into messages: the file's full path, or what else finds the rows.
        about: `partial` and `sha256` of `Rows`.

    Raises:
        DataError: no row at all, a missing column, a text that is none, a label that the task does not have.
    """
    rows = list(stored)
    if not rows:
        raise DataError(f"{source} holds no rows; expected at least one with {_columns(task)}")
    labelled: list[Example] = []
    unlabelled: list[Question] = []
    questions: list[Question] = []
    for row, identity in zip(rows, _question_ids(rows), strict=True):
        place = row.place(source)
        row = _prepared(task, row)
        question, names = _question(task, row, identity, place)
        label = _label(task, row, names, place)
        questions.append(question)
        if label is None:
            unlabelled.append(question)
        else:
            labelled.append(Example(question, label))
    return Rows(labelled=labelled, unlabelled=unlabelled, questions=questions, file=file, **about)


def decode_question(task: Task, row: StoredRow, *, source: str) -> Question:
    """The question of a row that need not have a label; its id is the row's 0-based position.

    Raises:
        DataError: a missing column, or a text that is none.
    """
    return _question(task, _prepared(task, row), str(row.number - 1), row.place(source))[0]


def _prepared(task: Task, row: StoredRow) -> StoredRow:
    return row if task.prepare is None else replace(row, cells=task.prepare(row.cells))


def _question(task: Task, row: StoredRow, identity: str, place: str) -> tuple[Question, tuple[str, ...]]:
    """The question, and how the label column names its choices."""
    texts = {field: _text(row, field, place) for field in task.text_fields}
    _check_blank(task, texts, place)
    choices, names = _choices(task, row, place)
    return Question(identity, texts, choices), names


def _columns(task: Task) -> str:
    """The columns a row must have, for messages."""
    labels = " or ".join((task.label_column, *task.other_label_columns))
    return "columns " + ", ".join((*task.text_fields, *task.choice_columns, labels))


def _question_ids(rows: list[StoredRow]) -> list[str]:
    found = [row.cells.get("idx") for row in rows]
    names = [str(value) for value in found]
    if any(value is None or value == "" for value in found) or len(set(names)) < len(names):
        return [str(position) for position in range(len(rows))]
    return names


def _cell(row: StoredRow, column: str, place: str) -> Any:
    if column not in row.cells:
        raise DataError(f"{place}: column {column!r} is missing; found {', '.join(map(str, row.cells)) or 'none'}")
    return row.cells[column]


def _text(row: StoredRow, column: str, place: str) -> str:
    found = column if column in row.cells else _alike(column, tuple(row.cells))
    return _checked_text(_cell(row, found, place), column, place)


@lru_cache(maxsize=64)
def _alike(field: str, columns: tuple[str, ...]) -> str:
    """The one column that is the field but for what a field's name cannot hold: 'Review Text' is 'Review_Text'."""
    alike = [one for one in columns if isinstance(one, str) and re.sub(r"\W+", "_", one).strip("_") == field]
    return alike[0] if len(alike) == 1 else field


def _checked_text(value: Any, what: str, place: str) -> str:
    if not isinstance(value, str):
        raise DataError(f"{place}: expected text in {what!r}, found {_shown(value)} ({type(value).__name__})")
    if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise DataError(f"{place}: expected text in {what!r}, found half of a surrogate pair in {_shown(value)}")
    return value


def _check_blank(task: Task, texts: Mapping[str, str], place: str) -> None:
    if task.blank is not None:
        try:
            task.blank.split(texts[task.blank.field])
        except DataError as error:
            raise DataError(f"{place}: {error}") from error


def _shown(value: Any) -> str:
    """A value for a message, short enough for one line."""
    text = ascii(value)  # a terminal may not take the value's own characters
    return text if len(text) <= 60 else text[:57] + "..."


def _choices(task: Task, row: StoredRow, place: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The choices and how the label column names them: as the row says (ARC's A-D), else by number."""
    if task.shape is not Shape.CHOICE:
        return (), ()
    if len(task.choice_columns) > 1:
        texts = tuple(_text(row, column, place) for column in task.choice_columns)
        return texts, _choice_numbers(task, len(texts))
    column = task.choice_columns[0]
    value = _cell(row, column, place)
    if isinstance(value, str) and value[:1] in ("[", "{"):  # a table of texts can only hold the list as JSON
        try:
            value = json.loads(value)
        except ValueError as error:
            raise DataError(f"{place}: expected a JSON list of choices in {column!r}, found {_shown(value)}") from error
    keys: Any = ()
    if isinstance(value, Mapping):
        keys, value = value.get("label"), value.get("text")
        if not isinstance(keys, list) or not isinstance(value, list) or len(keys) != len(value):
            raise DataError(f"{place}: expected in {column!r} two lists of one length, 'text' and 'label'")
        keys = tuple(str(key) for key in keys)
        if len(set(keys)) < len(keys):
            raise DataError(f"{place}: expected different names for the choices in {column!r}, found {', '.join(keys)}")
    if not isinstance(value, list) or len(value) < 2:
        raise DataError(f"{place}: expected a list of two or more choices in {column!r}, found {_shown(value)}")
    return tuple(_checked_text(choice, column, place) for choice in value), keys or _choice_numbers(task, len(value))


def _choice_numbers(task: Task, count: int) -> tuple[str, ...]:
    return tuple(str(task.first_choice + at) for at in range(count))


def _label(task: Task, row: StoredRow, names: tuple[str, ...], place: str) -> str | None:
    """The label's name (a choice's position, as a string), or None where it is hidden; `names` are the choices'."""
    columns = [column for column in (task.label_column, *task.other_label_columns) if column in row.cells]
    column = columns[0] if columns else task.label_column
    value = _cell(row, column, place)
    written = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if task.shape is Shape.CHOICE:
        known = {name: str(at) for at, name in enumerate(names)}
    else:
        numbers = {str(at): name for at, name in enumerate(task.labels)}
        known = numbers | {name: name for name in task.labels}  # a name wins over a number written the same way
        if isinstance(value, str | bool) and written not in known:
            folded = {name.casefold(): name for name in task.labels}
            # True and False are names where the task has such labels, else the numbers 1 and 0.
            written = folded.get(written.casefold(), str(int(value)) if isinstance(value, bool) else written)
    if written in known:
        return known[written]
    if value is None or written in HIDDEN_LABELS or value != value:  # only NaN differs from itself
        return None
    expected = ", ".join(known) if task.shape is Shape.CHOICE else _numbered(task.labels)
    raise DataError(f"{place}: expected one of {expected} in {column!r}, found {_shown(value)}")


def _numbered(labels: tuple[str, ...]) -> str:
    return ", ".join(f"{number} ({name})" for number, name in enumerate(labels))
