"""Which files of a report's folder are the report's own, so that a later report takes away what is out of date.

Only what is still as it was written goes: a file that somebody has changed, or that the manifest does not name, is
never touched.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from beatingbert.runs.files import write_json

NAME = "report_files.json"
VERSION = 1

Manifest = dict[str, dict[str, str]]
"""Part of a report ("tables", "plots", ...) to its files: path relative to the folder, and SHA-256."""


def read_manifest(folder: Path) -> Manifest:
    """What the last report wrote; empty where there was none, or where the file is damaged or another version's."""
    try:
        told = json.loads((folder / NAME).read_text(encoding="utf-8"))
        if told["version"] != VERSION:
            return {}
        return {part: {file: str(mark) for file, mark in files.items()} for part, files in told["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Keep it for the next report."""
    write_json(folder / NAME, {"version": VERSION, "files": manifest})


def mark_files(folder: Path, files: Iterable[Path]) -> dict[str, str]:
    """Files, relative to their folder, with what tells that they have not been changed."""
    return {file.as_posix(): _mark(folder / file) for file in sorted(files)}


def remove_stale(folder: Path, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Remove what was written before and is not written now, with the folders that are empty then.

    Args:
        folder: of the report.
        before: path relative to the folder, and SHA-256.
        now: the same.
    """
    for name in before.keys() - now.keys():
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            continue  # nothing outside the folder was ever written
        path = folder / name
        if any(one.is_symlink() for one in (path, *path.parents) if one != folder and folder in one.parents):
            continue
        if path.is_file() and _mark(path) == before[name]:
            path.unlink()
            if path.parent != folder and not any(path.parent.iterdir()):
                path.parent.rmdir()


def _mark(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
