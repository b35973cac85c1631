"""What is kept of a table and a system that are done: the answers, and the result that is written last."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from beatingbert.errors import SettingsError
from beatingbert.runs.files import write_json, write_text
from benchmarks.own.exchange import ANSWERS, read_lines, write_lines
from benchmarks.own.files import SEED

RESULT, FAILURE, SETTINGS = "result.json", "failure.txt", "settings.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A system that has answered a table's test rows.

    Attributes:
        file, system: of `FILES`, of `PEERS` or "ours".
        revision: of the table's bytes.
        answers: row id to label.
        seconds: that it took, answers included.
        cpu: the processor's name.
        notes: what it tells of what it did.
        versions: package to version.
        finished: the day, as 2026-11-26.
    """

    file: str
    system: str
    revision: str
    answers: Mapping[str, str | None]
    seconds: float
    cpu: str
    finished: str
    notes: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def keep(self, folder: Path) -> None:
        """Write it down, `result.json` last; an earlier failure is forgotten."""
        folder.mkdir(parents=True, exist_ok=True)
        write_lines(folder / ANSWERS, ({"id": id, "label": label} for id, label in self.answers.items()))
        (folder / FAILURE).unlink(missing_ok=True)
        write_json(folder / RESULT, {name: value for name, value in asdict(self).items() if name != "answers"})


def read_result(folder: Path) -> Result | None:
    """What was kept there; None where it is not done."""
    if not (folder / RESULT).is_file():
        return None
    told = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    answers = {one["id"]: one["label"] for one in read_lines(folder / ANSWERS)}
    return Result(**told, answers=answers)


def keep_failure(folder: Path, reason: str) -> None:
    """Remember why there is no result; the same command tries again."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / FAILURE, reason + "\n")


def read_failure(folder: Path) -> str | None:
    """Why there is no result; None where nobody tried."""
    file = folder / FAILURE
    return file.read_text(encoding="utf-8").strip() if file.is_file() else None


def require_same_settings(folder: Path, *, budget: float, cores: int) -> None:
    """Refuse to mix results of different conditions in one folder.

    Raises:
        SettingsError: it holds results of another budget or number of cores.
    """
    wanted = {"budget": budget, "cores": cores, "seed": SEED}
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / SETTINGS
    with FileLock(folder / ".lock"):  # two commands may begin at once
        if not file.is_file():
            write_json(file, wanted)
    found = json.loads(file.read_text(encoding="utf-8"))
    if found != wanted:
        raise SettingsError(
            f"{str(folder)!r} holds results of {_words(found)}, and asked is {_words(wanted)}; "
            "results of different conditions are not compared. Give another --output_dir"
        )


def clear(folder: Path) -> None:
    """Take away what an interrupted attempt has left."""
    shutil.rmtree(folder, ignore_errors=True)


def _words(settings: Mapping[str, Any]) -> str:
    return f"{settings['budget']:g} s on {settings['cores']} core(s), seed {settings['seed']}"
