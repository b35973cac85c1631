"""What a run's folder keeps of its questions and prompts, for the rows that the page carries."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from beatingbert.errors import DataError

QUESTIONS = "questions.parquet"
PROMPTS = "prompts/prompts.jsonl"

Texts = tuple[dict[str, str], tuple[str, ...]]
"""Field name to text, and the choices."""


def read_texts(folder: Path, split: str, ids: Collection[str]) -> dict[str, Texts]:
    """Question id to its texts; empty for a run from before questions were kept.

    Raises:
        DataError: the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import parquet

    path = folder / QUESTIONS
    if not path.exists():
        return {}
    try:
        table = parquet.read_table(path, columns=["split", "id", "fields", "choices"])
        wanted = pc.and_(pc.equal(table["split"], split), pc.is_in(table["id"], pa.array(sorted(ids), pa.string())))
        return {
            row["id"]: (json.loads(row["fields"]), tuple(json.loads(row["choices"]) if row["choices"] else ()))
            for row in table.filter(wanted).to_pylist()
        }
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise DataError(_told(folder, QUESTIONS, error, "questions")) from error


def read_prompts(folder: Path, split: str, ids: Collection[str]) -> dict[str, str]:
    """Question id to what the model read; empty for a run without prompts.

    Raises:
        DataError: the file is damaged.
    """
    path = folder / PROMPTS
    if not path.exists():
        return {}
    found: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if row["split"] == split and row["id"] in ids and row["prompt"] is not None:
                    found[row["id"]] = str(row["prompt"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(_told(folder, PROMPTS, error, "prompts")) from error
    return found


def _told(folder: Path, name: str, error: Exception, what: str) -> str:
    """Without the place on this machine: the page is read elsewhere."""
    return f"{name} of {folder.name} cannot be read ({type(error).__name__}); its {what} are not shown"
