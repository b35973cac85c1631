"""A suite's finished runs as a folder that can be published: records and predictions, nothing else.

A published folder is a store: one folder per cell, its record in `results.json`, its predictions beside, their sums in
`checksums.sha256`; whatever reads runs reads it. `suite.json` lists every cell of the suite, so that a reader without
the suite's data knows which are missing and which do not belong to it any more.

What stays behind: texts of questions, prompts and replies, weights, logs, and the kernel of the machine. A record that
names a place on this machine is refused. Probabilities keep so many digits that every metric of the record comes out.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from beatingbert.errors import DamagedRecordError, SettingsError, SuiteError, UsageError
from beatingbert.execution.protocol import Event, Finished
from beatingbert.experiments.suite.load import Suite, SuiteCell
from beatingbert.experiments.suite.plan import Plan
from beatingbert.experiments.suite.stock import take_stock
from beatingbert.experiments.suite.summary import how
from beatingbert.report.answers import PREDICTIONS, Answers, read_answers
from beatingbert.runs.checksums import write_checksums
from beatingbert.runs.published import LIST, Listed, write_list
from beatingbert.runs.record import RunRecord
from beatingbert.runs.store import RESULTS, find_damage, read_record
from beatingbert.tasks.prediction import Prediction

if TYPE_CHECKING:
    import pyarrow as pa

DIGITS = (6, 9, 12, 17)
"""Significant digits of a probability, the fewest that will do; a double has 17 at most."""

SAME = 2e-6
"""How far a metric may be from the record's, as a fraction."""

TEXT = ("split", "id", "gold", "label", "probabilities", "log_likelihoods", "labels_by_rule", "reply")
"""Columns of predictions as a run has them, so that one reader does; what is not published is null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What publishing came to.

    Attributes:
        folder: where it lies.
        added: names of the cells that were published now.
        there: how many were there before.
        missing: names of the suite's cells that are not finished.
        foreign: names of published runs that are no cell of the suite, as after a new engine version; they stay.
        refused: names of finished cells that cannot be published, with the reason.
    """

    folder: Path
    added: tuple[str, ...]
    there: int
    missing: tuple[str, ...]
    foreign: tuple[str, ...]
    refused: dict[str, str]


def publish_suite(suite: Suite, store: Path, to: Path) -> Publication:
    """Publish what of a suite is finished in a store and is not published yet.

    Raises:
        SettingsError: the folder cannot be written, or all that it holds is of another suite or of other data.
    """
    finished, there = take_stock(store).records, take_stock(to).records
    own = {one.id: one.name for one in suite.cells}
    if there and not own.keys() & there.keys():
        raise SettingsError(
            f"none of the {len(there):,} runs in {str(to)!r} is a cell of suite {suite.name!r} as it would run here, "
            "so nothing was changed. The data are probably others: set BEATINGBERT_DATA as when they were run, or give "
            "another --to"
        )
    added: list[str] = []
    refused: dict[str, str] = {}
    for one in suite.cells:
        if one.id in finished and one.id not in there and finished[one.id].scores:
            try:
                publish_cell(one, finished[one.id], to)
            except (SuiteError, DamagedRecordError) as error:
                refused[one.name] = str(error)
            else:
                added.append(one.name)
    list_cells(suite, to)
    return Publication(
        folder=to,
        added=tuple(added),
        there=len(own.keys() & there.keys()),
        missing=tuple(name for cell, name in own.items() if cell not in finished and cell not in there),
        foreign=tuple(sorted(record.folder.name for cell, record in there.items() if cell not in own)),
        refused=refused,
    )


def require_publishable(cells: Sequence[SuiteCell]) -> None:
    """See, before hours are spent, that no cell's settings would keep its record from being published.

    Raises:
        SuiteError: they name a place on this machine.
    """
    for one in cells:
        _require_no_place(one.name, one.cell.to_json())


class Publisher:
    """Publishes each cell as it ends: an executor's `on_event` that passes everything on.

    One that cannot be published is no reason to stop the others: it is kept in mind, to be told of in the end.

    Args:
        suite: whose cells are run.
        plan: that is carried out.
        to: the published folder.
        told: who else listens; first, so that a cell that cannot be published has still been told of.
        refused: gets the names of the cells that cannot be published, with the reason.
    """

    def __init__(
        self, suite: Suite, plan: Plan, to: Path, told: Callable[[Event], None], *, refused: dict[str, str]
    ) -> None:
        self._cells = {one.id: one for one in suite.cells}
        self._store, self._to, self._told, self._refused = plan.stock.root, to, told, refused

    def __call__(self, event: Event) -> None:
        """As an executor's `on_event`."""
        self._told(event)
        if isinstance(event, Finished):
            one = self._cells[event.job.id]
            path = self._store / one.name / RESULTS
            if path.exists():  # another runner may be doing it
                try:
                    publish_cell(one, read_record(path), self._to)
                except UsageError as error:
                    self._refused[one.name] = str(error)


def list_cells(suite: Suite, to: Path) -> None:
    """Write which cells a suite has."""
    cells = [
        Listed(
            id=one.id,
            name=one.name,
            task=one.cell.task,
            engine=one.cell.engine,
            model=one.config.model,
            how=how(one.config),
            template=one.config.prompt_folder.name if one.config.prompt_folder else None,
        )
        for one in suite.cells
    ]
    try:
        write_list(to / LIST, suite.name, suite.about, cells)
    except OSError as error:
        raise _cannot_write(to, error) from error


