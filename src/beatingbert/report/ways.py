"""Ways of training at several sizes of the train set: contenders that differ in nothing but their train rows."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from beatingbert.report.contenders import Contender, Kind
from beatingbert.report.frame import Group
from beatingbert.runs.record import RunRecord

TRAINED = ("encoder", "lora", "linear", "optimized")
"""Engines whose answers depend on how many train rows there are."""

ROWS = re.compile(r" on [\d,]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way of training.

    Attributes:
        name: model and how it is trained, without the number of rows.
        kind: of its contenders.
        runs: train rows to the runs with as many, fewest rows first.
    """

    name: str
    kind: Kind
    runs: Mapping[int, tuple[RunRecord, ...]]


def find_ways(group: Group) -> list[Way]:
    """The ways of a group, in the order of its contenders; nothing can be learnt from one size alone."""
    ways: dict[str, list[Contender]] = defaultdict(list)
    for one in group.contenders:
        if one.engine in TRAINED and one.records[0].data.get("train_rows"):
            cell = asdict(one.records[0].cell)
            for name in ("seed", "train_size"):
                del cell[name]
            ways[json.dumps(cell, sort_keys=True)].append(one)
    return [_way(contenders) for contenders in ways.values()]


def untrained(group: Group) -> list[Contender]:
    """Everyone whose score does not depend on train rows."""
    return [one for one in group.contenders if one.engine not in TRAINED]


def _way(contenders: list[Contender]) -> Way:
    runs: dict[int, list[RunRecord]] = defaultdict(list)
    for one in contenders:
        for record in one.records:
            runs[int(record.data["train_rows"])].append(record)
    first = contenders[0]
    return Way(
        name=f"{first.model} ({ROWS.sub('', first.how, count=1)})",
        kind=first.kind,
        runs={rows: tuple(runs[rows]) for rows in sorted(runs)},
    )
