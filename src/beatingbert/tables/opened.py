"""A file of the user's, found and opened as often as it must be read; a zip or gzip file is opened through."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

from beatingbert.errors import DataError

Kind = Literal["text", "jsonl", "json", "parquet"]
EXCEL = "an Excel workbook. Save the sheet as CSV (UTF-8) and give that"
TEXTS = (".csv", ".tsv", ".txt", ".tab", ".data", ".dat", ".jsonl", ".ndjson", ".json", ".parquet")


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that can be read.

    Attributes:
        path: where it lies; for messages to its owner, never for a record.
        kind: how its content is written.
        ending: of the name of what is read, e.g. ".csv" for `x.csv.gz`.
        member: what is read of a zip file; None where it is none.
        gzipped: whether it is a gzip file.
    """

    path: Path
    kind: Kind
    ending: str
    member: str | None = None
    gzipped: bool = False

    @property
    def name(self) -> str:
        """The file's name, with the member of a zip file."""
        return f"{self.path.name}/{Path(self.member).name}" if self.member else self.path.name

    def sha256(self) -> str:
        """Hash of the file as it lies there."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @contextmanager
    def stream(self) -> Iterator[BinaryIO]:
        """Its content from the beginning; damage on the way raises DataError."""
        try:
            if self.member is not None:
                with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                    yield cast(BinaryIO, file)
            elif self.gzipped:
                with gzip.open(self.path) as zipped:
                    yield cast(BinaryIO, zipped)
            else:
                with self.path.open("rb") as plain:
                    yield plain
        except (zipfile.BadZipFile, EOFError, zlib.error, gzip.BadGzipFile, NotImplementedError) as error:
            raise DataError(f"{self.path}: expected a whole archive, found a damaged one ({error})") from error
        except RuntimeError as error:  # how zipfile says that a member is encrypted
            if "encrypted" not in str(error):
                raise
            raise DataError(f"{self.path}: {self.member} is encrypted; unpack it and give the file") from error


def open_table(path: Path) -> Opened:
    """Find out what a file is, by its first bytes rather than by its name.

    Raises:
        DataError: no such file, an empty one, a workbook, or an archive that does not hold exactly one table.
    """
    if not path.is_file():
        near = sorted(one.name for one in path.parent.iterdir())[:8] if path.parent.is_dir() else []
        raise DataError(f"no file {str(path)!r}" + (f"; in its folder: {', '.join(near)}" if near else ""))
    with path.open("rb") as file:
        head = file.read(8)
    if not head:
        raise DataError(f"{path}: expected a table, found an empty file")
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise DataError(f"{path}: expected a table as text, Parquet or JSON Lines, found {EXCEL}")
    if head.startswith(b"PK\x03\x04"):
        member = _only_member(path)
        opened = Opened(path, "text", Path(member).suffix.casefold(), member=member)
    elif head.startswith(b"\x1f\x8b"):
        opened = Opened(path, "text", Path(path.name.removesuffix(".gz")).suffix.casefold(), gzipped=True)
    else:
        opened = Opened(path, "text", path.suffix.casefold())
    return Opened(opened.path, _kind(opened), opened.ending, opened.member, opened.gzipped)


def _kind(opened: Opened) -> Kind:
    with opened.stream() as stream:
        head = stream.read(4096)
    if head.startswith(b"PAR1"):
        if opened.member is not None or opened.gzipped:
            raise DataError(f"{opened.path}: holds a Parquet file; unpack it and give that")
        return "parquet"
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if opened.ending == ".json":
        return "json" if first == b"[" else "jsonl"
    if opened.ending in (".jsonl", ".ndjson") or (first == b"{" and opened.ending not in (".csv", ".tsv")):
        return "jsonl"
    return "text"


def _only_member(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [one.filename for one in archive.infolist() if not one.is_dir()]
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: expected a whole zip file, found a damaged one ({error})") from error
    if "xl/workbook.xml" in names:
        raise DataError(f"{path}: expected a table as text, Parquet or JSON Lines, found {EXCEL}")
    names = [name for name in names if not name.startswith("__MACOSX/") and not Path(name).name.startswith(".")]
    tables = names if len(names) == 1 else [name for name in names if Path(name).suffix.casefold() in TEXTS]
    if len(tables) != 1:
        found = ", ".join(names[:8]) or "nothing"
        raise DataError(f"{path}: expected one table in the zip file, found {found}. Unpack it and give the file.")
    return tables[0]


def chunks_of(stream: io.BufferedIOBase | BinaryIO, size: int) -> Iterator[bytes]:
    """The stream's bytes, piece by piece."""
    while chunk := stream.read(size):
        yield chunk
