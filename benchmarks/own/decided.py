"""What a decision's folder says of the test rows: who is recommended, and what it answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beatingbert.decision.decide import RUNS
from beatingbert.decision.decision import DECISION
from beatingbert.errors import BeatingBertError, DataError, SettingsError
from beatingbert.runs.store import RESULTS, read_record
from benchmarks.own.files import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision, as far as the bench needs it.

    Attributes:
        recommended: name of the recommended candidate.
        answers: test row's id to what that candidate answered.
        budget, seconds: given and spent; reading the table comes before, the report page after.
        cores: that it ran on.
        versions: package to version.
    """

    recommended: str
    answers: Mapping[str, str | None]
    budget: float
    seconds: float
    cores: int
    versions: Mapping[str, str]


def data_revision(folder: Path) -> str:
    """What the files hash to of which the decision was made.

    Raises:
        SettingsError: there is no decision for someone there.
    """
    return str(_recommended(folder, _read(folder)).cell.data_revision)


def budget_of(folder: Path) -> float:
    """Seconds that the decision was given.

    Raises:
        SettingsError: there is no decision there.
    """
    return float(_read(folder)["seconds"]["budget"])


def read_decided(folder: Path, rows: Rows) -> Decided:
    """Read it, and see that it is about these rows.

    Args:
        folder: that `beatingbert decide` has left.
        rows: the table, split by the bench.

    Raises:
        SettingsError: none is there, it was interrupted, or something else than macro-F1 decided.
        DataError: it is about other rows, or other rows of them were tested on.
        DamagedRecordError: a record that is not as it was written.
    """
    told = _read(folder)
    record = _recommended(folder, told)
    if record.cell.data_revision != rows.revision:
        raise DataError(f"{str(folder)!r} was decided on other files than these")
    answers, gold = _answers(record.folder)
    if gold != dict(rows.gold):
        raise DataError(
            f"{str(folder)!r} was tested on other rows than the bench's own split has; decide again with the same "
            "columns and the default seed"
        )
    environment = record.environment
    return Decided(
        recommended=str(told["recommended"]),
        answers=answers,
        budget=float(told["seconds"]["budget"]),
        seconds=float(told["seconds"]["spent"]),
        cores=int(environment["machine"]["logical_cores"]),
        versions=_versions(environment),
    )


def _read(folder: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads((folder / DECISION).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{str(folder)!r} holds no finished decision: {error}") from error
    if told["partial"]:
        raise SettingsError(f"{str(folder)!r} was interrupted, which is no answer to its budget; decide again")
    if told["metric"] != "macro_f1":
        raise SettingsError(
            f"{str(folder)!r} was decided by {told['metric']}, peers aim at macro_f1; decide again with "
            "--metric macro_f1"
        )
    return told


def _recommended(folder: Path, told: Mapping[str, Any]) -> Any:
    run = next((one["run"] for one in told["finalists"] if one["candidate"] == told["recommended"]), None)
    if run is None:
        raise BeatingBertError(f"{str(folder)!r} recommends nobody")
    return read_record(folder / RUNS / run / RESULTS)


def _versions(environment: Mapping[str, Any]) -> dict[str, str]:
    """Of what matters for speed and answers, with the commit where there is one."""
    git = environment["git"] or {}
    commit = {"commit": f"{git['commit'][:12]}{' with changes' if git['dirty'] else ''}"} if git else {}
    packages = {name: environment["packages"][name] for name in ("torch", "transformers", "scikit-learn")}
    return {**packages, **commit}


def _answers(run: Path) -> tuple[dict[str, str | None], dict[str, str]]:
    from pyarrow import parquet

    lines = parquet.read_table(run / "predictions.parquet", columns=["split", "id", "gold", "label"]).to_pylist()
    test = [one for one in lines if one["split"] == "test"]
    return {one["id"]: one["label"] for one in test}, {one["id"]: one["gold"] for one in test}
