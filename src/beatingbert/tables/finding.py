"""A finding: something about a table that its owner should know, and what is done about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was seen.

    Attributes:
        kind: one word or two, the same for the same thing in every table, e.g. "duplicates".
        count: how many rows, classes or places, as `what` says.
        what: what was seen, a sentence without its full stop.
        treatment: what is done about it, a sentence without its full stop.
        examples: a few of them as one line each; texts of the table, so escape them.
    """

    kind: str
    count: int
    what: str
    treatment: str
    examples: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self) | {"examples": list(self.examples)}


def shown(text: str, most: int = 60) -> str:
    """A text of the table as one short line that no terminal takes for a command and no reader for another's words."""
    line = " ".join(text[: 4 * most].split())
    line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
    return line if len(line) <= most and len(text) <= 4 * most else line[: most - 1].rstrip() + "…"


def listed(names: list[str], most: int = 6) -> str:
    """Names in quotation marks, the first few of them."""
    told = ", ".join(f"'{shown(name, 30)}'" for name in names[:most])
    return told + (f" and {len(names) - most:,} more" if len(names) > most else "")


def counted(count: int, one: str, several: str = "") -> str:
    """'1 row', '1,204 rows', '2 classes'."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"
