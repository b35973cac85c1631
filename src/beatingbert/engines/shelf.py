"""The checkpoint that was loaded last, so that the next run that wants the same weights need not load them again.

One checkpoint at most: before another is loaded the one that lies here is let go, so that memory never holds two.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any


class Shelf:
    """Holds one loaded thing; empty at first."""

    def __init__(self) -> None:
        self._key: Hashable = None
        self._loaded: Any = None
        self._undo: Callable[[], None] | None = None

    def take(self, key: Hashable, load: Callable[[], Any]) -> tuple[Any, bool]:
        """What lies here under this key, as it was loaded, else what `load` makes, which lies here from now on.

        Returns:
            The thing, and whether it lay here already.
        """
        if self._loaded is not None and self._key == key:
            if self._undo is not None:
                self._undo()
                self._undo = None
            return self._loaded, True
        self.clear()
        self._loaded = load()
        self._key = key
        return self._loaded, False

    def undo_before_next(self, undo: Callable[[], None]) -> None:
        """Tell how a change to the thing is undone; this is done before the next one takes it, and only then."""
        self._undo = undo

    def clear(self) -> None:
        """Let go of what lies here, e.g. because a run has failed half-way and may have left it changed."""
        self._key = self._loaded = self._undo = None
