"""Texts that spilled over their column, because a delimiter in them was not quoted, are put together again.

A spreadsheet that reads `ham,"one," two` makes three cells of it and writes them back as such. Two forms: unnamed
columns at the end of the header that are empty in most rows, and rows with more fields than there are columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from beatingbert.tables.finding import Finding, counted, shown

Row = tuple[int, list[Any]]


def named_width(columns: Sequence[str], rows: Sequence[Row], unnamed: Sequence[bool]) -> int:
    """How many columns there are, without unnamed ones at the end that are empty in half of the rows or more."""
    width = len(columns)
    while width > 1 and unnamed[width - 1]:
        filled = sum(bool(cells[width - 1 : width] and cells[width - 1]) for _, cells in rows)
        if filled >= len(rows) / 2:
            break
        width -= 1
    return width


def put_together(
    rows: Sequence[Row], width: int, text_at: int, label_at: int | None, delimiter: str
) -> tuple[list[Row], list[Finding]]:
    """Rows of exactly `width` cells.

    Args:
        rows: as they were cut.
        width: the number of columns.
        text_at: the column whose text spilled.
        label_at: a row whose label is then none of the other rows' is set aside: its cells are in disorder.
        delimiter: what stood between the cells.

    Returns:
        The rows, short ones filled up with None, and what was done.
    """
    spilled: dict[int, Row] = {}
    whole: list[Row] = []
    short = 0
    for number, cells in rows:
        filled = len(cells)
        while filled > width and not cells[filled - 1]:
            filled -= 1
        if filled > width:
            more = filled - width
            joined = delimiter.join(str(cell) for cell in cells[text_at : text_at + more + 1])
            spilled[number] = (number, [*cells[:text_at], joined, *cells[text_at + more + 1 : filled]])
            continue
        short += len(cells) < width
        whole.append((number, (cells + [None] * (width - len(cells)))[:width]))
    labels = {cells[label_at] for _, cells in whole} if label_at is not None else set()
    lost = [row for row in spilled.values() if label_at is not None and row[1][label_at] not in labels]
    kept = [row for row in spilled.values() if row not in lost]
    findings = []
    if kept:
        examples = tuple(f"row {number}: …{shown(cells[text_at][-70:], 70)}" for number, cells in kept[:3])
        what = f"in {counted(len(kept), 'row')} the text runs over into further columns"
        treatment = f"put together again, with {delimiter!r} between the parts"
        findings.append(
            Finding(kind="spilled text", count=len(kept), what=what, treatment=treatment, examples=examples)
        )
    if lost:
        examples = tuple(f"row {number}: {shown(delimiter.join(map(str, cells)))}" for number, cells in lost[:3])
        what = f"{counted(len(lost), 'row')} with too many fields, and no known label in its column"
        findings.append(
            Finding(kind="broken rows", count=len(lost), what=what, treatment="set aside", examples=examples)
        )
    if short:
        what = f"{counted(short, 'row')} with fewer fields than there are columns"
        findings.append(Finding(kind="short rows", count=short, what=what, treatment="the missing ones read as empty"))
    return sorted([*whole, *kept], key=lambda row: row[0]), findings
