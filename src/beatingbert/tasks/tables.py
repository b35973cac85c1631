"""The file formats: bytes of a .jsonl, .csv, .tsv or .parquet file to stored rows. Knows no task.

A file that is damaged or ambiguous is refused with its place; nothing is skipped, guessed or repaired.

CSV follows RFC 4180. TSV is read as its media type is defined: one row a line, tabs part, quotation marks are ordinary
letters (GLUE's files hold single ones). A table that needs quoting belongs into a CSV file.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from beatingbert.errors import DataError
from beatingbert.tasks.rows import StoredRow

LONGEST_CSV_FIELD = 2**31 - 1  # Python's own limit of 131,072 letters is shorter than some documents


def read_table(data: bytes, source: str) -> list[StoredRow]:
    """The rows of a file.

    Args:
        data: the file's bytes, compressed if the name says so.
        source: the file's name or path; its ending tells the format, and messages name it.

    Raises:
        DataError: unreadable, garbled or ambiguous content, named with its row and line.
    """
    stem = source
    if source.endswith(".gz"):
        stem = source.removesuffix(".gz")
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{source}: expected a whole gzip file, found a damaged one ({error})") from error
    for ending, read in READERS.items():
        if stem.endswith(ending):
            return read(data, source)
    raise DataError(f"{source}: expected a file that ends in {', '.join(ENDINGS)}")


def count_rows(path: Path) -> int | None:
    """About how many rows a file has, in milliseconds: by its lines, or as its footer says; None if it is damaged.

    A quoted line break in a CSV field counts as one more: good enough for estimates, not for results.
    """
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as parquet

            return int(parquet.read_metadata(path).num_rows)
        data = path.read_bytes()
        lines = gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, ValueError, zlib.error):  # pyarrow's own errors are ValueErrors
        return None
    count = lines.count(b"\n") + (not lines.endswith(b"\n") and bool(lines))
    return count - (".jsonl" not in path.suffixes)  # the header


def _decoded(data: bytes, source: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{source}, line {line}: expected UTF-8 text, found byte 0x{data[error.start]:02x}. "
            "Convert the file to UTF-8."
        ) from error


def _read_jsonl(data: bytes, source: str) -> list[StoredRow]:
    rows: list[StoredRow] = []
    for line, text in enumerate(_decoded(data, source).split("\n"), start=1):
        if not text.strip():
            continue
        place = f"{source}, row {len(rows) + 1} (line {line})"
        try:
            cells = json.loads(text)
        except ValueError as error:
            raise DataError(f"{place}: expected one JSON object a line, found no valid JSON ({error})") from error
        if not isinstance(cells, dict):
            raise DataError(f"{place}: expected one JSON object a line, found {type(cells).__name__}")
        rows.append(StoredRow(len(rows) + 1, line, cells))
    return rows


def _read_csv(data: bytes, source: str) -> list[StoredRow]:
    limit = csv.field_size_limit(LONGEST_CSV_FIELD)
    try:
        return _with_header(_csv_records(_decoded(data, source), source), source)
    finally:
        csv.field_size_limit(limit)  # it is the whole process's setting


def _csv_records(text: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """(line on which it starts, fields) of each record; blank lines are none."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    records = 0
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            where = f"{source}, row {max(records, 1)} (line {line})"
            raise DataError(f"{where}: expected CSV with fields quoted as in RFC 4180, found: {error}") from error
        if fields is None:
            return
        if fields:
            records += 1
            yield line, fields


def _read_tsv(data: bytes, source: str) -> list[StoredRow]:
    lines = enumerate(_decoded(data, source).replace("\r\n", "\n").split("\n"), start=1)
    return _with_header(((line, text.split("\t")) for line, text in lines if text), source)


def _with_header(records: Iterator[tuple[int, list[str]]], source: str) -> list[StoredRow]:
    _, header = next(records, (1, []))
    if not header:
        raise DataError(f"{source}: expected a header line that names the columns, found an empty file")
    _refuse_repeated(header, f"{source} (line 1)")
    rows: list[StoredRow] = []
    for line, fields in records:
        if len(fields) != len(header):
            place = f"{source}, row {len(rows) + 1} (line {line})"
            raise DataError(f"{place}: expected {len(header)} fields as in the header, found {len(fields)}")
        rows.append(StoredRow(len(rows) + 1, line, dict(zip(header, fields, strict=True))))
    return rows


def _refuse_repeated(columns: list[str], place: str) -> None:
    if repeated := sorted({name for name in columns if columns.count(name) > 1}):
        raise DataError(f"{place}: expected each column once, found {', '.join(map(repr, repeated))} more than once")


def _read_parquet(data: bytes, source: str) -> list[StoredRow]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        table = parquet.ParquetFile(pa.BufferReader(data)).read()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{source}: expected a whole Parquet file, found a damaged one ({error})") from error
    _refuse_repeated(table.column_names, source)
    return [StoredRow(number, None, cells) for number, cells in enumerate(table.to_pylist(), start=1)]


READERS: dict[str, Callable[[bytes, str], list[StoredRow]]] = {
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
}
ENDINGS = (".jsonl", ".jsonl.gz", ".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz")
