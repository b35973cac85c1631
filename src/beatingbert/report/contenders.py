"""Who takes part: runs of one cell that differ in nothing but the seed are one contender."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from beatingbert.runs.record import RunRecord

HASHES = ("data_revision", "prompt_sha256")


class Side(StrEnum):
    """What is held against what."""

    LLM = "llm"
    ENCODER = "encoder"
    BASELINE = "baseline"


class Kind(StrEnum):
    """What pictures and page tell apart by colour, by symbol and in words."""

    ENCODER = "encoder"
    PROMPTED = "prompted"
    ADAPTED = "adapted"
    BASELINE = "baseline"

    @property
    def words(self) -> str:
        """As legends and filters say it."""
        return KIND_WORDS[self]


KIND_WORDS = {
    Kind.ENCODER: "encoder",
    Kind.PROMPTED: "LLM, prompted",
    Kind.ADAPTED: "LLM, adapted",
    Kind.BASELINE: "baseline",
}
KINDS = {
    "llm": Kind.PROMPTED,
    "lora": Kind.ADAPTED,
    "optimized": Kind.PROMPTED,
    "served": Kind.PROMPTED,
    "encoder": Kind.ENCODER,
    "embedding": Kind.ENCODER,
    "linear": Kind.BASELINE,
    "majority": Kind.BASELINE,
}
SIDE_OF = {Kind.PROMPTED: Side.LLM, Kind.ADAPTED: Side.LLM, Kind.ENCODER: Side.ENCODER, Kind.BASELINE: Side.BASELINE}
SIDES = {engine: SIDE_OF[kind] for engine, kind in KINDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One way of answering a task, with as many runs as it has seeds.

    Attributes:
        id: first 16 hexadecimal digits of the SHA-256 of the cell's JSON without its seed.
        how: how it answers, in a few words, with the settings that tell it from others of the same model.
        records: one run per seed, by seed.
        repeats: earlier runs of a cell that was run again; the latest counts.
    """

    id: str
    how: str
    records: tuple[RunRecord, ...]
    repeats: tuple[RunRecord, ...] = ()

    @property
    def engine(self) -> str:
        """The engine's name."""
        return self.records[0].cell.engine

    @property
    def side(self) -> Side:
        """LLM, encoder or baseline."""
        return SIDES[self.engine]

    @property
    def kind(self) -> Kind:
        """Of its side, which part."""
        return KINDS[self.engine]

    @property
    def is_constant(self) -> bool:
        """Whether it answers without reading."""
        return self.engine == "majority"

    @property
    def model(self) -> str:
        """Short name of the checkpoint, or of the engine where there is none."""
        return self.records[0].model

    @property
    def name(self) -> str:
        """Model and how it answers; no two contenders that were gathered together share one."""
        return f"{self.model} ({self.how})"


def gather_contenders(records: Sequence[RunRecord]) -> tuple[Contender, ...]:
    """Join the runs that differ in nothing but the seed, in the order of each contender's first run."""
    runs: dict[str, list[RunRecord]] = defaultdict(list)
    for record in records:
        runs[contender_id(record)].append(record)
    hows = _tell_apart({name: of_one[0] for name, of_one in runs.items()})
    found = []
    for name, of_one in runs.items():
        latest: dict[int, RunRecord] = {}
        for record in sorted(of_one, key=lambda one: (one.finished_at, str(one.folder))):
            latest[record.cell.seed] = record
        kept = tuple(latest[seed] for seed in sorted(latest))
        folders = {one.folder for one in kept}
        repeats = tuple(one for one in of_one if one.folder not in folders)
        found.append(Contender(id=name, how=hows[name], records=kept, repeats=repeats))
    return tuple(found)


def contender_id(record: RunRecord) -> str:
    """The same for runs whose cells differ in nothing but the seed."""
    cell = asdict(record.cell)
    del cell["seed"]
    return sha256(json.dumps(cell, sort_keys=True).encode()).hexdigest()[:16]


def describe(record: RunRecord) -> str:
    """How a run answers, in a few words."""
    settings = record.cell.settings
    rows = record.data.get("train_rows")
    if SIDES.get(record.cell.engine) is Side.LLM:
        shots = f"{settings['shots']}-shot" if settings.get("shots") else "zero-shot"
        adapted = f"LoRA r{record.notes.get('rank', settings.get('rank'))}" + (f" on {rows:,}" if rows else "")
        calibration = settings.get("calibration", "none")  # runs of before there was any do not name it
        how = [
            adapted if record.cell.engine == "lora" else shots,
            f"optimized by {settings['optimizer']}" if record.cell.engine == "optimized" else "",
            "served" if record.cell.engine == "served" else "",
            "by letter" if settings.get("choice_by") == "letter" else "",
            "demonstrations by label" if settings.get("shot_order") == "by_label" else "",
            f"{calibration} calibration" if calibration != "none" else "",
            "written" if settings.get("answer_by") == "generation" else "",
        ]
        return ", ".join(filter(None, how))
    trained = {"encoder": "fine-tuned", "embedding": "frozen, head trained"}.get(record.cell.engine, "trained")
    return f"{trained} on {rows:,}" if rows else trained


def _tell_apart(firsts: Mapping[str, RunRecord]) -> dict[str, str]:
    """Contender's id to how it answers; namesakes get the settings in which they differ from each other behind it."""
    namesakes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, record in firsts.items():
        namesakes[record.model, describe(record)].append(name)
    hows = {}
    for (_, how), ids in namesakes.items():
        settings = [_settings(firsts[name]) for name in ids]
        keys = dict.fromkeys(key for one in settings for key in one)
        varying = [key for key in keys if any(_shown(key, one) != _shown(key, settings[0]) for one in settings)]
        for name, one in zip(ids, settings, strict=True):
            hows[name] = ", ".join([how, *(f"{key} {_shown(key, one)}" for key in varying)])
    return hows


def _settings(record: RunRecord) -> dict[str, Any]:
    """All that makes the contender, flat: the engine's settings and the rest of the cell but the seed."""
    cell = asdict(record.cell)
    settings = cell.pop("settings")
    del cell["seed"]
    return {**settings, **cell}


def _shown(key: str, settings: Mapping[str, Any]) -> str:
    """A setting as a reader tells it from another; one that an older run does not name is told from every value."""
    if key not in settings:
        return "not named"
    value = settings[key]
    if key in HASHES:
        return str(value)[:8] or "none"
    if value is None:
        return "all" if key in ("train_size", "eval_size") else "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
