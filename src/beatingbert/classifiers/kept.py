"""The folder of a classifier at work: `classifier.json`, the engine's own parts and their SHA-256 sums.

Everything in it is data (JSON, text, safetensors, ONNX) and never a pickle, so that opening it runs no code. It is
written beside and renamed, so one that is there is whole. `development.jsonl` and `demonstrations.json` hold rows of
the user's, `vocabulary.json` their words.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from beatingbert.engines.protocol import Classifier
from beatingbert.errors import DamagedRecordError, RunExistsError, UsageError
from beatingbert.runs.cell import Cell
from beatingbert.runs.checksums import CHECKSUMS, find_changed, write_checksums
from beatingbert.runs.environment import capture_environment
from beatingbert.tasks.declaration import declare, declared
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.spec import Task

FORMAT = 1
FOLDER = "classifier"  # within a run's
ABOUT, DEVELOPMENT = "classifier.json", "development.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a classifier's folder says of it.

    Attributes:
        engine, engine_version, settings, seed: as in the cell that made it.
        task: what it was made for.
        data_revision: hash or commit of the data that it was made from.
        scores: evaluation split to {"rows", "accuracy": {"value", "low", "high"}}; empty where nothing was scored.
        versions: package to version when it was made.
        made_at: ISO 8601 with time zone.
        sha256: of `classifier.json` and the parts, so that two classifiers can be told apart.
    """

    engine: str
    engine_version: int
    settings: Mapping[str, Any]
    seed: int
    task: Task
    data_revision: str
    scores: Mapping[str, Any]
    versions: Mapping[str, str | None]
    made_at: str
    sha256: str


def keep_classifier(
    classifier: Classifier,
    folder: Path,
    task: Task,
    *,
    cell: Cell,
    scores: Mapping[str, Any] | None = None,
    development: Sequence[Example] = (),
) -> Path:
    """Write a classifier's folder, all of it or nothing.

    Args:
        classifier: fitted.
        folder: to be made, usually RUN/classifier.
        task: what it was fitted for.
        cell: engine, settings and seed that it was made with.
        scores: evaluation split to its scorecard as plain JSON, as a record has them.
        development: rows that it was not trained on and that no report is about; `beatingbert export` compares an
            exported form on them. They are written down with their labels; none leaves the file out.

    Returns:
        The folder.

    Raises:
        RunExistsError: there is a classifier already, which is never overwritten.
    """
    if folder.exists():
        raise RunExistsError(f"{str(folder)!r} already holds a classifier, which is never overwritten; remove it first")
    beside = folder.with_name(folder.name + ".part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        classifier.keep(beside)
        if development:
            _write_rows(beside / DEVELOPMENT, development)
        environment = capture_environment()
        about = {
            "format": FORMAT,
            "engine": cell.engine,
            "engine_version": cell.engine_version,
            "settings": dict(cell.settings),
            "seed": cell.seed,
            "task": declare(task),
            "data_revision": cell.data_revision,
            "scores": {split: _accuracy(card) for split, card in (scores or {}).items()},
            "versions": {"python": environment["python"], **environment["packages"]},
            "made_at": datetime.now().astimezone().isoformat(timespec="seconds"),
        }
        text = json.dumps(about, indent=2, ensure_ascii=False, allow_nan=False)
        (beside / ABOUT).write_text(text + "\n", encoding="utf-8")
        seal(beside)
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return folder


def seal(folder: Path) -> None:
    """Write down the sums of all files below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != CHECKSUMS)
    write_checksums(folder, {path.relative_to(folder).as_posix(): path for path in files})


def find_kept(path: Path) -> Path:
    """The classifier's folder: the path itself, or the one inside a run.

    Raises:
        UsageError: there is none.
    """
    for folder in (path, path / FOLDER):
        if (folder / ABOUT).is_file():
            return folder
    if (path / "results.json").is_file():
        raise UsageError(
            f"run {str(path)!r} has kept no classifier; do it again with --keep_classifier, which leaves one in "
            f"{str(path / FOLDER)!r}"
        )
    found = "an empty place" if not path.exists() else "a folder" if path.is_dir() else "a file"
    raise UsageError(
        f"{str(path)!r} holds no classifier: expected a folder with {ABOUT}, or a run that was made with "
        f"--keep_classifier, found {found} without"
    )


def read_about(folder: Path) -> About:
    """What the folder says, after all of its files have been held against their sums.

    Raises:
        DamagedRecordError: a file is missing or not as it was written, or the format is another version's.
    """
    damage = find_changed(folder) if (folder / CHECKSUMS).is_file() else f"{CHECKSUMS} is missing"
    if damage is not None:
        raise DamagedRecordError(f"classifier {str(folder)!r} is damaged: {damage}; copy it anew or make it again")
    try:
        data = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']!r}, expected {FORMAT}")
        names = ("engine", "engine_version", "settings", "seed", "data_revision", "scores", "versions", "made_at")
        return About(**{name: data[name] for name in names}, task=declared(data["task"]), sha256=identity_of(folder))
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedRecordError(
            f"{str(folder / ABOUT)!r} is no classifier of this version ({type(error).__name__}: {error}); make it again"
        ) from error


def identity_of(folder: Path) -> str:
    """One hash for all files of a sealed folder."""
    return hashlib.sha256((folder / CHECKSUMS).read_bytes()).hexdigest()


def read_development(folder: Path) -> list[Example]:
    """The rows that were kept to compare with; empty where there are none."""
    path = folder / DEVELOPMENT
    if not path.is_file():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    return [Example(Question(one["id"], one["texts"], tuple(one["choices"])), one["label"]) for one in rows]


def _write_rows(path: Path, rows: Sequence[Example]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for example in rows:
            asked = example.question
            row = {"id": asked.id, "texts": dict(asked.texts), "choices": asked.choices, "label": example.label}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _accuracy(card: Mapping[str, Any]) -> dict[str, Any]:
    return {"rows": card["rows"], "accuracy": dict(card["metrics"]["accuracy"])}
