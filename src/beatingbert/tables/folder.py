"""Which files does a path stand for? One table, or a folder that holds the splits of one."""

from __future__ import annotations

from pathlib import Path

from beatingbert.errors import DataError
from beatingbert.tables.naming import split_of
from beatingbert.tables.opened import TEXTS, Opened, open_table

ROWS = "rows"  # the part of a table that has no splits yet


def find_parts(path: Path, test: Path | None = None) -> tuple[dict[str, Opened], list[str]]:
    """The files to read.

    Args:
        path: a file, or a folder whose files' names say which split they hold.
        test: a file that is the test split.

    Returns:
        Part ("rows", or "train", "validation", "test") to file, and the names of a folder's files that are not read.

    Raises:
        DataError: nothing there, two files for one split, or no file that could be learnt from.
    """
    ignored: list[str] = []
    if path.is_dir():
        parts, ignored = _of_folder(path)
    else:
        parts = {ROWS: open_table(path)}
    if test is not None:
        if "test" in parts:
            raise DataError(f"{path} has a test split ({parts['test'].name}) and {test} was given as another")
        if not path.is_dir() and test.is_file() and test.samefile(path):
            raise DataError(f"{test} was given to learn from and to be tested on; leave --test out to split it")
        parts["test"] = open_table(test)
    if ROWS in parts and len(parts) > 1:
        parts = {"train": parts.pop(ROWS), **parts}
    return parts, ignored


def _of_folder(path: Path) -> tuple[dict[str, Opened], list[str]]:
    files = sorted(one for one in path.iterdir() if one.is_file() and not one.name.startswith("."))
    if not files:
        raise DataError(f"{path}: expected a table or its splits, found no file in the folder")
    found: dict[str, list[Path]] = {}
    for file in files:
        if split := split_of(file.name):
            found.setdefault(split, []).append(file)
    for split, several in found.items():
        if len(several) > 1:
            names = ", ".join(one.name for one in several)
            raise DataError(f"{path}: more than one file looks like {split}: {names}. Leave one, or give the files.")
    if "train" in found:
        used = {split: several[0] for split, several in found.items()}
        ignored = [file.name for file in files if file not in used.values()]
        return {split: open_table(file) for split, file in sorted(used.items())}, ignored
    tables = [file for file in files if set(map(str.casefold, file.suffixes)) & set(TEXTS)]
    if len(tables) == 1:
        return {ROWS: open_table(tables[0])}, [file.name for file in files if file != tables[0]]
    names = ", ".join(file.name for file in files[:8])
    raise DataError(
        f"{path}: expected one table, or files whose names say train and test, found {names}. Give the file itself, "
        "and its test file as --test."
    )
