"""A table as it is written: columns and cells of a text file, JSON Lines, Parquet or a data frame, not yet understood.

Nothing is refused for being untidy as long as it can be told what was meant; what was done is kept as findings.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from beatingbert.errors import DataError
from beatingbert.tables.dialect import Dialect, find_dialect, records_of
from beatingbert.tables.encoding import CHUNK, Encoding, find_encoding, lines_of
from beatingbert.tables.finding import Finding, counted
from beatingbert.tables.opened import Opened, chunks_of
from beatingbert.tables.sample import Kept, keep

SNIFFED = 1 << 20  # letters from which the dialect is told
LARGEST_JSON = 1 << 28  # bytes of a JSON list, which cannot be read row by row


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A table as it is written.

    Attributes:
        file: its name; never a path.
        sha256: of the file as it lies there; of the cells that were kept of a data frame.
        format: in a word or two, as shown.
        columns: names; `column 1` where there is none.
        named: False where the table has no header.
        kept: its rows, cells in the order of the columns; text rows may be longer or shorter than that.
        encoding, dialect: of a text file.
        findings: what was done to read it.
    """

    file: str
    sha256: str
    format: str
    columns: list[str]
    named: bool
    kept: Kept
    encoding: Encoding | None = None
    dialect: Dialect | None = None
    findings: tuple[Finding, ...] = ()


def read_raw(
    opened: Opened,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    like: Raw | None = None,
) -> Raw:
    """Read a file.

    Args:
        opened: the file.
        encoding: what the user says it is; None finds out.
        delimiter: the same.
        header: the same.
        like: a table of the same maker (train, where this is test): it has a header, or none, as that has.

    Raises:
        DataError: it cannot be read as what it seems to be.
    """
    if opened.kind == "parquet":
        return _read_parquet(opened)
    if opened.kind == "json":
        return _read_json(opened)
    with opened.stream() as stream:
        found = find_encoding(chunks_of(stream, CHUNK), encoding)
    if opened.kind == "jsonl":
        return _read_jsonl(opened, found)
    return _read_text(opened, found, delimiter=delimiter, header=header, like=like)


def read_frame(frame: Any) -> Raw:
    """Read a data frame: pandas, polars, or whatever has columns and turns into a dict of lists."""
    try:
        columns = frame.to_dict(orient="list")
    except TypeError:  # polars calls it otherwise
        columns = frame.to_dict(as_series=False)
    names = [str(name) for name in columns]
    if len(set(names)) < len(names):
        raise DataError(f"the data frame has two columns of one name: {', '.join(names)}")
    rows = keep([_plain(cell) for cell in row] for row in zip(*columns.values(), strict=True))
    content = hashlib.sha256(json.dumps([names, rows.rows], default=str).encode()).hexdigest()
    return Raw(file="data frame", sha256=content, format="data frame", columns=names, named=True, kept=rows)


def _read_text(
    opened: Opened, encoding: Encoding, *, delimiter: str | None, header: bool | None, like: Raw | None
) -> Raw:
    with opened.stream() as stream:
        dialect = find_dialect(
            _beginning(lines_of(stream, encoding)), ending=opened.ending, delimiter=delimiter, header=header
        )
    if like is not None and like.dialect is not None and delimiter is None:
        same = like.dialect.first_word or dialect.first_word
        dialect = replace(dialect, header=like.named if header is None else header, header_sure=True)
        dialect = like.dialect if same else dialect
    kept, dialect, findings = _cut(opened, encoding, dialect)
    rows, total = kept.rows, kept.total
    first: list[str] = [] if not rows else rows[0][1]
    if dialect.header and rows:
        # the header is row 1 for the reservoir, which keeps it apart: see _records
        rows, total = rows[1:], total - 1
    columns = _names(first) if dialect.header else [f"column {at}" for at in range(1, _width(rows) + 1)]
    if encoding.strays:
        what = f"{counted(encoding.strays, 'place')} of the file {'is' if encoding.strays == 1 else 'are'} not UTF-8"
        findings.append(
            Finding(kind="mixed encodings", count=encoding.strays, what=what, treatment="read as Windows-1252 there")
        )
    if encoding.nuls and not encoding.name.startswith(("utf-16", "utf-32")):
        what = f"{counted(encoding.nuls, 'NUL byte')} in the file"
        findings.append(Finding(kind="NUL bytes", count=encoding.nuls, what=what, treatment="left out"))
    return Raw(
        file=opened.name,
        sha256=opened.sha256(),
        format="text",
        columns=columns,
        named=dialect.header,
        kept=Kept([(number - dialect.header, cells) for number, cells in rows], total),
        encoding=encoding,
        dialect=dialect,
        findings=tuple(findings),
    )


def _cut(opened: Opened, encoding: Encoding, dialect: Dialect) -> tuple[Kept, Dialect, list[Finding]]:
    """Cut into records as RFC 4180 wants; where quotation marks are out of place, as nearly so as can be."""
    try:
        return _records(opened, encoding, dialect, strict=dialect.quoted), dialect, []
    except csv.Error as error:
        where, reason = error.args[1] if len(error.args) > 1 else 0, error.args[0]
    plain = replace(dialect, quoted=False)
    treatment = "quotation marks are read as letters all over the file"
    if dialect.delimiter != "\t" and "unexpected end" not in reason:
        plain, treatment = dialect, "read as letters where they are out of place; see whether the rows there are whole"
    kept = _records(opened, encoding, plain, strict=False)
    if "unexpected end" in reason and not _even(kept):
        raise DataError(
            f"{opened.path}, line {where}: a quotation mark is opened and never closed, and without quotation marks "
            f"the rows have different numbers of fields. Close it, or double it if it belongs to the text."
        )
    what = f"quotation marks do not stand as in a CSV file, first in the row of line {where} ({reason})"
    return kept, plain, [Finding(kind="stray quotes", count=1, what=what, treatment=treatment)]


