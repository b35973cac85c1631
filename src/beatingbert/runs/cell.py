"""One square of the grid, and the id that covers all that its answer depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What was asked: task x engine x settings x train size x seed, with the versions behind them.

    Attributes:
        task, engine: names from their catalogs.
        engine_version: goes up when the engine's answers may change.
        mode: "evaluate" scores the evaluation splits; "predict" answers the unlabelled test split.
        settings: the engine's settings as plain JSON.
        train_size: labelled rows that may be used, the development part included; None means all.
        eval_size: rows per evaluation split; None means all.
        seed: of every draw.
        select_on: "development", or "validation" for the optimistic protocol.
        data_revision: hash or commit of the data.
        prompt_sha256: hash of the prompt template; empty where none is used.
    """

    task: str
    engine: str
    engine_version: int
    mode: str
    settings: Mapping[str, Any]
    train_size: int | None
    eval_size: int | None
    seed: int
    select_on: str
    data_revision: str
    prompt_sha256: str = ""

    @property
    def id(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the cell's canonical JSON."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()[:16]

    def canonical_json(self) -> str:
        """The cell as JSON with sorted keys and no blanks: equal cells have equal text."""
        return json.dumps(self._plain(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    def to_json(self) -> dict[str, Any]:
        """The cell as plain JSON, its id included."""
        return {"id": self.id, **self._plain()}

    def _plain(self) -> dict[str, Any]:
        """Every field as it is: settings are plain JSON already, and a suite hashes ten thousand cells."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {"settings": dict(self.settings)}
