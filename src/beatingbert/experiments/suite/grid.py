"""From a suite file's blocks to what each cell is asked: every combination of the values, less the exclusions."""

from __future__ import annotations

import difflib
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beatingbert.errors import SettingsError, UsageError
from beatingbert.experiments.config import RUNS, RunConfig
from beatingbert.experiments.suite.document import Block, Complaints, Document, Entry, Scalar
from beatingbert.experiments.suite.flags import SET_BY_SUITE, default_of, find_run, flags_of, read_value

ENGINE = "engine"
MOST_CELLS = 100_000  # a slip of the pen is multiplied quickly


@dataclass(frozen=True, slots=True)
class Value:
    """One value of one key, read, with its line."""

    read: Any
    line: int


@dataclass(frozen=True, slots=True)
class Square:
    """What one cell is asked.

    Attributes:
        config: as `beatingbert run` would have it from flags.
        line: of the block that it comes from.
        lines: key to the line of its value.
    """

    config: RunConfig
    line: int
    lines: Mapping[str, int]

    def complain(self, text: str, complaints: Complaints) -> None:
        """Note what is wrong with it."""
        _complain(text, self.lines, self.line, complaints)


class Grid:
    """Expands a document; what is wrong with it goes to `complaints`.

    Args:
        document: the file.
        complaints: takes what is wrong.
        instead: key to a value that every cell gets whatever the file says, where its engine has the key.
    """

    def __init__(self, document: Document, complaints: Complaints, instead: Mapping[str, Any]) -> None:
        self._document = document
        self._complaints = complaints
        self._instead = instead
        self._beside = document.path.parent
        self._exclusions = [Exclusion(block, complaints, self._beside) for block in document.exclude]

    def squares(self) -> list[Square]:
        """Every combination, in the order of the file; those that a config refuses are complained of."""
        self._check_defaults()
        found: list[Square] = []
        for block in self._document.grid:
            for engine, axes in self._axes_of(block):
                size = math.prod(len(values) for values in axes.values())
                if len(found) + size > MOST_CELLS:
                    told = f"this block brings the suite to {len(found) + size:,} cells; at most {MOST_CELLS:,}"
                    self._complaints.add(block.line, f"{told}. Shorten a list, or split the suite")
                    return found
                found.extend(self._combine(engine, axes, block.line))
        for exclusion in self._exclusions:
            exclusion.complain_if_idle()
        return found

    def _check_defaults(self) -> None:
        engines = {engine for block in self._document.grid for engine, _ in self._engines(block)}
        for key, entry in self._document.defaults.entries.items():
            if engines and key != ENGINE and not any(key in flags_of(engine) for engine in engines):
                self._complaints.add(entry.line, unknown_key(key, sorted(engines)))

    def _engines(self, block: Block) -> Iterator[tuple[str, int]]:
        """The engines that a block names, with their lines."""
        entry = block.entries.get(ENGINE) or self._document.defaults.entries.get(ENGINE)
        for value in entry.values if entry else ():
            if value.text in RUNS:
                yield value.text, value.line

    def _axes_of(self, block: Block) -> Iterator[tuple[str, dict[str, list[Value]]]]:
        """Each engine of a block, and each of its `each`, with the values of every key."""
        entry = block.entries.get(ENGINE) or self._document.defaults.entries.get(ENGINE)
        if entry is None:
            told = f"no 'engine'; choose from {', '.join(RUNS)}, and say the rest as flags of 'beatingbert run'"
            self._complaints.add(block.line, told)
            return
        for value in entry.values:
            try:
                find_run(value.text)
            except UsageError as error:
                self._complaints.add(value.line, str(error))
        for engine, _ in self._engines(block):
            for together in block.each or (Block({}, (), block.line),):
                yield engine, self._axes(engine, block, together)

    def _axes(self, engine: str, block: Block, together: Block) -> dict[str, list[Value]]:
        for key in together.entries.keys() & block.entries.keys():
            line = together.entries[key].line
            self._complaints.add(line, f"{key!r} is given in 'each' and in line {block.entries[key].line}; keep one")
        if ENGINE in together.entries or together.each:
            self._complaints.add(together.line, "'each' holds flags; an engine of its own wants a block of its own")
        defaults = {key: entry for key, entry in self._document.defaults.entries.items() if key in flags_of(engine)}
        axes = {}
        for key, entry in (defaults | block.entries | together.entries).items():
            if key != ENGINE and key not in self._instead:
                values = read_entry(engine, entry, self._complaints, self._beside)
                if values:
                    axes[key] = values
        instead = {key: value for key, value in self._instead.items() if key in flags_of(engine)}
        axes |= {key: [Value(value, block.line)] for key, value in instead.items()}
        if "task" not in axes and "task" not in block.entries | together.entries | defaults:
            self._complaints.add(block.line, "no 'task'; 'beatingbert show tasks' lists them")
        return axes

    def _combine(self, engine: str, axes: Mapping[str, Sequence[Value]], line: int) -> Iterator[Square]:
        if "task" not in axes:
            return
        kind, flags = find_run(engine), flags_of(engine)
        for combination in itertools.product(*axes.values()):
            values = {key: value.read for key, value in zip(axes, combination, strict=True)}
            taken = [exclusion for exclusion in self._exclusions if exclusion.takes(engine, values)]
            if taken:
                continue
            lines = {key: one.line for key, one in zip(axes, combination, strict=True) if key not in self._instead}
            given = {flags[key].field: value for key, value in values.items() if value is not None}
            try:
                yield Square(kind(**given), line, lines)
            except UsageError as error:
                _complain(str(error), lines, line, self._complaints)