def publish_cell(one: SuiteCell, record: RunRecord, to: Path) -> Path:
    """Publish one finished run; it is there as a whole or not at all.

    Args:
        one: the cell.
        record: its record, with the folder that holds its predictions.
        to: the published folder.

    Returns:
        The run's folder in it.
    """
    damage = find_damage(record.folder)
    if damage is not None:
        raise DamagedRecordError(f"{str(record.folder)!r} cannot be published: {damage}; run the cell again")
    shown = _without_places(one, record)
    tables = [_predictions(record, split) for split in record.scores]
    try:
        to.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=to))
    except OSError as error:
        raise _cannot_write(to, error) from error
    try:
        _write(beside / PREDICTIONS, tables)
        text = json.dumps(shown.to_json(), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        (beside / RESULTS).write_text(text + "\n", encoding="utf-8")
        write_checksums(beside, {name: beside / name for name in (RESULTS, PREDICTIONS)})
        beside.chmod(0o755)  # a temporary folder is its owner's alone
        folder = to / one.name
        if folder.exists():  # a damaged one, else it would have counted as published
            shutil.rmtree(folder)
        beside.replace(folder)
    except OSError as error:
        raise _cannot_write(to, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def _cannot_write(to: Path, error: OSError) -> SettingsError:
    return SettingsError(f"{str(to)!r} cannot be written: {error.strerror or error}; choose another folder")


def _without_places(one: SuiteCell, record: RunRecord) -> RunRecord:
    """The record under the cell's own name, without what only this machine knows."""
    environment = dict(record.environment)
    if "platform" in environment:
        environment["platform"] = {key: value for key, value in environment["platform"].items() if key != "release"}
    shown = replace(record, run_name=one.name, environment=environment)
    _require_no_place(one.name, shown.to_json())
    return shown


def _require_no_place(name: str, told: Mapping[str, Any]) -> None:
    for text in _texts(told):
        if PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute():
            raise SuiteError(
                f"{name} cannot be published: its record names {text!r}, a place on this machine; "
                "use a checkpoint that others can get, a hub id or wheel:NAME"
            )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _texts(inner)


def _predictions(record: RunRecord, split: str) -> pa.Table:
    """One split's answers as they are published."""
    import pyarrow as pa

    answers = read_answers(record.folder, split, whole=True)
    asked = answers.as_asked
    rounded = _rounded(record, split, answers)
    columns = {
        "split": [split] * len(asked),
        "id": [answers.ids[at] for at in asked],
        "gold": [answers.gold[at] for at in asked],
        "label": [answers.label[at] for at in asked],
        "probabilities": [
            None if rounded[at] is None else json.dumps(rounded[at], separators=(",", ":")) for at in asked
        ],
    }
    lost = pa.array([int(answers.lost_tokens[at]) for at in asked], pa.int64())
    arrays = {name: pa.array(columns.get(name, [None] * len(asked)), pa.string()) for name in TEXT}
    return pa.table({**arrays, "lost_tokens": lost})


def _write(path: Path, tables: Sequence[pa.Table]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(
        pa.concat_tables(tables),
        path,
        compression="zstd",
        compression_level=19,
        use_dictionary=["split", "gold", "label"],
        write_statistics=False,
        store_schema=False,
    )


def _rounded(record: RunRecord, split: str, answers: Answers) -> list[dict[str, float] | None]:
    """The probabilities with the fewest digits with which every metric of the record comes out.

    Raises:
        DamagedRecordError: it does not, with any.
    """
    told = {name: float(metric["value"]) for name, metric in record.scores[split]["metrics"].items()}
    wrong = ""
    for digits in DIGITS:
        rounded = [
            None if row is None else {label: float(f"{value:.{digits}g}") for label, value in row.items()}
            for row in answers.probabilities
        ]
        found = measure_again(record, split, answers, rounded)
        wrong = ", ".join(f"{name} {found[name]:.6f} instead of {told[name]:.6f}" for name in found if name in told
                          and abs(found[name] - told[name]) > SAME)  # fmt: skip
        if not wrong:
            return rounded
    raise DamagedRecordError(
        f"{str(record.folder)!r} cannot be published: from its predictions come {wrong}; run the cell again"
    )


def measure_again(
    record: RunRecord, split: str, answers: Answers, probabilities: Sequence[Mapping[str, float] | None]
) -> dict[str, float]:
    """Every metric that can be had from published predictions, as fractions."""
    from beatingbert.scoring import calibration, metrics

    gold, labels = answers.gold.tolist(), answers.label.tolist()
    found = {"accuracy": float(answers.right.mean())}
    names = tuple(record.scores[split]["confusion_matrix"]["labels"])
    if names:
        found |= {"macro_f1": metrics.macro_f1(names, gold, labels), "mcc": metrics.mcc(names, gold, labels)}
    predictions = [
        Prediction(question_id=name, label=label, probabilities=row)
        for name, label, row in zip(answers.ids, labels, probabilities, strict=True)
    ]
    certain = calibration.gather(gold, predictions)
    if certain is not None:
        found["ece"] = calibration.expected_calibration_error(certain.confidence, certain.right)
        found["brier"] = calibration.brier_score(certain)
    return found
