"""Where do a task's rows come from? One table of three sources, the first that applies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from beatingbert.errors import DataError
from beatingbert.tasks.files import FilesSource
from beatingbert.tasks.hub import HubSource
from beatingbert.tasks.rows import Rows
from beatingbert.tasks.spec import Task
from beatingbert.tasks.wheel import WheelSource

DATA_VARIABLE = "BEATINGBERT_DATA"


class Source(Protocol):
    """One place that holds the rows of one task."""

    @property
    def kind(self) -> str:
        """What stands in the record: "files", "hub" or "wheel"."""

    def revision(self) -> str:
        """Which version of the data: a hash or a commit, "unknown" where there is none."""

    def has(self, split: str) -> bool:
        """Whether it holds this split, as far as can be told without reading rows or asking anyone."""

    def count(self, split: str) -> int | None:
        """About how many rows the split has, told without decoding them; None where only reading would tell."""

    def read(self, split: str) -> Rows:
        """All rows of a split, labelled and unlabelled."""


def open_source(task: Task, *, data_dir: Path | None = None) -> Source:
    """The first that applies: `data_dir`, the folder named in BEATINGBERT_DATA, the task's wheel, the hub.

    BEATINGBERT_DATA is set once for many tasks, so a task that it has no folder for may come from its wheel;
    a `data_dir` was meant for this task, so a missing folder is an error.

    Raises:
        DataError: the named directory has no folder for the task, or the task is a table of the user's own.
    """
    if task.hub is None and task.wheel is None:
        raise DataError(f"task {task.name!r} is a table of your own: its rows are handed over, not looked for")
    if data_dir is not None:
        return FilesSource(task, data_dir)
    from_environment = os.environ.get(DATA_VARIABLE, "")
    if from_environment:
        folder = Path(from_environment).expanduser()
        if task.wheel is None or (folder / task.folder).is_dir():
            return FilesSource(task, folder)
    return WheelSource(task) if task.wheel is not None else HubSource(task)
