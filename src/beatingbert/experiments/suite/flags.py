"""What a suite file's keys mean: they are the flags of `beatingbert run`, read from the same classes.

Nothing is listed here: a flag that is added to a config is a key of suites from then on.
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from beatingbert.errors import SettingsError, UnknownNameError
from beatingbert.experiments.config import RUNS, RunConfig
from beatingbert.experiments.suite.document import Scalar

SET_BY_SUITE = ("output_dir", "run_name", "resume")  # each cell has its own folder, and a rerun is the suite's business
PLACES = ("data_dir", "prompt_dir")  # beside the suite file where they are relative: no part of a cell


@dataclasses.dataclass(frozen=True, slots=True)
class Flag:
    """One key.

    Attributes:
        engine: whose flag it is.
        name: as the command line and a suite file have it.
        field: the config's field.
        kind: the type of its values, without None.
    """

    engine: str
    name: str
    field: str
    kind: Any


def find_run(engine: str) -> type[RunConfig]:
    """The config of what `beatingbert run ENGINE` runs.

    Raises:
        UnknownNameError: there is none of this name.
    """
    if engine not in RUNS:
        hint = "An adapted LLM is 'engine: llm' with 'mode: lora'." if engine == "lora" else ""
        raise UnknownNameError("engine", engine, RUNS, hint)
    return RUNS[engine]


@cache
def flags_of(engine: str) -> Mapping[str, Flag]:
    """The keys that cells of this engine may have, by name."""
    kind = find_run(engine)
    hints = get_type_hints(kind, include_extras=True)
    found = {}
    for field in dataclasses.fields(kind):
        hint, name = hints[field.name], field.name
        while get_origin(hint) is Annotated:
            hint, *notes = get_args(hint)
            name = next((note.name for note in notes if getattr(note, "name", None)), name)
        found[name] = Flag(engine, name, field.name, _without_none(hint))
    return types.MappingProxyType({name: flag for name, flag in found.items() if name not in SET_BY_SUITE})


def default_of(engine: str, flag: Flag) -> Any:
    """What holds where the key is not given; None where there is no default."""
    field = next(one for one in dataclasses.fields(find_run(engine)) if one.name == flag.field)
    return None if field.default is dataclasses.MISSING else field.default


def read_value(flag: Flag, value: Scalar, *, beside: Path) -> Any:
    """A value as its field wants it.

    Args:
        flag: whose value it is.
        value: as written; never null, which leaves the flag out.
        beside: the folder that relative places start from.

    Raises:
        SettingsError: it is of another kind.
    """
    if flag.kind is bool:
        if value.kind != "bool":
            raise SettingsError(f"{flag.name!r} is true or false, not {value.text!r}")
        return value.is_true
    if get_origin(flag.kind) is Literal:
        return _one_of(flag, value.text)
    if flag.kind is Path:
        path = Path(value.text).expanduser()
        return (beside / path).resolve() if flag.name in PLACES else path
    if flag.kind in (int, float):
        try:
            number = flag.kind(value.text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            wanted = "a whole number" if flag.kind is int else "a number"
            raise SettingsError(f"{flag.name!r} is {wanted}, not {value.text!r}")
        return number
    return value.text


def _one_of(flag: Flag, text: str) -> str:
    choices = get_args(flag.kind)
    if text in choices:
        return text
    others = [engine for engine in RUNS if flag.name in flags_of(engine)]
    others = [engine for engine in others if text in get_args(flags_of(engine)[flag.name].kind)]
    hint = f"; 'engine: {others[0]}' has it" if others else ""
    raise SettingsError(f"{flag.name!r} of 'engine: {flag.engine}' is one of {', '.join(choices)}, not {text!r}{hint}")


def to_plain(config: RunConfig) -> dict[str, Any]:
    """The config as plain JSON that another process can read, with the name of its engine as `engine`."""
    engine = next(name for name, kind in RUNS.items() if type(config) is kind)
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
    return {"engine": engine, **plain}


def from_plain(plain: Mapping[str, Any]) -> RunConfig:
    """The config that `to_plain` wrote."""
    kinds = {flag.field: flag.kind for flag in flags_of(plain["engine"]).values()} | {"output_dir": Path}
    values: dict[str, Any] = {
        name: Path(value) if value is not None and kinds.get(name) is Path else value
        for name, value in plain.items()
        if name != "engine"
    }
    return find_run(plain["engine"])(**values)


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        (kind,) = (one for one in get_args(hint) if one is not type(None))
        return _without_none(kind)
    return hint
