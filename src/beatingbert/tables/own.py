"""A user's own table, read: its rows with the numbers by which they are found back, and how each thing was told.

    own = read_own("reviews.csv", label="stars")
    for name, value, how in own.parts["rows"].reading.lines(): ...

Nothing is judged here and nothing set aside but rows that cannot be put in order; `look` does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beatingbert.errors import DataError, UnknownNameError
from beatingbert.tables.columns import Columns, Doubt, choose_columns
from beatingbert.tables.dialect import FIRST_WORD
from beatingbert.tables.finding import Finding, counted
from beatingbert.tables.folder import ROWS, find_parts
from beatingbert.tables.raw import Raw, read_frame, read_raw
from beatingbert.tables.sample import MOST_ROWS
from beatingbert.tables.spill import named_width, put_together


@dataclass(frozen=True, slots=True)
class OwnRow:
    """One row, as it is written.

    Attributes:
        number: 1-based, header excluded, by which its owner finds it in the file.
        text, text_pair, label, group: cells; None where there is nothing.
    """

    number: int
    text: str | None
    text_pair: str | None
    label: str | None
    group: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a file was read.

    Attributes:
        file, sha256, format: see `Raw`.
        total: rows in the file.
        encoding, encoding_how: of a text file; empty for others.
        cut: how it is cut into cells, in words; empty where the format says it.
        header: whether it has one.
        columns: all names.
        findings: what was done to read it.
    """

    file: str
    sha256: str
    format: str
    total: int
    encoding: str
    encoding_how: str
    cut: str
    header: bool
    columns: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    def lines(self) -> list[tuple[str, str, str]]:
        """(what, value, told from what) as shown; values may be texts of the table's owner."""
        lines = [("file", self.file, self.format), ("rows", f"{self.total:,}", "")]
        if self.encoding:
            lines.append(("encoding", self.encoding, self.encoding_how))
        if self.cut:
            lines.append(("cells", self.cut, "with a header" if self.header else "without a header"))
        return lines


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the table.

    Attributes:
        reading: how it was read.
        rows: in the order of the file.
    """

    reading: Reading
    rows: tuple[OwnRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnData:
    """A user's own table.

    Attributes:
        name: of the task, from the file's name.
        parts: "rows" alone, or "train" with "validation" and "test" as far as given.
        columns: which column is what.
        doubts: what its owner should be asked; the defaults have been taken.
        findings: of all files together.
    """

    name: str
    parts: Mapping[str, Part]
    columns: Columns
    doubts: tuple[Doubt, ...] = ()
    findings: tuple[Finding, ...] = ()


def read_own(
    source: Any,
    *,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    group: str | None = None,
    test: Any = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
) -> OwnData:
    """Read a table.

    Args:
        source: a path to CSV, TSV, JSON Lines, JSON or Parquet, also in a zip or gzip file; a folder of splits; or a
            data frame.
        text: its column; None guesses.
        text_pair: the second text's; None guesses, "none" says there is none.
        label: its column; None guesses.
        group: the column whose rows of one value stay on one side of a split; None for no groups.
        test: the test split, as path or data frame.
        encoding: Python's name of it; None finds out.
        delimiter: a letter or its name (comma, tab, semicolon, bar, none, or blank for lines of a label, a blank and a
            text); None finds out.
        header: whether the first row names the columns; None finds out.

    Raises:
        DataError: it cannot be read, or has no column that could be the text or the label.
        UnknownNameError: no such column.
        SettingsError: an unknown encoding or delimiter, or one column in two roles.
    """
    given = {"encoding": encoding, "delimiter": delimiter, "header": header}
    raws, ignored = _read(source, test, given)
    first_name, first = next(iter(raws.items()))
    if not first.kept.rows:
        raise DataError(f"{first.file}: expected rows, found none" + (" but a header" if first.named else ""))
    width = _width(first)
    roles = {"text": text, "text_pair": text_pair, "label": label, "group": group}
    whole = [cells for _, cells in first.kept.rows if len(cells) <= width or not any(cells[width:])]
    columns = choose_columns(first.columns[:width], whole, **roles)
    parts = {name: _part(raw, columns, width if name == first_name else _width(raw)) for name, raw in raws.items()}
    findings = [finding for part in parts.values() for finding in part.reading.findings]
    if ignored:
        what = f"{counted(len(ignored), 'file')} of the folder {'is' if len(ignored) == 1 else 'are'} not read"
        treatment = "give a file itself to read it"
        findings.append(
            Finding(kind="other files", count=len(ignored), what=what, treatment=treatment, examples=tuple(ignored[:5]))
        )
    return OwnData(
        name=_name(source),
        parts=parts,
        columns=columns,
        doubts=(*_doubts(first), *columns.doubts),
        findings=tuple(findings),
    )


def _read(source: Any, test: Any, given: Mapping[str, Any]) -> tuple[dict[str, Raw], list[str]]:
    if _is_frame(source) or _is_frame(test):
        name = "train" if test is not None else ROWS
        raws = {name: _read_one(source, given)}
        if test is not None:
            raws["test"] = _read_one(test, given)
        return raws, []
    files, ignored = find_parts(Path(source), None if test is None else Path(test))
    raws = {}
    for name in sorted(files, key=lambda part: part not in (ROWS, "train")):
        like = next(iter(raws.values())) if raws else None
        raws[name] = read_raw(files[name], **(given if like is None else {**given, "encoding": None}), like=like)
    return raws, ignored


def _read_one(source: Any, given: Mapping[str, Any]) -> Raw:
    if _is_frame(source):
        return read_frame(source)
    (file,) = find_parts(Path(source))[0].values()
    return read_raw(file, **given)


def _is_frame(source: Any) -> bool:
    return hasattr(source, "to_dict") and hasattr(source, "columns")


def _width(raw: Raw) -> int:
    if raw.dialect is None:
        return len(raw.columns)
    unnamed = [raw.named and name == f"column {at}" for at, name in enumerate(raw.columns, start=1)]
    return named_width(raw.columns, raw.kept.rows, unnamed)


def _part(raw: Raw, columns: Columns, width: int) -> Part:
    names = raw.columns[:width]
    at = {}
    for role, name in columns.names().items():
        if name not in names:
            raise UnknownNameError("column", name, names, f"{raw.file} must have the columns of the file learnt from.")
        at[role] = names.index(name)
    rows, findings = raw.kept.rows, list(raw.findings)
    if raw.dialect is not None:
        delimiter = raw.dialect.delimiter or " "
        rows, done = put_together(rows, width, at["text"], at["label"], delimiter)
        findings += done
    if raw.kept.total > len(raw.kept.rows):
        what = f"{raw.file} has {raw.kept.total:,} rows"
        treatment = (
            f"{len(raw.kept.rows):,} of them, drawn evenly, stand for all (at most {MOST_ROWS:,} are); every count "
            "below is of these"
        )
        findings.append(Finding(kind="sample", count=len(raw.kept.rows), what=what, treatment=treatment))
    reading = Reading(
        file=raw.file,
        sha256=raw.sha256,
        format=raw.format,
        total=raw.kept.total,
        encoding=raw.encoding.name if raw.encoding else "",
        encoding_how=raw.encoding.how if raw.encoding else "",
        cut=raw.dialect.words if raw.dialect else "",
        header=raw.named,
        columns=tuple(raw.columns),
        findings=tuple(findings),
    )
    return Part(reading, tuple(_rows(rows, at, raw.file)))


def _rows(rows: Sequence[tuple[int, list[Any]]], at: Mapping[str, int], file: str) -> list[OwnRow]:
    def cell(cells: list[Any], role: str, number: int) -> str | None:
        value = cells[at[role]] if role in at else None
        if value is not None and not isinstance(value, str):
            kind = "one label a row (several labels to a row are not supported)" if role == "label" else "text"
            raise DataError(f"{file}, row {number}: expected {kind}, found {type(value).__name__} in the {role} column")
        return value

    return [
        OwnRow(number, *(cell(cells, role, number) for role in ("text", "text_pair", "label", "group")))
        for number, cells in rows
    ]


def _doubts(raw: Raw) -> list[Doubt]:
    doubts = []
    if raw.encoding is not None and not raw.encoding.sure:
        name, sample = raw.encoding.name, raw.encoding.sample
        question = f"the file is not UTF-8; read as {name} it has words such as {sample!r}. In which encoding is it?"
        doubts.append(Doubt(flag="encoding", question=question, default=name))
    if raw.dialect is not None and raw.dialect.first_word:
        question = "each line seems to be a label, a blank and a text. Is it?"
        doubts.append(Doubt(flag="delimiter", question=question, options=(FIRST_WORD, "none"), default=FIRST_WORD))
    if raw.dialect is not None and not raw.dialect.header_sure:
        question = f"nothing tells whether the first row names the columns: {', '.join(raw.columns)!r:.80}. Does it?"
        doubts.append(Doubt(flag="header", question=question, options=("yes", "no"), default="yes"))
    return doubts


def _name(source: Any) -> str:
    """Small letters, digits and underscores of the file's name, or of its folder's where it only says "train"."""
    if _is_frame(source):
        return "table"
    path = Path(source)
    name = path.resolve().name if path.is_dir() else path.name.partition(".")[0]
    if name.casefold() in ("train", "data", "dataset", "table", ""):
        name = path.resolve().parent.name or name
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name.casefold())
    return "_".join(filter(None, kept.split("_"))) or "table"