def _records(opened: Opened, encoding: Encoding, dialect: Dialect, *, strict: bool) -> Kept:
    line = 1

    def cells(found: Iterator[tuple[int, list[str]]]) -> Iterator[list[str]]:
        nonlocal line
        for line, fields in found:  # noqa: B007 - told in the error below
            yield fields

    with opened.stream() as stream:
        records = cells(records_of(lines_of(stream, encoding), dialect, strict=strict))
        try:
            if not dialect.header:
                return keep(records)
            header = list(islice(records, 1))
            rest = keep(records)
        except csv.Error as error:
            raise csv.Error(str(error), line + 1) from error
        except UnicodeError as error:
            raise DataError(f"{opened.path}: expected text in {encoding.name}, found bytes that are none") from error
    return Kept([(1, header[0]), *((number + 1, row) for number, row in rest.rows)], rest.total + 1)


def _read_jsonl(opened: Opened, encoding: Encoding) -> Raw:
    columns: dict[str, int] = {}

    def rows(lines: Iterator[str]) -> Iterator[list[Any]]:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            place = f"{opened.path}, line {number}"
            try:
                cells = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{place}: expected one JSON object a line, found no valid JSON ({error})") from error
            yield _ordered(cells, columns, place)

    with opened.stream() as stream:
        kept = keep(rows(lines_of(stream, encoding)))
    return _from_objects(opened, columns, kept, "JSON Lines", encoding)


def _read_json(opened: Opened) -> Raw:
    with opened.stream() as stream:
        data = stream.read(LARGEST_JSON + 1)
    if len(data) > LARGEST_JSON:
        raise DataError(f"{opened.path}: a JSON list above {LARGEST_JSON >> 20} MiB; write it as JSON Lines instead")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{opened.path}: expected a JSON list of objects, found no valid JSON ({error})") from error
    if not isinstance(found, list):
        raise DataError(f"{opened.path}: expected a JSON list of objects, found {type(found).__name__}")
    columns: dict[str, int] = {}
    places = (f"{opened.path}, row {number}" for number in range(1, len(found) + 1))
    kept = keep(_ordered(cells, columns, place) for cells, place in zip(found, places, strict=True))
    return _from_objects(opened, columns, kept, "JSON", None)


def _ordered(cells: Any, columns: dict[str, int], place: str) -> list[Any]:
    if not isinstance(cells, dict):
        raise DataError(f"{place}: expected a JSON object, found {type(cells).__name__}")
    for name in cells:
        columns.setdefault(name, len(columns))
    row: list[Any] = [None] * len(columns)
    for name, value in cells.items():
        row[columns[name]] = _plain(value)
    return row


def _from_objects(opened: Opened, columns: dict[str, int], kept: Kept, form: str, encoding: Encoding | None) -> Raw:
    rows = [(number, cells + [None] * (len(columns) - len(cells))) for number, cells in kept.rows]
    kept = Kept(rows, kept.total)
    return Raw(
        file=opened.name,
        sha256=opened.sha256(),
        format=form,
        columns=list(columns),
        named=True,
        kept=kept,
        encoding=encoding,
    )


def _read_parquet(opened: Opened) -> Raw:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    def rows(file: Any) -> Iterator[list[Any]]:
        for batch in file.iter_batches():
            columns = [column.to_pylist() for column in batch.columns]
            yield from ([_plain(cell) for cell in row] for row in zip(*columns, strict=True))

    try:
        file = parquet.ParquetFile(opened.path)
        kept = keep(rows(file))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{opened.path}: expected a whole Parquet file, found a damaged one ({error})") from error
    names = [str(name) for name in file.schema_arrow.names]
    if len(set(names)) < len(names):
        raise DataError(f"{opened.path}: two columns have one name: {', '.join(names)}")
    return Raw(file=opened.name, sha256=opened.sha256(), format="Parquet", columns=names, named=True, kept=kept)


def _plain(cell: Any) -> Any:
    """A cell as text or None; a list or an object stays, for whoever chooses its column to refuse."""
    if cell is None or isinstance(cell, str):
        return None if cell is None else _whole(cell)
    if isinstance(cell, list | tuple | Mapping):
        return cell
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = str(cell)
    return None if text in ("nan", "NaT", "<NA>") else text


def _whole(text: str) -> str:
    """Half of a surrogate pair, which JSON can hold and UTF-8 cannot, becomes the mark for what cannot be read."""
    text = text.replace("\0", "")
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _beginning(lines: Iterable[str]) -> str:
    taken: list[str] = []
    letters = 0
    for line in lines:
        if taken and letters + len(line) > SNIFFED:
            break
        taken.append(line)
        letters += len(line)
    return "".join(taken)


def _names(cells: list[str]) -> list[str]:
    names: list[str] = []
    for at, cell in enumerate(cells, start=1):
        name = " ".join(cell.split()) or f"column {at}"
        names.append(name if name not in names else f"{name} ({at})")
    return names


def _width(rows: list[tuple[int, list[Any]]]) -> int:
    """The number of fields that most rows have."""
    lengths = [len(cells) for _, cells in rows]
    return max(set(lengths), key=lengths.count, default=0)


def _even(kept: Kept) -> bool:
    width = _width(kept.rows)
    return width > 1 and sum(len(cells) == width for _, cells in kept.rows) >= 0.99 * len(kept.rows)
