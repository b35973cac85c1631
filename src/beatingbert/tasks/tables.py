"""The file formats: a .jsonl, .csv, .tsv or .parquet file to stored rows, one after the other. Knows no task.

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
from typing import IO, cast

from beatingbert.errors import DataError
from beatingbert.tasks.rows import StoredRow

LONGEST_CSV_FIELD = 2**31 - 1  # Python's own limit of 131,072 letters is shorter than some documents
PARQUET_ROWS = 1024  # that are decoded at once


def read_table(data: bytes, source: str) -> list[StoredRow]:
    """The rows of a file.

    Args:
        data: the file's bytes, compressed if the name says so.
        source: the file's name or path; its ending tells the format, and messages name it.

    Raises:
        DataError: unreadable, garbled or ambiguous content, named with its row and line.
    """
    return list(stream_table(io.BytesIO(data), source))


def stream_table(file: IO[bytes], source: str) -> Iterator[StoredRow]:
    """The same, row by row, so that a file larger than memory can be read; what is wrong is told when it is reached."""
    stem, packed = source, source.endswith(".gz")
    if packed:
        stem = source.removesuffix(".gz")
        file = cast(IO[bytes], gzip.GzipFile(fileobj=file))
    read = next((reader for ending, reader in READERS.items() if stem.endswith(ending)), None)
    if read is None:
        raise DataError(f"{source}: expected a file that ends in {', '.join(ENDINGS)}")
    try:
        yield from read(file, source)
    except (OSError, EOFError, zlib.error) as error:
        if not packed:
            raise
        raise DataError(f"{source}: expected a whole gzip file, found a damaged one ({error})") from error


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


def _lines(file: IO[bytes], source: str) -> Iterator[str]:
    """Each line as text, its end included."""
    for line, data in enumerate(file, start=1):
        try:
            yield data.decode("utf-8-sig" if line == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{source}, line {line}: expected UTF-8 text, found byte 0x{error.object[error.start]:02x}. "
                "Convert the file to UTF-8."
            ) from error


def _read_jsonl(file: IO[bytes], source: str) -> Iterator[StoredRow]:
    number = 0
    for line, text in enumerate(_lines(file, source), start=1):
        if not text.strip():
            continue
        number += 1
        place = f"{source}, row {number} (line {line})"
        try:
            cells = json.loads(text)
        except ValueError as error:
            raise DataError(f"{place}: expected one JSON object a line, found no valid JSON ({error})") from error
        if not isinstance(cells, dict):
            raise DataError(f"{place}: expected one JSON object a line, found {type(cells).__name__}")
        yield StoredRow(number, line, cells)


def _read_csv(file: IO[bytes], source: str) -> Iterator[StoredRow]:
    return _with_header(_csv_records(file, source), source)


def _csv_records(file: IO[bytes], source: str) -> Iterator[tuple[int, list[str]]]:
    """(line on which it starts, fields) of each record; blank lines are none."""
    reader = csv.reader(_csv_lines(file, source), strict=True)
    records = 0
    while True:
        line = reader.line_num + 1
        limit = csv.field_size_limit(LONGEST_CSV_FIELD)
        try:
            fields = next(reader, None)
        except csv.Error as error:
            where = f"{source}, row {max(records, 1)} (line {line})"
            raise DataError(f"{where}: expected CSV with fields quoted as in RFC 4180, found: {error}") from error
        finally:
            csv.field_size_limit(limit)  # it is the whole process's setting
        if fields is None:
            return
        if fields:
            records += 1
            yield line, fields


def _csv_lines(file: IO[bytes], source: str) -> Iterator[str]:
    """Lines as the csv module wants them, which also ends one at a carriage return alone."""
    for text in _lines(file, source):
        if "\r" in text.removesuffix("\n").removesuffix("\r"):
            yield from io.StringIO(text, newline="")
        else:
            yield text


def _read_tsv(file: IO[bytes], source: str) -> Iterator[StoredRow]:
    lines = (text.removesuffix("\n") if not text.endswith("\r\n") else text[:-2] for text in _lines(file, source))
    return _with_header(((line, text.split("\t")) for line, text in enumerate(lines, start=1) if text), source)


def _with_header(records: Iterator[tuple[int, list[str]]], source: str) -> Iterator[StoredRow]:
    _, header = next(records, (1, []))
    if not header:
        raise DataError(f"{source}: expected a header line that names the columns, found an empty file")
    _refuse_repeated(header, f"{source} (line 1)")
    for number, (line, fields) in enumerate(records, start=1):
        if len(fields) != len(header):
            place = f"{source}, row {number} (line {line})"
            raise DataError(f"{place}: expected {len(header)} fields as in the header, found {len(fields)}")
        yield StoredRow(number, line, dict(zip(header, fields, strict=True)))


def _refuse_repeated(columns: list[str], place: str) -> None:
    if repeated := sorted({name for name in columns if columns.count(name) > 1}):
        raise DataError(f"{place}: expected each column once, found {', '.join(map(repr, repeated))} more than once")


def _read_parquet(file: IO[bytes], source: str) -> Iterator[StoredRow]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    number = 0
    try:
        table = parquet.ParquetFile(file)
        _refuse_repeated(table.schema_arrow.names, source)
        for batch in table.iter_batches(batch_size=PARQUET_ROWS):
            for cells in batch.to_pylist():
                number += 1
                yield StoredRow(number, None, cells)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{source}: expected a whole Parquet file, found a damaged one ({error})") from error


READERS: dict[str, Callable[[IO[bytes], str], Iterator[StoredRow]]] = {
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
}
ENDINGS = (".jsonl", ".jsonl.gz", ".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz")
