"""Runs as they travel: to and from a store that is a URL, or back from a machine whose disk nobody else can read.

A run's results.json travels last and appears under its name only when it is whole, so a run that is half there counts as
not done. Models stay where they were trained: what travels is what scores and tables are made of.
"""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from beatingbert.errors import NotAvailableError, SettingsError, UnreachableError
from beatingbert.runs.store import RESULTS, SAFE_NAME

STAYS = ("model", "adapter", "merged_model", "trainer")  # folders of weights
PASSING = (".working", ".lease")  # starts of names of what is only there while a run is made


def is_url(store: str) -> bool:
    """Whether a store is named by a URL, such as s3://bucket/runs, and not by a folder."""
    return "://" in store


def is_evidence(name: PurePath) -> bool:
    """Whether a file of a run, named within its folder, travels."""
    return name.parts[0] not in STAYS and not name.name.startswith(PASSING) and not name.name.endswith(".part")


def push(folder: Path, url: str) -> None:
    """Copy a finished run to the store, its results.json last.

    Raises:
        UnreachableError: the store does not take it.
    """
    files, root = _open(url)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    names = [name for name in names if is_evidence(PurePath(name)) and name != RESULTS]
    try:
        for name in [*names, RESULTS]:
            target = f"{root}/{folder.name}/{name}"
            files.makedirs(target.rpartition("/")[0], exist_ok=True)
            files.put_file(str(folder / name), f"{target}.part" if name == RESULTS else target)
        done = f"{root}/{folder.name}/{RESULTS}"
        files.mv(f"{done}.part", done)
    except OSError as error:
        raise UnreachableError(f"run {folder.name!r} could not be copied to {url}: {error}") from error


def pull(url: str, root: Path) -> list[str]:
    """Copy every finished run of the store that is not under `root` yet to there.

    Returns:
        The names of those that were copied.

    Raises:
        UnreachableError: the store does not answer.
    """
    files, base = _open(url)
    fetched = []
    try:
        for entry in files.ls(base, detail=False) if files.exists(base) else []:
            name = PurePath(entry).name
            folder = root / name
            wanted = SAFE_NAME.fullmatch(name) and not (folder / RESULTS).exists()
            if wanted and files.exists(f"{base}/{name}/{RESULTS}"):
                _fetch(files, f"{base}/{name}", folder)
                fetched.append(name)
    except OSError as error:
        raise UnreachableError(f"store {url} cannot be read: {error}") from error
    return fetched


def unpack(brought: Mapping[str, str], folder: Path) -> None:
    """Write the files that a worker has sent, results.json last.

    Args:
        brought: name within the run's folder to base64.
        folder: where the run is kept.

    Raises:
        SettingsError: a name that leads out of the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(brought, key=lambda name: name == RESULTS):
        if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
            raise SettingsError(f"a worker has sent a file named {name!r}, which leads out of its run's folder")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".part")
        beside.write_bytes(base64.b64decode(brought[name], validate=True))
        beside.replace(path)


def _fetch(files: Any, source: str, folder: Path) -> None:
    """One run into a folder beside its own, which takes the name when it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder.parent) as scratch:
        whole = Path(scratch) / folder.name
        for entry in files.find(source):
            name = PurePath(entry).relative_to(PurePath(source.removeprefix("/") if entry[0] != "/" else source))
            if ".." not in name.parts and is_evidence(name):
                (whole / name).parent.mkdir(parents=True, exist_ok=True)
                files.get_file(entry, str(whole / name))
        shutil.rmtree(folder, ignore_errors=True)  # what an interrupted attempt has left here
        os.replace(whole, folder)  # noqa: PTH105  # as the rest of a folder's moving


def _open(url: str) -> tuple[Any, str]:
    """The file system behind a URL, and the path within it."""
    import fsspec

    try:
        files, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise NotAvailableError(f"--store {url} needs a further package: {error}") from error
    except ValueError as error:
        raise SettingsError(f"--store {url!r} is no URL that fsspec knows: {error}") from error
    return files, str(path).rstrip("/")
