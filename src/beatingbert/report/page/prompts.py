"""What a run's model read, for the rows that the page carries."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from beatingbert.errors import DataError

PROMPTS = "prompts/prompts.jsonl"


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
        # Without the place on this machine: the page is read elsewhere.
        raise DataError(f"damaged: {PROMPTS} of {folder.name} cannot be read ({type(error).__name__})") from error
    return found
