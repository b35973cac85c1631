"""Rows that are kept of a table that may be larger than memory: all of them, or a sample by one streaming pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

MOST_ROWS = 200_000
MOST_LETTERS = 200_000_000  # of all cells that are kept: some 400 MB of memory


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept.

    Attributes:
        rows: (1-based number in the file, cells), in the order of the file.
        total: how many rows the file has.
    """

    rows: list[tuple[int, list[Any]]]
    total: int


def keep(
    rows: Iterable[list[Any]], *, most: int = MOST_ROWS, letters: int = MOST_LETTERS, purpose: str = "rows"
) -> Kept:
    """Keep all rows, or every row with the same chance where there are more than may be kept.

    Args:
        rows: cells of each row.
        most: rows to keep.
        letters: about how many letters to keep; reached, no more rows than until then are kept.
        purpose: seeds the draw.

    Source: Vitter, Random sampling with a reservoir, 1985, algorithm R.
    """
    random = Random(purpose).random
    kept: list[tuple[int, list[Any]]] = []
    held = number = 0
    for number, row in enumerate(rows, start=1):
        if len(kept) < most:
            kept.append((number, row))
            held += sum(len(cell) for cell in row if isinstance(cell, str))
            if held >= letters:
                most = len(kept)
        elif (at := int(random() * number)) < most:
            kept[at] = (number, row)
    return Kept(sorted(kept, key=lambda one: one[0]), number)
