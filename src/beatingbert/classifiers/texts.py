"""Texts as a user has them, as questions of one task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from beatingbert.errors import DataError
from beatingbert.tasks.example import Question
from beatingbert.tasks.rows import StoredRow, decode_question
from beatingbert.tasks.spec import Shape, Task

HERE = "texts"  # how messages name a list that came from no file


def as_questions(task: Task, texts: Any) -> list[Question]:
    """One question per text, in order.

    Args:
        task: what is asked.
        texts: a list of texts, or of pairs where the task has two; or a list of mappings, or a data frame (pandas or
            polars), with the task's columns, the only ways for multiple choice.

    Raises:
        DataError: something else, or a row without a text where one should be; rows count from 1.
    """
    if isinstance(texts, str | bytes | Mapping) or not isinstance(texts, Iterable):
        raise DataError(f"expected a list of {_wanted(task)}, got one {type(texts).__name__}; put it into a list")
    rows = _of_frame(texts) if hasattr(texts, "columns") else (_cells(task, at, one) for at, one in enumerate(texts))
    return [
        decode_question(task, StoredRow(number, None, cells), source=HERE) for number, cells in enumerate(rows, start=1)
    ]


def _of_frame(frame: Any) -> Iterable[dict[str, Any]]:
    names = [str(name) for name in frame.columns]
    columns = [list(frame[name]) for name in frame.columns]
    return (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))


def _cells(task: Task, at: int, one: Any) -> Mapping[str, Any]:
    if isinstance(one, Mapping):
        return one
    if isinstance(one, str) and task.shape is Shape.SINGLE:
        return {task.text_fields[0]: str(one)}
    if not isinstance(one, str | bytes) and isinstance(one, Iterable) and task.shape is not Shape.CHOICE:
        values = list(one)
        if len(values) == len(task.text_fields):
            return dict(zip(task.text_fields, values, strict=True))
    raise DataError(f"{HERE}, row {at + 1}: expected {_wanted(task)}, found {one!a:.60} ({type(one).__name__})")


def _wanted(task: Task) -> str:
    fields = ", ".join((*task.text_fields, *task.choice_columns))
    if task.shape is Shape.SINGLE:
        return "texts"
    return f"pairs of texts ({fields})" if task.shape is Shape.PAIR else f"mappings with {fields}"
