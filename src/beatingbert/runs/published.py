"""`suite.json` of a published folder: which cells a suite has, told apart from which of them lie there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from beatingbert.errors import DataError
from beatingbert.runs.files import write_json

LIST = "suite.json"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One cell of a published suite.

    Attributes:
        id, name: of the cell, and of its run's folder.
        task, engine, model: of the cell; the model as its reference.
        how: how it answers, in words.
        template: the folder of its prompt files; None for the shipped ones, and where none are used.
    """

    id: str
    name: str
    task: str
    engine: str
    model: str
    how: str
    template: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CellList:
    """Every cell of a suite, in the order in which they are run.

    Attributes:
        suite, about: its name, and what it is for.
        cells: its cells.
    """

    suite: str
    about: str
    cells: tuple[Listed, ...]


def write_list(path: Path, suite: str, about: str, cells: Sequence[Listed]) -> None:
    """Write the list, unless it is there as it is."""
    told = {"format": FORMAT, "suite": suite, "about": about, "cells": [asdict(one) for one in cells]}
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if json.loads(path.read_text(encoding="utf-8")) == told:
            return
    except (OSError, ValueError):
        pass  # not there, or damaged: written anew
    write_json(path, told)


def read_list(folder: Path) -> CellList:
    """The list of a published folder.

    Raises:
        DataError: there is none, or it cannot be read.
    """
    path = folder / LIST
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["format"] != FORMAT:
            raise ValueError(f"format {told['format']!r}, expected {FORMAT}")
        cells = tuple(Listed(**one) for one in told["cells"])
        return CellList(suite=str(told["suite"]), about=str(told["about"]), cells=cells)
    except FileNotFoundError as error:
        raise DataError(
            f"{str(folder)!r} holds no published suite (no {LIST}); "
            "make one with 'beatingbert suite publish FILE --to DIR'"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{str(path)!r} is damaged ({type(error).__name__}: {error}); publish the suite again"
        ) from error
