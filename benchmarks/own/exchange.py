"""What the bench and a peer tell each other, in a folder: the job and the rows go in, the answers and notes come out.

A peer lives in an environment of its own, so this file needs nothing but the standard library. The test rows that a
peer sees have no label.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Self

TRAIN, TEST, JOB, ANSWERS, TOLD = "train.jsonl", "test.jsonl", "job.json", "answers.jsonl", "told.json"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a user's table.

    Attributes:
        id: its number in its file.
        texts: the texts, in the order of the table's columns: one, or two of a pair, of which one may be empty.
        label: None in what is tested on.
        development: whether our own decision chooses on this row; a peer may use it as it likes.
    """

    id: str
    texts: tuple[str, ...]
    label: str | None = None
    development: bool = False

    @property
    def joined(self) -> str:
        """The texts as one: below each other, without empty ones."""
        return "\n".join(filter(None, (text.strip() for text in self.texts)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a peer is asked.

    Attributes:
        rows: folder of `train.jsonl` and `test.jsonl`.
        setting: which of its ways; "" where it has one.
        checkpoint: folder of the weights to start from; "" where it needs none.
        labels: of the task.
        begun: when its process was started, in seconds as `time.time`.
        seconds: that it has from then on, answers included.
        threads: to compute with.
        seed: of every draw.
    """

    rows: str
    setting: str
    checkpoint: str
    labels: tuple[str, ...]
    begun: float
    seconds: float
    threads: int
    seed: int

    @property
    def left(self) -> float:
        """Seconds that are left; below 0 when they are overrun."""
        return self.begun + self.seconds - time.time()

    def write(self, folder: Path) -> None:
        """Leave it where the peer looks."""
        (folder / JOB).write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What `write` has left."""
        told = json.loads((folder / JOB).read_text(encoding="utf-8"))
        return cls(**{**told, "labels": tuple(told["labels"])})

    def train(self) -> list[Row]:
        """What may be learnt from."""
        return read_rows(Path(self.rows) / TRAIN)

    def test(self) -> list[Row]:
        """What is to be answered."""
        return read_rows(Path(self.rows) / TEST)


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """JSON Lines, written beside and then renamed."""
    beside = path.with_name(path.name + ".part")
    with beside.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    beside.replace(path)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """What `write_lines` has written; only a line feed ends a line, whatever a text holds."""
    with path.open(encoding="utf-8", newline="\n") as file:
        return [json.loads(line) for line in file]


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """As `Row` has them."""
    write_lines(path, (asdict(row) for row in rows))


def read_rows(path: Path) -> list[Row]:
    """What `write_rows` has written."""
    return [Row(one["id"], tuple(one["texts"]), one["label"], one["development"]) for one in read_lines(path)]


def answer_job(play: Callable[[Job, Path], tuple[Sequence[str], Mapping[str, Any]]], packages: Sequence[str]) -> None:
    """A peer's main: let it play, and leave its answers, what it tells and its versions, the answers last.

    Args:
        play: given the job and a folder for its own files, returns a label for each test row and notes.
        packages: whose versions matter.
    """
    folder = Path(sys.argv[1])
    job = Job.read(folder)
    labels, notes = play(job, folder)
    versions = {name: metadata.version(name) for name in packages}
    told = {"notes": dict(notes), "versions": versions}
    (folder / TOLD).write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    ids = [row.id for row in job.test()]
    write_lines(folder / ANSWERS, ({"id": id, "label": str(label)} for id, label in zip(ids, labels, strict=True)))
