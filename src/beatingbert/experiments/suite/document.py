"""A suite file as it is written: blocks of keys and values, each with its line. Knows YAML, but no key's meaning.

The file is composed into nodes and never constructed into objects, so nothing in it can be run, and every complaint can
name a line. A value keeps the text that was written: `1e-4` is a number to whoever wants one, whatever YAML calls it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from beatingbert.errors import SuiteError

TOP_KEYS = ("about", "defaults", "grid", "exclude")
EACH = "each"
NULL, BOOL = "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool"
MOST_COMPLAINTS = 20  # enough to mend a file by


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value.

    Attributes:
        text: as written, quotes taken off.
        kind: "text", "null" (nothing, `null` or `~`), or "bool" (`true`, `false` and YAML's other words for them).
        line: where it stands, from 1.
    """

    text: str
    kind: str
    line: int

    @property
    def is_true(self) -> bool:
        """Of a bool, which."""
        return self.text.lower() in ("true", "yes", "on")


@dataclass(frozen=True, slots=True)
class Entry:
    """One key with what is to be tried for it; a single value is a list of one."""

    key: str
    values: tuple[Scalar, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Block:
    """One part of the grid, one exclusion, or the defaults.

    Attributes:
        entries: key to entry, in the order of the file.
        each: settings that vary together, one block for each combination; empty where there are none.
        line: where it begins.
    """

    entries: dict[str, Entry]
    each: tuple[Block, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole suite file.

    Attributes:
        path: where it lies, as it was named.
        about: what it is for, in words.
        defaults: what holds where a part of the grid says nothing else.
        grid: the parts, whose cells are added up.
        exclude: what is left out of the grid.
    """

    path: Path
    about: str
    defaults: Block
    grid: tuple[Block, ...]
    exclude: tuple[Block, ...]


class Complaints:
    """What is wrong with a file, collected so that it can all be mended at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[tuple[int, str], None] = {}

    def add(self, line: int, text: str) -> None:
        """Note it, once."""
        self._found[line, text] = None

    def raise_if_any(self) -> None:
        """Stop here if anything is wrong.

        Raises:
            SuiteError: names every line.
        """
        if not self._found:
            return
        told = [f"line {line}: {text}" for line, text in sorted(self._found)]
        more = [f"... and {len(told) - MOST_COMPLAINTS} more"] if len(told) > MOST_COMPLAINTS else []
        raise SuiteError(f"{self._path}: " + "\n  ".join(told[:MOST_COMPLAINTS] + more))


def read_document(path: Path) -> Document:
    """The file's blocks.

    Raises:
        SuiteError: no such file, no YAML, or not of the form of a suite; names file and lines.
    """
    complaints = Complaints(path)
    root = _compose(path)
    if not isinstance(root, yaml.MappingNode):
        raise SuiteError(
            f"{path}: line 1: a suite is a mapping with the keys {', '.join(TOP_KEYS)}, of which 'grid' must be there"
        )
    top = _mapping(root, complaints)
    for key, (line, _) in top.items():
        if key not in TOP_KEYS:
            complaints.add(line, f"unknown key {key!r}; a suite has {', '.join(TOP_KEYS)}")
    if "grid" not in top:
        complaints.add(1, "there is no 'grid', a list of blocks such as '- {engine: majority, task: sst2}'")
    about, defaults = top.get("about"), top.get("defaults")
    document = Document(
        path=path,
        about=_about(about, complaints),
        defaults=Block({}, (), 1) if defaults is None else _block(defaults[1], complaints, where="defaults"),
        grid=_blocks(top.get("grid"), complaints, where="grid"),
        exclude=_blocks(top.get("exclude"), complaints, where="exclude"),
    )
    if defaults is not None and document.defaults.each:
        complaints.add(defaults[0], f"{EACH!r} belongs into a block of 'grid'; 'defaults' hold values and lists")
    complaints.raise_if_any()
    return document


def _compose(path: Path) -> Any:
    try:
        return yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except FileNotFoundError as error:
        here = ", ".join(sorted(one.name for one in path.parent.glob("*.yaml"))) if path.parent.is_dir() else ""
        hint = f"; there are {here}" if here else ""
        raise SuiteError(f"there is no suite file {str(path)!r}{hint}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(f"{path}: a suite is a text file in UTF-8, and this cannot be read: {error}") from error
    except RecursionError as error:
        raise SuiteError(f"{path}: nested too deeply; a suite has blocks of keys and values") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise SuiteError(
            f"{path}: {line}no YAML: {problem}. Check indentation, colons and brackets there; texts with ': ' or "
            "'#' want quotes"
        ) from error


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _mapping(node: Any, complaints: Complaints) -> dict[str, tuple[int, Any]]:
    """Key to its line and value; keys that are repeated or no words are complained of."""
    found: dict[str, tuple[int, Any]] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            complaints.add(_line(key), "a key is a word")
            continue
        name = key.value.replace("-", "_")  # as on the command line
        if name in found:
            complaints.add(_line(key), f"key {name!r} is given twice, first in line {found[name][0]}; keep one")
        else:
            found[name] = (_line(key), value)
    return found


def _about(found: tuple[int, Any] | None, complaints: Complaints) -> str:
    if found is None:
        return ""
    line, node = found
    if not isinstance(node, yaml.ScalarNode):
        complaints.add(line, "'about' is a sentence")
        return ""
    return " ".join(node.value.split())


def _blocks(found: tuple[int, Any] | None, complaints: Complaints, *, where: str) -> tuple[Block, ...]:
    if found is None:
        return ()
    line, node = found
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        complaints.add(line, f"{where!r} is a list of blocks, each with '- ' before it")
        return ()
    return tuple(_block(item, complaints, where=where) for item in node.value)


def _block(node: Any, complaints: Complaints, *, where: str) -> Block:
    if not isinstance(node, yaml.MappingNode):
        complaints.add(_line(node), f"{where!r} holds keys with values, such as 'task: sst2'")
        return Block({}, (), _line(node))
    entries: dict[str, Entry] = {}
    each: tuple[Block, ...] = ()
    for key, (line, value) in _mapping(node, complaints).items():
        if key == EACH:
            each = _blocks((line, value), complaints, where=EACH)
        else:
            entries[key] = Entry(key, _values(key, value, complaints), line)
    return Block(entries, each, _line(node))


def _values(key: str, node: Any, complaints: Complaints) -> tuple[Scalar, ...]:
    nodes: Iterable[Any] = node.value if isinstance(node, yaml.SequenceNode) else [node]
    found = []
    for one in nodes:
        if isinstance(one, yaml.ScalarNode):
            kind = {NULL: "null", BOOL: "bool"}.get(one.tag, "text")
            found.append(Scalar(one.value, kind, _line(one)))
        else:
            complaints.add(_line(one), f"{key!r} takes a value or a list of values")
    if not found:
        complaints.add(_line(node), f"{key!r} has an empty list; leave the key out, or give it a value")
    return tuple(found)
