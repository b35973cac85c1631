"""What a run was asked, as its folder keeps it: the one reader of `questions.parquet`."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from beatingbert.errors import DataError

QUESTIONS = "questions.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The texts of one question.

    Attributes:
        fields: name to text, in the task's order.
        choices: the answers to choose from; empty unless the task is multiple choice.
    """

    fields: Mapping[str, str]
    choices: tuple[str, ...] = ()

    @property
    def words(self) -> int:
        """Words of all texts and choices, split at white space."""
        return sum(len(text.split()) for text in (*self.fields.values(), *self.choices))

    @property
    def text(self) -> str:
        """All of it as one text: a single field as it is, several each behind its name, choices by their numbers."""
        named = len(self.fields) > 1 or bool(self.choices)
        lines = [f"{name}: {text}" if named else text for name, text in self.fields.items()]
        return "\n".join([*lines, *(f"{position}) {choice}" for position, choice in enumerate(self.choices))])

    @property
    def line(self) -> str:
        """The fields alone, for where there is room for a line."""
        return " | ".join(self.fields.values())


def keeps_questions(folder: Path) -> bool:
    """Whether a run kept its questions; those from before questions were kept did not."""
    return (folder / QUESTIONS).exists()


def read_questions(folder: Path, split: str, ids: Collection[str] | None = None) -> dict[str, Asked]:
    """Question id to what was asked; empty for a run that did not keep its questions.

    Args:
        folder: the run's.
        split: which.
        ids: of the questions to read; all where none are given.

    Raises:
        DataError: the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import parquet

    if not keeps_questions(folder):
        return {}
    try:
        table = parquet.read_table(folder / QUESTIONS, columns=["split", "id", "fields", "choices"])
        wanted = pc.equal(table["split"], split)
        if ids is not None:
            wanted = pc.and_(wanted, pc.is_in(table["id"], pa.array(sorted(ids), pa.string())))
        return {
            row["id"]: Asked(
                fields=dict(json.loads(row["fields"])),
                choices=tuple(json.loads(row["choices"])) if row["choices"] else (),
            )
            for row in table.filter(wanted).to_pylist()
        }
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        # Without the place on this machine: this is told on a page that is read elsewhere.
        raise DataError(f"damaged: {QUESTIONS} of {folder.name} cannot be read ({type(error).__name__})") from error
