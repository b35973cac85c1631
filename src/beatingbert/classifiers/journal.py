"""Answers as they come, kept on disk so that a kill loses none: one line per chunk of rows, each forced to disk.

The first line says what is being answered by whom; a journal of anything else is refused. A line carries its own
checksum, so a last line that was cut by a kill is seen and taken off, and its chunk is answered again.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from beatingbert.errors import ResumeError

Answer = tuple[str | None, float | None]
"""The label, or None where none was named, and its probability, or None where the engine has none."""


class Journal:
    """The answers so far: `with Journal(path, job) as journal: ...`.

    Args:
        path: its file; it is made where there is none.
        job: what must be the same for answers to be gone on with, as plain JSON.

    Raises:
        ResumeError: on entering, the file belongs to another job.
    """

    def __init__(self, path: Path, job: Mapping[str, Any]) -> None:
        self.path = path
        self.rows = 0  # that have been answered
        self._job = dict(job)

    def __enter__(self) -> Self:
        self._file: IO[bytes] = self.path.open("a+b")
        try:
            self._take_up()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, answers: Sequence[Answer]) -> None:
        """Keep the next rows' answers; they are on disk when this returns."""
        self._write([list(answer) for answer in answers])
        self.rows += len(answers)

    def answers(self) -> Iterator[Answer]:
        """Every answer, in the order of the rows."""
        with self.path.open("rb") as file:
            lines = iter(file)
            next(lines)
            for line in lines:
                yield from map(tuple, _content(line) or ())

    def _take_up(self) -> None:
        self._file.seek(0)
        first = self._file.readline()
        job = _content(first)
        if job is None:  # new, or cut within its first line
            self._cut(0)
            self._write(self._job)
            return
        if job != self._job:
            differs = ", ".join(sorted(name for name in self._job if job.get(name) != self._job[name])) or "format"
            raise ResumeError(
                f"{str(self.path)!r} holds the answers of an interrupted prediction of another kind (another "
                f"{differs}); remove it to begin anew, or choose another output file"
            )
        whole = len(first)
        for line in iter(self._file.readline, b""):
            answers = _content(line)
            if answers is None:
                break
            self.rows += len(answers)
            whole += len(line)
        self._cut(whole)

    def _cut(self, size: int) -> None:
        self._file.truncate(size)
        self._file.seek(0, os.SEEK_END)

    def _write(self, content: Any) -> None:
        text = json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode()
        self._file.write(b"%08x %s\n" % (zlib.crc32(text), text))
        self._file.flush()
        os.fsync(self._file.fileno())


def _content(line: bytes) -> Any:
    """What a line holds; None where it was cut or damaged."""
    digest, blank, text = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or not blank or digest != b"%08x" % zlib.crc32(text):
        return None
    return json.loads(text)
