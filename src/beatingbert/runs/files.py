"""JSON and text that are whole or not there, written beside and then renamed; and CSV that runs no formulas."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_json(path: Path, data: Any) -> None:
    """Write beside, then rename: whoever sees the file sees all of it."""
    with whole(path) as beside:
        beside.write_text(as_text(data), encoding="utf-8")


def write_text(path: Path, text: str) -> None:
    """The same for a text; what is no character (half of a surrogate pair) becomes a mark."""
    with whole(path) as beside:
        beside.write_text(text, encoding="utf-8", errors="replace")


def as_text(data: Any) -> str:
    """JSON as it is kept: indented, letters as they are, and nothing that is no number."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file beside the path to write to: it takes the path's place if the block ends well, and goes if not."""
    beside = path.with_name(path.name + ".part")
    try:
        yield beside
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_csv(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    """Write rows; no file for none. Cells that a spreadsheet would run as a formula get an apostrophe before them."""
    if not rows:
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for row in rows:
            writer.writerow([disarmed(cell) for cell in row])


def disarmed(cell: Any) -> Any:
    """The cell, with an apostrophe before it where a spreadsheet would run it as a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell
