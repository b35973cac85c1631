"""A source that reads each split once: for cells that follow each other on the same rows."""

from __future__ import annotations

from dataclasses import replace

from beatingbert.tasks.load import Source
from beatingbert.tasks.rows import Rows


class RememberedSource:
    """Another source, with the rows that were read from it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._read: dict[str, Rows] = {}

    @property
    def kind(self) -> str:
        """The other source's."""
        return self._source.kind

    def revision(self) -> str:
        """The other source's."""
        return self._source.revision()

    def has(self, split: str) -> bool:
        """As the other source tells."""
        return self._source.has(split)

    def count(self, split: str) -> int | None:
        """As the other source tells."""
        return self._source.count(split)

    def read(self, split: str) -> Rows:
        """All rows of a split, in lists of the caller's own."""
        if split not in self._read:
            self._read[split] = self._source.read(split)
        rows = self._read[split]
        return replace(
            rows, labelled=list(rows.labelled), unlabelled=list(rows.unlabelled), questions=list(rows.questions)
        )
