"""What of a task goes with a classifier, as plain JSON: how a question looks, not where rows came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beatingbert.errors import DataError, SettingsError
from beatingbert.tasks.catalog import TASKS
from beatingbert.tasks.spec import Blank, Hub, Shape, Task

NOWHERE = Hub(dataset="", config=None, splits={})


def declare(task: Task) -> dict[str, Any]:
    """The declaration as plain JSON."""
    return {
        "name": task.name,
        "title": task.title,
        "shape": str(task.shape),
        "text_fields": list(task.text_fields),
        "long_field": task.long_field,
        "labels": list(task.labels),
        "label_column": task.label_column,
        "choice_columns": list(task.choice_columns),
        "blank": None if task.blank is None else {"field": task.blank.field, "mark": task.blank.mark},
        "prompt": task.prompt,
    }


def declared(data: Mapping[str, Any]) -> Task:
    """The task that was declared: the catalogue's own where it is one of those, else one that has no data.

    Raises:
        DataError: it is no such declaration.
    """
    known = TASKS.get(str(data.get("name")))
    if known is not None and declare(known) == data:
        return known  # it may have ways of preparing rows that no JSON holds
    try:
        return Task(
            name=data["name"],
            title=data["title"],
            shape=Shape(data["shape"]),
            text_fields=tuple(data["text_fields"]),
            long_field=data["long_field"],
            labels=tuple(data["labels"]),
            label_column=data["label_column"],
            choice_columns=tuple(data["choice_columns"]),
            blank=None if data["blank"] is None else Blank(**data["blank"]),
            prompt=data["prompt"],
            folder="",
            hub=NOWHERE,
            licence="",
            citation="",
        )
    except (KeyError, TypeError, ValueError, SettingsError) as error:
        raise DataError(f"a task's declaration cannot be read ({type(error).__name__}: {error})") from error
