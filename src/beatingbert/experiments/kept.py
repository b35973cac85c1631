"""What a process keeps from one cell to the next: one checkpoint and one task's rows."""

from __future__ import annotations

from pathlib import Path

from beatingbert.engines.shelf import Shelf
from beatingbert.tasks.load import Source, open_source
from beatingbert.tasks.remembered import RememberedSource
from beatingbert.tasks.spec import Task


class Kept:
    """Empty at first; each cell finds what the one before it has left."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self._key: tuple[str, Path | None, str] | None = None
        self._source: Source | None = None

    def source(self, task: Task, data_dir: Path | None) -> Source:
        """Where a task's rows come from; they are read again only if the data are others than last time."""
        found = open_source(task, data_dir=data_dir)
        key = (task.name, data_dir, found.revision())
        if self._source is None or key != self._key:
            self._key, self._source = key, RememberedSource(found)
        return self._source

    def clear(self) -> None:
        """Let go of everything."""
        self.shelf.clear()
        self._key = self._source = None
