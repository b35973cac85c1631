"""A suite: the cells of a YAML file, each with its name and folder, in the order in which they are best run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from beatingbert.checkpoints.reference import short_name
from beatingbert.errors import SuiteError, UsageError
from beatingbert.experiments.config import RunConfig
from beatingbert.experiments.planning import Planner
from beatingbert.experiments.suite.document import Complaints, read_document
from beatingbert.experiments.suite.grid import Grid, Square
from beatingbert.experiments.suite.possible import refuse_impossible
from beatingbert.runs.cell import Cell

ID_DIGITS = 8  # of a cell's id in its folder's name; the rest of the name tells most cells apart already
FAMILIES = {"majority": 0, "linear": 1, "encoder": 2, "llm": 3, "lora": 3}  # cheap ones first; others come last


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteCell:
    """One cell of a suite.

    Attributes:
        id: of the cell.
        cell: what is asked.
        config: the same as flags.
        name: of its folder in the store: readable, and the same whoever plans it.
        line: of the block in the file.
    """

    id: str
    cell: Cell
    config: RunConfig
    name: str
    line: int

    @property
    def group(self) -> str:
        """What it has to load: cells of one group share a worker."""
        checkpoint = self.cell.settings.get("checkpoint")
        if checkpoint is None:
            return self.cell.engine
        precision = "fp32" if self.cell.settings.get("full_precision") else "fast"
        return f"{FAMILIES.get(self.cell.engine, 4)} {checkpoint} {precision}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """All cells of a file.

    Attributes:
        name: the file's, without its ending.
        path: where it lies.
        about: what it is for.
        cells: in the order in which they are run, so that what one has loaded serves the next.
    """

    name: str
    path: Path
    about: str
    cells: tuple[SuiteCell, ...]


def load_suite(path: Path, instead: Mapping[str, Any] | None = None) -> Suite:
    """Read a suite file and plan its cells.

    Args:
        path: the YAML file.
        instead: key to a value that every cell gets whatever the file says, e.g. {"max_eval_samples": 200}.

    Raises:
        SuiteError: all that is wrong with the file, each with its line and a way out.
    """
    document = read_document(path)
    complaints = Complaints(path)
    squares = Grid(document, complaints, instead or {}).squares()
    cells = _plan(squares, complaints)
    complaints.raise_if_any()
    if not cells:
        raise SuiteError(f"{path}: every cell is excluded; nothing would be run")
    return Suite(name=path.stem, path=path, about=document.about, cells=tuple(sorted(cells, key=_order)))


def select(cells: Sequence[SuiteCell], pattern: str) -> list[SuiteCell]:
    """The cells whose name holds the pattern, with * and ? as in file names.

    Raises:
        SuiteError: there are none.
    """
    found = [one for one in cells if fnmatchcase(one.name, f"*{pattern}*")]
    if not found:
        some = ", ".join(one.name for one in cells[:3])
        raise SuiteError(f"--only {pattern!r} matches none of {len(cells)} cells, which are named like {some}")
    return found


def _plan(squares: Iterable[Square], complaints: Complaints) -> list[SuiteCell]:
    planner = Planner()
    verdicts: dict[tuple[object, ...], str | None] = {}
    cells: list[SuiteCell] = []
    first: dict[str, Square] = {}
    for square in squares:
        config = square.config
        refused = _refused(config, planner, verdicts)
        if refused is not None:
            square.complain(refused, complaints)
            continue
        try:
            cell = planner.cell(config)
        except UsageError as error:
            square.complain(str(error), complaints)
            continue
        cell_id = cell.id
        if cell_id in first:
            complaints.add(square.line, _told_twice(square, first[cell_id]))
            continue
        first[cell_id] = square
        name = _name(config, cell, cell_id)
        cells.append(SuiteCell(id=cell_id, cell=cell, config=config, name=name, line=square.line))
    return cells


def _refused(config: RunConfig, planner: Planner, verdicts: dict[tuple[object, ...], str | None]) -> str | None:
    """Why a cell cannot be done; looked up once for all cells that the answer is the same for."""
    mode = getattr(config, "mode", None)
    key = (config.engine, mode, config.model, config.task, config.data_dir, config.needs_train, config.predicts_only)
    if key not in verdicts:
        try:
            refuse_impossible(config, planner.source(config))
            verdicts[key] = None
        except UsageError as error:
            verdicts[key] = str(error)
    return verdicts[key]


def _told_twice(square: Square, other: Square) -> str:
    one, two = vars_of(square.config), vars_of(other.config)
    differing = sorted(name for name in one if one[name] != two.get(name))
    where = "above in this block" if other.line == square.line else f"in line {other.line}"
    why = f" They differ in {', '.join(differing)}, which changes nothing here." if differing else ""
    task = square.config.task
    return f"the same cell as one {where}: {square.config.model} on {task}.{why} Take one out, or exclude it"


def vars_of(config: RunConfig) -> dict[str, Any]:
    """A config's fields."""
    return dict(vars(config))


def _name(config: RunConfig, cell: Cell, cell_id: str) -> str:
    model = short_name(config.model) if config.model != config.engine else config.engine
    size = f"n{cell.train_size}" if cell.train_size is not None else ""
    parts = (model, config.run_kind, config.task, size, f"s{config.seed}", cell_id[:ID_DIGITS])
    return "_".join(filter(None, parts)).lstrip("_")


def _order(one: SuiteCell) -> tuple[object, ...]:
    """Engine family, checkpoint, engine, data; the file's order for the rest, since sorting keeps it.

    The engine comes before the data: prompted and adapted cells may want the same weights in different forms.
    """
    place = str(one.config.data_dir or "")
    return FAMILIES.get(one.cell.engine, 4), one.group, one.cell.engine, one.config.task, place
