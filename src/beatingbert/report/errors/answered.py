"""A question together with the gold label and what a run answered, as its folder keeps them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beatingbert.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One row of a run.

    Attributes:
        id: of the question, unique within its split.
        gold: the right label; None where the split is unlabelled.
        label: what was answered; None where the reply named no label.
        confidence: probability of the answered label, where the engine has any.
        reply: what the model wrote, where it wrote something.
        lost_tokens: tokens of the question that were cut away.
        fields: name to text, in the task's order; None for a run that did not keep its questions.
        choices: the answers to choose from; empty unless the task is multiple choice.
    """

    id: str
    gold: str | None
    label: str | None
    confidence: float | None
    reply: str | None
    lost_tokens: int
    fields: Mapping[str, str] | None
    choices: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        """Whether the answer is the gold label; a reply that named none is wrong."""
        return self.label is not None and self.label == self.gold

    @property
    def words(self) -> int | None:
        """Words of all texts and choices, split at white space; None where the question was not kept."""
        if self.fields is None:
            return None
        return sum(len(text.split()) for text in (*self.fields.values(), *self.choices))

    @property
    def text(self) -> str:
        """The question as one text: a single field as it is, several each behind its name; empty if it was not kept."""
        if self.fields is None:
            return ""
        named = len(self.fields) > 1 or bool(self.choices)
        lines = [f"{name}: {text}" if named else text for name, text in self.fields.items()]
        lines += [f"{position}) {choice}" for position, choice in enumerate(self.choices)]
        return "\n".join(lines)


def read_answered(folder: Path) -> dict[str, list[Answered]]:
    """Split to its rows, in the order in which they were asked.

    Raises:
        DataError: predictions.parquet or questions.parquet is missing or damaged; of runs from before questions were
            kept, only the first is asked for.
    """
    questions = {}
    if (folder / "questions.parquet").exists():
        questions = {(row["split"], row["id"]): row for row in _read(folder / "questions.parquet")}
    found: dict[str, list[Answered]] = defaultdict(list)
    for row in _read(folder / "predictions.parquet"):
        found[row["split"]].append(_join(row, questions.get((row["split"], row["id"]))))
    return dict(found)


def _join(row: Mapping[str, Any], question: Mapping[str, Any] | None) -> Answered:
    probabilities = json.loads(row["probabilities"]) if row["probabilities"] else {}
    return Answered(
        id=row["id"],
        gold=row["gold"],
        label=row["label"],
        confidence=probabilities.get(row["label"]),
        reply=row["reply"],
        lost_tokens=row["lost_tokens"] or 0,
        fields=json.loads(question["fields"]) if question else None,
        choices=tuple(json.loads(question["choices"])) if question and question["choices"] else (),
    )


def _read(path: Path) -> list[dict[str, Any]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{str(path)!r} cannot be read as a table ({type(error).__name__}); run the cell again"
        ) from error
    return rows
