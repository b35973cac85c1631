"""Whether a cell that was run again answers as it was published."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beatingbert.errors import DataError

PREDICTIONS = "predictions.parquet"
KEY = ("split", "id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Two runs of one cell, row by row.

    Attributes:
        rows: how many both answered.
        same: rows with the same label, or without one in both.
        largest: the largest difference between two probabilities of one label; 0 where there are none.
    """

    rows: int
    same: int
    largest: float

    @property
    def holds(self) -> bool:
        """Whether every row has the same answer."""
        return self.same == self.rows

    def __str__(self) -> str:
        """For a reader."""
        told = f"{self.same:,} of {self.rows:,} answers are the same"
        return f"{told}, probabilities within {self.largest:.1g}" if self.largest else f"{told}, to the last digit"


def compare_runs(published: Path, again: Path) -> Agreement:
    """Hold the predictions of two published folders of one cell against each other.

    Raises:
        DataError: they do not answer the same rows.
    """
    first, second = _read(published), _read(again)
    if first.keys() != second.keys():
        few = sorted(first.keys() ^ second.keys())[:3]
        raise DataError(f"{published.name} and its repetition answer other rows, e.g. {few}; the data must be others")
    gaps = [_gap(one["probabilities"], second[key]["probabilities"]) for key, one in first.items()]
    return Agreement(
        rows=len(first),
        same=sum(one["label"] == second[key]["label"] for key, one in first.items()),
        largest=max(gaps, default=0.0),
    )


def _read(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    from pyarrow.parquet import read_table

    rows = read_table(folder / PREDICTIONS, columns=[*KEY, "label", "probabilities"]).to_pylist()
    return {(row["split"], row["id"]): row for row in rows}


def _gap(first: str | None, second: str | None) -> float:
    if first is None or second is None:
        return 0.0 if first == second else 1.0
    one, other = json.loads(first), json.loads(second)
    return max((abs(one.get(label, 0.0) - other.get(label, 0.0)) for label in {*one, *other}), default=0.0)
