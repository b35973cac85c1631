"""Which interrupted run to go on with. Knows folders and cells, nothing of how an engine goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from beatingbert.errors import ResumeError
from beatingbert.runs.cell import Cell
from beatingbert.runs.lease import is_being_worked_in
from beatingbert.runs.store import RESULTS

LEFT_BEHIND = ("trainer/checkpoint-*", "trainer/attempts.json", "model/training.json")
"""What an interrupted training leaves, any one of which can be gone on with."""


def require_unfinished(folder: Path, cell: Cell) -> None:
    """See that the folder holds an interrupted run of this cell.

    Raises:
        ResumeError: it holds nothing to go on with, or another cell's run; the message names what differs.
    """
    config = _config(folder)
    if config is None:
        raise ResumeError(
            f"{str(folder)!r} holds no interrupted run (no config.json); start the run without --resume first"
        )
    if config["cell"]["id"] != cell.id:
        raise ResumeError(
            f"the run in {str(folder)!r} belongs to another cell: {_differences(config['cell'], cell.to_json())}. "
            "Give the same flags as when it was started, or start a new run without --resume"
        )
    if not _can_go_on(folder):
        raise ResumeError(
            f"the run in {str(folder)!r} was interrupted before its first checkpoint; start it again without --resume"
        )


def find_unfinished(root: Path, cell: Cell) -> Path:
    """The latest interrupted run of this cell under `root` that nobody is working on.

    Raises:
        ResumeError: there is none; the message names the interrupted runs of other cells.
    """
    mine: list[tuple[int, Path]] = []
    others: list[tuple[int, Path]] = []
    for path in root.glob("*/config.json"):
        folder = path.parent
        if (folder / RESULTS).exists() or not _can_go_on(folder) or is_being_worked_in(folder):
            continue
        config = _config(folder)
        if config is not None:
            (mine if config["cell"]["id"] == cell.id else others).append((path.stat().st_mtime_ns, folder))
    if mine:
        return max(mine)[1]
    hint = f" Interrupted runs of other cells: {', '.join(sorted(one.name for _, one in others))}." if others else ""
    raise ResumeError(
        f"no interrupted run of this cell ({cell.id}: {cell.engine} on {cell.task}) with a checkpoint is under "
        f"{str(root)!r}.{hint} Give the same flags as when it was started, or name its folder with --output_dir"
    )


def kept_name(folder: Path) -> str:
    """The name under which the interrupted run was started."""
    return str((_config(folder) or {}).get("run_name", folder.name))


def _can_go_on(folder: Path) -> bool:
    return any(any(folder.glob(pattern)) for pattern in LEFT_BEHIND)


def _config(folder: Path) -> dict[str, Any] | None:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return config if isinstance(config["cell"]["id"], str) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _differences(kept: dict[str, Any], asked: dict[str, Any]) -> str:
    """Where two cells differ, e.g. "settings.epochs is 3 there and 5 here"."""
    told = []
    for name in sorted((kept.keys() | asked.keys()) - {"id"}):
        one, other = kept.get(name), asked.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            pairs = [(f"{name}.{key}", one.get(key), other.get(key)) for key in sorted(one.keys() | other.keys())]
        else:
            pairs = [(name, one, other)]
        told += [f"{where} is {before!r} there and {now!r} here" for where, before, now in pairs if before != now]
    return "; ".join(told)
