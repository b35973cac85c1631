"""What happened when a cell was answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from beatingbert.runs.cell import Cell

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One finished run, as `results.json` holds it.

    Attributes:
        run_name: the name of its folder, unless the user chose the folder.
        cell: what was asked.
        model: short name of the checkpoint, or of the engine where there is none.
        scores: evaluation split to its scorecard as plain JSON, in the task's order; empty in predict mode.
        efficiency: latency, throughput, memory, times and sizes as plain JSON.
        data: where the rows came from and how many were used.
        checkpoint: reference, kind, revision and hash of the weights; empty for baselines.
        template: name and hash of the prompt template; empty where none is used.
        notes: what else the engine tells.
        environment: machine, versions, commit.
        started_at, finished_at: ISO 8601 with time zone.
        folder: where it lies; not part of the record itself.
    """

    run_name: str
    cell: Cell
    model: str
    scores: Mapping[str, Any]
    efficiency: Mapping[str, Any]
    data: Mapping[str, Any]
    checkpoint: Mapping[str, str]
    template: Mapping[str, str]
    notes: Mapping[str, Any]
    environment: Mapping[str, Any]
    started_at: str
    finished_at: str
    folder: Path = field(default=Path(), compare=False)

    @property
    def metrics(self) -> dict[str, Any]:
        """Metrics of the task's first evaluation split: name to {"value", "low", "high"}; empty in predict mode."""
        first = next(iter(self.scores.values()), None)
        return dict(first["metrics"]) if first else {}

    @property
    def is_served(self) -> bool:
        """Whether a model behind a server answered, whatever the engine: no machine here did the work."""
        return self.checkpoint.get("kind") == "served"

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON; `metrics` repeats those of the first evaluation split for easy reading."""
        return {
            "format": FORMAT,
            "run_name": self.run_name,
            "task": self.cell.task,
            "engine": self.cell.engine,
            "model": self.model,
            "metrics": self.metrics,
            "scores": dict(self.scores),
            "efficiency": dict(self.efficiency),
            "data": dict(self.data),
            "checkpoint": dict(self.checkpoint),
            "template": dict(self.template),
            "notes": dict(self.notes),
            "cell": self.cell.to_json(),
            "environment": dict(self.environment),
            "started_at": self.started_at,
            "finished_at": self.finished_at,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], folder: Path) -> Self:
        """The record that `to_json` wrote.

        Raises:
            KeyError: an entry is missing.
        """
        cell = {name: value for name, value in data["cell"].items() if name != "id"}
        names = ("scores", "efficiency", "data", "checkpoint", "template", "notes", "environment")
        return cls(
            run_name=data["run_name"],
            cell=Cell(**cell),
            model=data["model"],
            **{name: data[name] for name in names},
            started_at=data["started_at"],
            finished_at=data["finished_at"],
            folder=folder,
        )
