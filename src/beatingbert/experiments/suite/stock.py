"""What a store holds of a suite: which cells are done, which failed, which somebody is working on.

A cell is done exactly when a results.json that can be read names its id. Nothing else counts, so nothing half-written
does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from beatingbert.errors import BeatingBertError
from beatingbert.experiments.suite.load import SuiteCell
from beatingbert.runs.lease import is_being_worked_in
from beatingbert.runs.record import RunRecord
from beatingbert.runs.store import RESULTS, read_record

ERROR = "error.txt"


class State(StrEnum):
    """How far a cell is."""

    DONE = "done"
    RUNNING = "running"  # in a process that is alive
    FAILED = "failed"  # the last attempt left its traceback
    LEFT = "left"  # nothing to be kept yet, or an attempt that was interrupted


@dataclass(frozen=True, slots=True)
class Stock:
    """The readable records of a store, by the id of their cell, and what could not be read."""

    root: Path
    records: Mapping[str, RunRecord]
    unreadable: tuple[Path, ...] = field(default=())

    def state_of(self, one: SuiteCell) -> State:
        """How far a cell is."""
        if one.id in self.records:
            return State.DONE
        folder = self.root / one.name
        if not folder.is_dir():
            return State.LEFT
        if is_being_worked_in(folder):
            return State.RUNNING
        return State.FAILED if (folder / ERROR).exists() else State.LEFT

    def error_of(self, one: SuiteCell) -> Path:
        """Where the traceback of a failed cell is."""
        return self.root / one.name / ERROR


def take_stock(root: Path, published: Path | None = None) -> Stock:
    """Read every record right under `root`; those that cannot be read are named, and their cells are not done.

    Args:
        root: the store.
        published: a folder of published runs whose cells are done as well; of a cell in both, the store's counts.
    """
    records: dict[str, RunRecord] = {}
    unreadable = []
    roots = [root] if published is None else [published, root]
    for path in (path for folder in roots for path in sorted(folder.glob(f"*/{RESULTS}"))):
        try:
            record = read_record(path)
        except (BeatingBertError, OSError):
            unreadable.append(path)
        else:
            records[record.cell.id] = record
    return Stock(root, records, tuple(unreadable))


def past_records(*roots: Path) -> Iterator[RunRecord]:
    """Every readable record anywhere under these folders, each once: what estimates are made from."""
    seen: set[Path] = set()
    for root in roots:
        for path in sorted(root.glob(f"**/{RESULTS}")):
            if path.resolve() in seen:
                continue
            seen.add(path.resolve())
            try:
                yield read_record(path)
            except (BeatingBertError, OSError):
                continue
