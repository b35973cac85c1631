"""What a picture's file is called: safe on every system, and never the same twice."""

from __future__ import annotations

import re
import unicodedata

MOST = 100


class FileNames:
    """Gives each picture of a folder its name; case alone does not tell two names apart, as it does not on all systems.

    The same pictures in the same order get the same names.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def name(self, *parts: str) -> str:
        """The parts as one plain file name without ending, with _2, _3, ... behind it where it is taken."""
        plain = "_".join(filter(None, map(_plain, parts)))[:MOST].strip("._-") or "picture"
        name, number = plain, 2
        while name.lower() in self._taken:
            name, number = f"{plain}_{number}", number + 1
        self._taken.add(name.lower())
        return name


def _plain(text: str) -> str:
    """Letters without accents, digits and - . only; everything else becomes one hyphen."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9.]+", "-", ascii_text).strip("-.")
