"""What an interrupted training leaves in its scratch folder, and what of it can be trusted.

trainer/checkpoint-120/   Trainer's own: weights, optimiser, schedule, random state; the newest only
trainer/best-2/           weights of the best epoch so far, here the second
trainer/attempts.json     trainings that have collapsed and were begun anew, oldest first
model/training.json       the training has ended: its history and notes
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

SCRATCH = "trainer"
ATTEMPTS = "attempts.json"
ENDED = "training.json"
STATE = "trainer_state.json"


def last_checkpoint(scratch: Path, processes: int = 1) -> Path | None:
    """The newest checkpoint that is whole, or None.

    Trainer writes its state last, so a checkpoint whose state can be read was not cut short. Several processes each
    add their own random state, perhaps after that.
    """
    for folder in sorted(scratch.glob("checkpoint-*"), key=_step, reverse=True):
        names = ["rng_state.pth"] if processes == 1 else [f"rng_state_{rank}.pth" for rank in range(processes)]
        if _read(folder / STATE) is not None and all((folder / name).is_file() for name in names):
            return folder
    return None


def drop_broken_checkpoints(scratch: Path, whole: Path | None) -> None:
    """Remove every checkpoint but the whole one: Trainer would take a newer broken one for the newest."""
    for folder in scratch.glob("checkpoint-*"):
        if folder != whole:
            shutil.rmtree(folder)


def _step(folder: Path) -> int:
    number = re.search(r"\d+$", folder.name)
    return int(number[0]) if number else -1


def read_attempts(scratch: Path) -> list[dict[str, Any]]:
    """The trainings that have collapsed so far."""
    return list(_read(scratch / ATTEMPTS) or [])


def read_ended(model_folder: Path) -> dict[str, Any] | None:
    """What a training that has ended told of itself, or None where none has."""
    found = _read(model_folder / ENDED)
    return dict(found) if found is not None else None


def write_whole(path: Path, data: Any) -> None:
    """Write beside, then rename, as JSON."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps(data, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    beside.replace(path)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
