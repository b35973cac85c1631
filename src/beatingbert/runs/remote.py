"""Finished runs at a URL that fsspec knows (`s3://`, `gs://`, `file://`, `memory://`, ...): one folder per cell id.

A cell is done there exactly when its `results.json` is there, which is written last. Keys come from the environment, as
each file system reads them. There is no lease: two runners at one URL may do a cell twice, but neither harms the other.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from beatingbert.errors import DamagedRecordError, SettingsError, UnreachableError
from beatingbert.runs.lease import LEASE, LOCK
from beatingbert.runs.store import RESULTS, find_damage, read_record

STAYS_HERE = ("model", "adapter", "best_model", "final_model", "trainer", LOCK, LEASE)
"""What is not uploaded: weights, which are large and can be trained again, and locks."""


def is_url(store: str) -> bool:
    """Whether a `--store` is a URL, not a folder."""
    return "://" in store


class RemoteStore:
    """Finished runs at a URL.

    Args:
        url: of the folder that holds them, e.g. "s3://bucket/study".

    Raises:
        SettingsError: no such file system, its driver is not installed, or the URL holds a password.
    """

    def __init__(self, url: str) -> None:
        import fsspec

        if urlsplit(url).password is not None:
            raise SettingsError(
                "a store's URL must hold no password, since it is written down in logs; set it in the environment"
            )
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise SettingsError(f"store {url!r} cannot be used: {error}") from error
        self.url = url

    def done(self) -> set[str]:
        """The ids of all cells that are done there.

        Raises:
            UnreachableError: nobody answers.
        """
        with self._asking():
            self._files.invalidate_cache()
            if not self._files.exists(self._root):
                return set()
            return {str(path).rsplit("/", maxsplit=2)[-2] for path in self._files.glob(f"{self._root}/*/{RESULTS}")}

    def put(self, folder: Path) -> None:
        """Upload a finished run, `results.json` last; a cell that is done there already stays as it is.

        Raises:
            DamagedRecordError: the run is not what was written.
            UnreachableError: nobody answers; nothing counts as done.
        """
        damage = find_damage(folder)
        if damage is not None:
            raise DamagedRecordError(f"run {str(folder)!r} is damaged and was not uploaded: {damage}")
        there = f"{self._root}/{read_record(folder / RESULTS).cell.id}"
        with self._asking():
            if self._files.exists(f"{there}/{RESULTS}"):
                return
            for path in _travelling(folder):
                name = path.relative_to(folder).as_posix()
                self._files.makedirs(f"{there}/{name}".rpartition("/")[0], exist_ok=True)
                self._files.put_file(str(path), f"{there}/{name}")
            self._files.put_file(str(folder / RESULTS), f"{there}/{RESULTS}.part")
            self._files.mv(f"{there}/{RESULTS}.part", f"{there}/{RESULTS}")

    def fetch(self, cell_id: str, into: Path) -> Path:
        """Download a finished run.

        Args:
            cell_id: which one.
            into: a local store; the run's folder there is called like the cell.

        Returns:
            The run's folder.

        Raises:
            DamagedRecordError: what arrived is not what was written; it is not kept.
            UnreachableError: nobody answers.
        """
        folder, beside = into / cell_id, into / f"{cell_id}.part"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        try:
            with self._asking():
                for there in self._files.find(f"{self._root}/{cell_id}"):
                    path = beside / str(there).rpartition(f"/{cell_id}/")[2]
                    path.parent.mkdir(parents=True, exist_ok=True)
                    self._files.get_file(there, str(path))
            damage = find_damage(beside)
            if damage is not None:
                raise DamagedRecordError(f"cell {cell_id} at {self.url!r} is damaged: {damage}; remove it there")
            beside.rename(folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        return folder

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UnreachableError(f"store {self.url!r} does not answer: {error}") from error


def _travelling(folder: Path) -> Iterator[Path]:
    """Every file that is uploaded before `results.json`."""
    for path in sorted(folder.rglob("*")):
        first = path.relative_to(folder).parts[0]
        if path.is_file() and first not in (RESULTS, *STAYS_HERE) and path.suffix != ".part":
            yield path
