"""Which tables the bench knows, how `decide` is told about them, and their rows as everybody gets them.

The split is the project's own: the same that `beatingbert decide` makes of the same file with the same seed.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from beatingbert.errors import DataError, UnknownNameError
from beatingbert.runs.files import write_json
from beatingbert.tables.divide import split_own
from beatingbert.tables.own import read_own
from beatingbert.tasks.example import Example
from benchmarks.own.exchange import TEST, TRAIN, Row, read_lines, write_lines, write_rows

SPLIT, GOLD = "split.json", "gold.jsonl"
SEED = 99


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class File:
    """A user's table.

    Attributes:
        name: as the command line and the tables call it.
        path: below the folder of the data: a file, or a folder of splits.
        columns: what `decide` is told besides, as flags.
    """

    name: str
    path: str
    columns: Mapping[str, str] = field(default_factory=dict)


FILES: tuple[File, ...] = (
    File(name="banking77", path="banking77"),
    File(name="sms_spam", path="sms_spam/sms.tsv"),
    # Each line is a label, a blank and a question; the label as it stands, such as DESC:def, has 50 classes.
    File(name="trec", path="trec", columns={"encoding": "cp1252", "delimiter": "blank"}),
    File(
        name="womens_clothing",
        path="womens_clothing/Womens Clothing E-Commerce Reviews.csv.zip",
        columns={"text": "Review Text", "text_pair": "Title", "label": "Recommended IND", "group": "Clothing ID"},
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A table's rows as they were given to everybody.

    Attributes:
        folder: of `train.jsonl` and `test.jsonl`, which peers see; the test rows there have no label.
        revision: what the files' bytes hash to, as the records of a decision have it.
        labels: of the task.
        train, development, test: how many rows; a peer gets the first two together.
        gold: the test rows with their labels.
    """

    folder: Path
    revision: str
    labels: tuple[str, ...]
    train: int
    development: int
    test: int
    gold: Mapping[str, str]


def hand_out(file: File, data_dir: Path, folder: Path) -> Rows:
    """Split a table once and write its rows down; later calls read what is there.

    Args:
        file: which.
        data_dir: the folder below which it lies.
        folder: where the rows go; it appears whole or not at all.

    Raises:
        DataError: it is not there, or cannot be read or split.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(folder.name + ".lock")):
        if not (folder / SPLIT).is_file():
            _write(file, data_dir, folder)
    told = json.loads((folder / SPLIT).read_text(encoding="utf-8"))
    gold = {one["id"]: one["label"] for one in read_lines(folder.parent / GOLD)}
    return Rows(folder=folder, gold=gold, **{**told, "labels": tuple(told["labels"])})


def _write(file: File, data_dir: Path, folder: Path) -> None:
    source = data_dir / file.path
    if not source.exists():
        raise DataError(f"--data_dir {str(data_dir)!r} has no {file.path!r}; leave {file.name} out of --files")
    columns: dict[str, Any] = dict(file.columns)
    own = read_own(source, **columns)
    task, splits = split_own(own, seed=SEED)
    test = splits.evaluation["test"]
    learnt = [*_rows(splits.train), *_rows(splits.development, development=True)]
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / folder.name
        made.mkdir()
        write_rows(made / TRAIN, learnt)
        write_rows(made / TEST, (Row(row.id, row.texts) for row in _rows(test)))
        write_lines(folder.parent / GOLD, ({"id": one.question.id, "label": one.label} for one in test))
        counts = {"train": len(splits.train), "development": len(splits.development), "test": len(test)}
        revision = splits.provenance["revision"]
        write_json(made / SPLIT, {"revision": revision, "labels": list(task.labels), **counts})
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


def _rows(examples: Sequence[Example], *, development: bool = False) -> list[Row]:
    return [Row(one.question.id, tuple(one.question.texts.values()), one.label, development) for one in examples]


def choose_files(names: Sequence[str]) -> tuple[File, ...]:
    """Those that are named, in the order of the table.

    Raises:
        UnknownNameError: a name that it has not.
    """
    known = [one.name for one in FILES]
    for name in names:
        if name not in known:
            raise UnknownNameError("file", name, known)
    return tuple(one for one in FILES if one.name in names)
