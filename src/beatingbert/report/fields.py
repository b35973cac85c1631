"""Who stands in one table: the contenders that answered the same rows of every split of a task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from beatingbert.report.contenders import Contender
from beatingbert.report.frame import Frame, Group
from beatingbert.tasks.catalog import TASKS


def short_split(split: str) -> str:
    """A split's name where several stand side by side: 'matched' for 'validation_matched'."""
    return split.removeprefix("validation_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One table's contenders, with the rows that they answered.

    Attributes:
        groups: one per split, in the task's order (MNLI has two); everyone here is in all of them.
        contenders: in the order of the first group; each with the runs that answered these rows.
    """

    groups: tuple[Group, ...]
    contenders: tuple[Contender, ...]

    @property
    def task(self) -> str:
        """The task's name."""
        return self.groups[0].task

    @property
    def heading(self) -> str:
        """The task, its splits and how many rows each has: 'MNLI (mnli): matched 9,815 rows, mismatched 9,832 rows'."""
        title = f"{TASKS[self.task].title} ({self.task})" if self.task in TASKS else self.task
        return f"{title}: " + ", ".join(f"{short_split(group.split)} {group.rows:,} rows" for group in self.groups)

    @property
    def provenance(self) -> str:
        """Which rows these are, so that two tables of one task are not taken for one."""
        marks = ", ".join(group.fingerprint for group in self.groups)
        return f"data {self.groups[0].revision[:12]}, rows {marks}"


def find_fields(frame: Frame) -> list[Field]:
    """The fields, in the order of their groups."""
    splits: dict[Path, list[Group]] = defaultdict(list)
    for group in frame.groups:
        for contender in group.contenders:
            for record in contender.records:
                splits[record.folder].append(group)
    fields: dict[tuple[str, ...], tuple[Group, ...]] = {}
    runs: dict[tuple[str, ...], set[Path]] = defaultdict(set)
    for folder, groups in splits.items():
        key = (groups[0].task, groups[0].revision, *(f"{group.split} {group.fingerprint}" for group in groups))
        fields.setdefault(key, tuple(groups))
        runs[key].add(folder)
    return [Field(groups=groups, contenders=_within(groups[0].contenders, runs[key])) for key, groups in fields.items()]


def _within(contenders: Sequence[Contender], folders: set[Path]) -> tuple[Contender, ...]:
    """The contenders with only those of their runs that lie in `folders`."""
    kept = [
        replace(one, records=tuple(record for record in one.records if record.folder in folders)) for one in contenders
    ]
    return tuple(one for one in kept if one.records)
