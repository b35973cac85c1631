"""The published records of a study, and who stands where: the main contest of each task, and what is asked beside it.

Nothing here knows the names of models or tasks: whoever is asked in the usual way, with the most train rows that were
given, takes part in the main contest. Everyone else differs in one setting from somebody who does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from beatingbert.errors import DataError
from beatingbert.report.contenders import Contender, Kind, Side, describe
from beatingbert.report.frame import Frame, Group, read_frame
from beatingbert.runs.published import CellList, Listed, read_list
from beatingbert.runs.record import RunRecord

USUAL: Mapping[str, Mapping[str, object]] = {
    "encoder": {"max_length": 512},
    "llm": {
        "answer_by": "likelihood",
        "calibration": "none",
        "chat_template": "auto",
        "constrained": False,
        "shot_order": "mixed",
    },
    "lora": {"answer_by": "likelihood", "chat_template": "auto", "constrained": False},
    "served": {"constrained": False, "temperature": 0.0},
}
"""Settings of whoever takes part in the main contest, by engine."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lineup:
    """Everyone who answered a task's rows.

    Attributes:
        group: the rows.
        main: one contender per engine, checkpoint and number of demonstrations, asked in the usual way with the most
            train rows; in the order of their kinds, then by accuracy.
        smaller: the same ways with fewer train rows.
        unusual: everyone who differs in another setting.
    """

    group: Group
    main: tuple[Contender, ...]
    smaller: tuple[Contender, ...]
    unusual: tuple[Contender, ...]

    def side(self, side: Side) -> list[Contender]:
        """Those of the main contest on one side, the most accurate first."""
        found = [one for one in self.main if one.side is side]
        return sorted(found, key=lambda one: (-float(self.group.right(one).mean()), one.name))

    @property
    def as_group(self) -> Group:
        """The rows with those of the main contest alone."""
        return replace(self.group, contenders=self.main)

    def usual_of(self, contender: Contender) -> Contender | None:
        """Who in the main contest has the engine, checkpoint and number of demonstrations of somebody unusual."""
        return next((one for one in self.main if way_of(one) == way_of(contender)), None)


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """All that a study's pages are made from.

    Attributes:
        folder: of the published records.
        cells: every cell of the suite.
        frame: the runs of those that are published.
    """

    folder: Path
    cells: CellList
    frame: Frame

    @cached_property
    def listed(self) -> dict[str, Listed]:
        """Cell id to what the suite says of it."""
        return {one.id: one for one in self.cells.cells}

    @cached_property
    def missing(self) -> list[Listed]:
        """The cells without a record."""
        there = {record.cell.id for record in self.frame.records}
        return [one for one in self.cells.cells if one.id not in there]

    @cached_property
    def lineups(self) -> list[Lineup]:
        """One per task and split, tasks in the order in which the suite names them."""
        order = list(dict.fromkeys(one.task for one in self.cells.cells))
        first: dict[tuple[str, str], Group] = {}
        for group in self.frame.groups:  # of one task those with the most runs come first
            first.setdefault((group.task, group.split), group)
        groups = sorted(first.values(), key=lambda one: order.index(one.task))
        return [self._lineup(group) for group in groups]

    def template_of(self, record: RunRecord) -> str | None:
        """The folder of the prompt files that were used; None for the shipped ones, and where there are none."""
        return self.listed[record.cell.id].template

    def is_usual(self, record: RunRecord) -> bool:
        """Whether it may take part in the main contest."""
        return self.template_of(record) is None and is_usual_but_for_wording(record)

    def _lineup(self, group: Group) -> Lineup:
        contenders = [replace(one, how=self._how(one.records[0])) for one in group.contenders]
        usual = [one for one in contenders if self.is_usual(one.records[0])]
        ways: dict[tuple[str, str, int], list[Contender]] = defaultdict(list)
        for one in usual:
            ways[way_of(one)].append(one)
        main = [max(same, key=lambda one: (train_rows(one), len(one.records), one.id)) for same in ways.values()]
        chosen = {one.id for one in main}
        kinds = list(Kind)
        main.sort(key=lambda one: (kinds.index(one.kind), -float(group.right(one).mean()), one.name))
        return Lineup(
            group=group,
            main=tuple(main),
            smaller=tuple(one for one in usual if one.id not in chosen),
            unusual=tuple(one for one in contenders if not self.is_usual(one.records[0])),
        )

    def _how(self, record: RunRecord) -> str:
        """How a run answers, with what is unusual about it."""
        settings, template = record.cell.settings, self.template_of(record)
        longest = settings.get("max_length")
        told = [
            describe(record),
            f"template {template}" if template else "",
            "without chat template" if settings.get("chat_template") == "never" else "",
            "selected on validation" if record.cell.select_on == "validation" else "",
            f"cut at {longest}" if record.cell.engine == "encoder" and longest != 512 else "",
        ]
        return ", ".join(filter(None, told))


def read_material(folder: Path) -> Material:
    """Read a published study.

    Raises:
        DataError: it is none, or holds no run of its suite.
    """
    cells = read_list(folder)
    frame = read_frame(folder, only={one.id for one in cells.cells})
    if not frame.groups:
        raise DataError(f"{str(folder)!r} holds no run of suite {cells.suite!r} yet; run and publish some of it first")
    return Material(folder=folder, cells=cells, frame=frame)


def is_usual_but_for_wording(record: RunRecord) -> bool:
    """Whether it is asked in the usual way, whatever the template."""
    settings, usual = record.cell.settings, USUAL.get(record.cell.engine, {})
    return record.cell.select_on == "development" and all(
        settings.get(name, value) == value for name, value in usual.items()
    )


def way_of(contender: Contender) -> tuple[str, str, int]:
    """Engine with its optimizer if it has one, checkpoint and number of demonstrations."""
    settings = contender.records[0].cell.settings
    checkpoint = settings.get("checkpoint") or settings.get("model") or ""
    engine = " ".join(filter(None, (contender.engine, str(settings.get("optimizer") or ""))))
    return engine, str(checkpoint), int(settings.get("shots", 0))


def train_rows(contender: Contender) -> int:
    """Rows that it was trained on, or drew its demonstrations from."""
    return int(contender.records[0].data.get("train_rows") or 0)


def cell_ids(*contenders: Contender) -> tuple[str, ...]:
    """Ids of all cells of some contenders."""
    return tuple(record.cell.id for one in contenders for record in one.records)
