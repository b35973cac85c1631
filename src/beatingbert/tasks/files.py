"""Rows from a folder of the user's: `DIR/<task>/<split>.jsonl[.gz]`, `.parquet`, `.csv[.gz]` or `.tsv[.gz]`.

Where only `<split>_part` exists it stands in for the split, and the rows say so.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from beatingbert.errors import DataError
from beatingbert.tasks.rows import MissingSplitError, Rows, decode_rows
from beatingbert.tasks.spec import Task
from beatingbert.tasks.tables import ENDINGS, count_rows, read_table


class FilesSource:
    """One task's folder under a data directory."""

    kind = "files"

    def __init__(self, task: Task, data_dir: Path) -> None:
        """Find the folder; a missing one raises DataError."""
        self._task = task
        self._folder = data_dir / task.folder
        if not self._folder.is_dir():
            raise DataError(
                f"task {task.name!r}: no folder {task.folder!r} in {data_dir}; found there: {_folders(data_dir)}. "
                f"Expected {task.folder}/{task.evaluation[0]}.jsonl or another of {', '.join(ENDINGS)}."
            )

    def revision(self) -> str:
        """SHA-256 over the splits that are present, in the order train, evaluation, test.

        It hashes one line per split with its name and its file's SHA-256, so that no content can slide from one file
        into the next unseen.
        """
        task = self._task
        whole = hashlib.sha256()
        for split in dict.fromkeys((task.train, *task.evaluation, task.test)):
            if split is not None and (found := self._find(split)):
                whole.update(f"{split} {file_sha256(found[0])}\n".encode())
        return whole.hexdigest()

    def has(self, split: str) -> bool:
        """Whether there is a file for the split."""
        return self._find(split) is not None

    def count(self, split: str) -> int | None:
        """Rows of the split's file; None where there is none."""
        found = self._find(split)
        return count_rows(found[0]) if found else None

    def read(self, split: str) -> Rows:
        """All rows of a split.

        Raises:
            DataError: no file, more than one, or one that does not hold what the task declares.
        """
        found = self._find(split)
        if found is None:
            present = ", ".join(sorted(path.name for path in self._folder.iterdir())) or "nothing"
            raise MissingSplitError(
                f"task {self._task.name!r}: no file for split {split!r} in {self._folder}; found there: {present}. "
                f"Expected {' or '.join(self._stems(split))} with one of the endings {', '.join(ENDINGS)}."
            )
        path, partial = found
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path}: expected a readable file, found: {error.strerror or error}") from error
        sha256 = hashlib.sha256(data).hexdigest()
        stored = read_table(data, str(path))
        return decode_rows(self._task, stored, file=path.name, source=str(path), partial=partial, sha256=sha256)

    def _stems(self, split: str) -> dict[str, bool]:
        """File names without ending that may hold the split, the best first, each with whether it is a part only."""
        stems = {split: False}
        if split == self._task.train:
            stems |= {stem: position > 0 for position, stem in enumerate(self._task.train_files)}
        return stems | {f"{split}_part": True}

    def _find(self, split: str) -> tuple[Path, bool] | None:
        for stem, partial in self._stems(split).items():
            paths = [path for ending in ENDINGS if (path := self._folder / (stem + ending)).is_file()]
            if len(paths) > 1:
                names = ", ".join(path.name for path in paths)
                raise DataError(f"{self._folder}: expected one file for split {split!r}, found {names}. Keep one.")
            if paths:
                return paths[0], partial
        return None


def _folders(data_dir: Path) -> str:
    if not data_dir.is_dir():
        return "nothing, it is no folder"
    return ", ".join(sorted(path.name for path in data_dir.iterdir() if path.is_dir())) or "no folders"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits; remembered for as long as its size and time of change stay."""
    about = path.stat()
    return _hashed(path, about.st_size, about.st_mtime_ns)


@lru_cache(maxsize=256)
def _hashed(path: Path, size: int, changed_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