class Exclusion:
    """What is left out of the grid: cells for which every key has one of the values given."""

    def __init__(self, block: Block, complaints: Complaints, beside: Path) -> None:
        self._block = block
        self._complaints = complaints
        self._beside = beside
        self._idle = True
        self._wanted: dict[str, dict[str, list[Any]] | None] = {}
        for key, entry in block.entries.items():
            if key != ENGINE and not any(key in flags_of(engine) for engine in RUNS):
                complaints.add(entry.line, unknown_key(key, list(RUNS)))
        if block.each:
            complaints.add(block.line, "'each' is for blocks of 'grid'; write one exclusion for each")
        if not block.entries:
            complaints.add(block.line, "this would exclude everything; name what is to be left out")

    def takes(self, engine: str, values: Mapping[str, Any]) -> bool:
        """Whether a cell with these values, by key, is left out."""
        if engine not in self._wanted:
            self._wanted[engine] = self._read_for(engine)
        wanted = self._wanted[engine]
        if wanted is None:
            return False
        flags = flags_of(engine)
        for key, wanting in wanted.items():
            value = values.get(key)
            if (default_of(engine, flags[key]) if value is None else value) not in wanting:
                return False
        self._idle = False
        return True

    def complain_if_idle(self) -> None:
        """An exclusion that takes nothing is a slip of the pen."""
        if self._idle and self._block.entries:
            self._complaints.add(self._block.line, "this exclusion matches no cell; mend it or take it out")

    def _read_for(self, engine: str) -> dict[str, list[Any]] | None:
        """Key to values as this engine reads them; None where it cannot match a cell of this engine."""
        entries = dict(self._block.entries)
        engines = entries.pop(ENGINE, None)
        if engines is not None and engine not in [value.text for value in engines.values]:
            return None
        flags = flags_of(engine)
        if not entries.keys() <= flags.keys():
            return None
        wanted: dict[str, list[Any]] = {}
        for key, entry in entries.items():
            wanted[key] = []
            for value in entry.values:
                try:
                    read = read_value(flags[key], value, beside=self._beside) if value.kind != "null" else None
                except SettingsError:
                    continue  # another engine may have this value
                wanted[key].append(default_of(engine, flags[key]) if read is None else read)
        return wanted


def read_entry(engine: str, entry: Entry, complaints: Complaints, beside: Path) -> list[Value]:
    """The values of one key as this engine reads them; what it does not know is complained of."""
    flags = flags_of(engine)
    if entry.key not in flags:
        complaints.add(entry.line, unknown_key(entry.key, [engine]))
        return []
    found, seen = [], set()
    for value in entry.values:
        try:
            read = None if value.kind == "null" else read_value(flags[entry.key], value, beside=beside)
        except SettingsError as error:
            complaints.add(value.line, str(error))
            continue
        if read in seen:
            complaints.add(value.line, f"{entry.key!r} has {_shown(value)} twice; keep one")
            continue
        seen.add(read)
        found.append(Value(read, value.line))
    return found


def unknown_key(key: str, engines: Sequence[str]) -> str:
    """What is wrong with a key that none of these engines has."""
    if key in SET_BY_SUITE:
        return f"{key!r} is not for suites: each cell has a folder of its own, and running the suite again goes on"
    known = {name for engine in engines for name in flags_of(engine)}
    elsewhere = [engine for engine in RUNS if key in flags_of(engine)]
    close = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.6)
    if elsewhere:
        hint = f"'engine: {elsewhere[0]}' has it, 'engine: {engines[0]}' has not"
    elif close:
        hint = f"did you mean {close[0]!r}?"
    else:
        hint = f"known: {', '.join(sorted(known))}"
    return f"unknown key {key!r}; {hint}"


def _shown(value: Scalar) -> str:
    return "nothing" if value.kind == "null" else repr(value.text)


def _complain(text: str, lines: Mapping[str, int], block: int, complaints: Complaints) -> None:
    """Note it with the line of the first key that the message names, else of the block."""
    line = next((lines[name] for name in re.findall(r"\w+", text) if name in lines), block)
    # A list that an alias (*name) brings in stands elsewhere, and so do defaults.
    complaints.add(line, text if line >= block else f"{text} (for the block of line {block})")
