"""Two runs held against each other on the same rows: the claim, the rows and the settings in which they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from beatingbert.errors import MisalignedError
from beatingbert.report.answers import Answers, read_answers
from beatingbert.runs.record import RunRecord
from beatingbert.statistics.verdict import Verdict, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two runs on one split.

    Attributes:
        split: which.
        verdict: the first against the second.
        first, second: their answers, on the same rows.
        only_first, only_second: positions of the rows that one alone got right.
        both_wrong: how many rows both got wrong.
        both_right: how many both got right.
    """

    split: str
    verdict: Verdict
    first: Answers
    second: Answers
    only_first: list[int]
    only_second: list[int]
    both_wrong: int
    both_right: int


def differences(first: RunRecord, second: RunRecord, *, margin: float) -> list[Difference]:
    """One per split, corrected for their number.

    Raises:
        MisalignedError: the runs did not answer the same rows of the same data, or one answered an unlabelled split.
        DataError: predictions that cannot be read.
    """
    for one in (first, second):
        if not one.scores:
            raise MisalignedError(
                f"{one.run_name!r} answered an unlabelled split; only runs whose answers were scored can be compared"
            )
    names = {
        "task": (first.cell.task, second.cell.task),
        "data revision": (first.data["revision"], second.data["revision"]),
        "splits": (", ".join(first.scores), ", ".join(second.scores)),
    }
    for name, (ours, theirs) in names.items():
        if ours != theirs:
            raise _not_the_same(first, second, f"{name} {ours!r} against {theirs!r}")
    found = []
    for split in first.scores:
        ours, theirs = read_answers(first.folder, split), read_answers(second.folder, split)
        if ours.fingerprint != theirs.fingerprint:
            shared = len(set(ours.ids) & set(theirs.ids))
            raise _not_the_same(
                first, second, f"{len(ours.ids):,} and {len(theirs.ids):,} rows of {split!r}, {shared:,} ids in common"
            )
        found.append(_differ(split, ours, theirs, margin=margin, claims=len(first.scores)))
    return found


def _differ(split: str, first: Answers, second: Answers, *, margin: float, claims: int) -> Difference:
    import numpy as np

    return Difference(
        split=split,
        verdict=judge(first.right, second.right, margin=margin, claims=claims),
        first=first,
        second=second,
        only_first=np.flatnonzero(first.right & ~second.right).tolist(),
        only_second=np.flatnonzero(~first.right & second.right).tolist(),
        both_wrong=int((~first.right & ~second.right).sum()),
        both_right=int((first.right & second.right).sum()),
    )


def _not_the_same(first: RunRecord, second: RunRecord, what: str) -> MisalignedError:
    return MisalignedError(
        f"{first.run_name!r} and {second.run_name!r} did not answer the same rows ({what}); "
        "run both with the same task, data, seed and --max_eval_samples"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsDifference:
    """What was asked differently of two runs, or ran elsewhere.

    Attributes:
        both: name to both values, where these differ.
        only_first, only_second: what one alone has, as with two engines.
    """

    both: dict[str, tuple[str, str]]
    only_first: dict[str, str]
    only_second: dict[str, str]


def differing_settings(first: RunRecord, second: RunRecord) -> SettingsDifference:
    """Everything in which the two cells, their checkpoints, machines or package versions differ."""
    ours, theirs = _flat(first), _flat(second)
    return SettingsDifference(
        both={name: (ours[name], theirs[name]) for name in ours if ours[name] != theirs.get(name, ours[name])},
        only_first={name: value for name, value in ours.items() if name not in theirs},
        only_second={name: value for name, value in theirs.items() if name not in ours},
    )


def _flat(record: RunRecord) -> dict[str, str]:
    cell = asdict(record.cell)
    settings: Mapping[str, Any] = cell.pop("settings")
    found: dict[str, Any] = {**cell, **settings}
    found |= {f"checkpoint {name}": value for name, value in record.checkpoint.items()}
    found |= {name: record.efficiency[name] for name in ("device", "precision")}
    found |= {"processor": record.environment.get("machine", {}).get("cpu")}
    found |= {f"package {name}": version for name, version in (record.environment.get("packages") or {}).items()}
    sizes = ("train_size", "eval_size")
    return {name: "all" if value is None and name in sizes else str(value) for name, value in found.items()}
