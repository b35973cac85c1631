"""All finished runs of a folder, and which of them answered the same rows; whatever cannot be read is listed.

Runs are only ever paired within a `Group`. Nothing here knows how a number is shown.
"""

from __future__ import annotations

import json
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beatingbert.errors import DataError
from beatingbert.progress import Progress, silent
from beatingbert.report.answers import PREDICTIONS, Answers, read_answers
from beatingbert.report.contenders import SIDES, Contender, gather_contenders
from beatingbert.runs.record import FORMAT, RunRecord
from beatingbert.runs.store import RESULTS
from beatingbert.tasks.catalog import TASKS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    BoolArray = npt.NDArray[np.bool_]
    TextArray = npt.NDArray[np.object_]

KEPT = 32
"""Columns of so many runs and splits stay in memory; the rest is read again."""

NUMBERS = (
    *(("latency", "p50_ms"), ("latency", "p95_ms"), ("memory", "answer", "process_mib"), ("load_seconds",)),
    *(("train_seconds",), ("parameters",), ("disk_bytes",)),
)
MAY_BE_UNKNOWN = (("memory", "answer", "process_mib"), ("parameters",), ("disk_bytes",))
"""Those that a model behind a server need not tell; no other may leave them out."""
OTHERS = (("memory", "answer", "device_mib"), ("device",), ("precision",))
"""Entries of a record's efficiency without which it is no record."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A `results.json` that is no part of the report, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """The runs that answered the same rows, which alone may be paired.

    Attributes:
        task, split: what was asked.
        revision: of the data, as the runs' records name it.
        fingerprint: first 12 hexadecimal digits of the SHA-256 of the rows' ids with their gold labels.
        ids, gold: shape (rows,), sorted by id.
        contenders: who answered; each record lies in exactly one, in `records` or in `repeats`.
        matrix: shape (runs, rows), True where a run was right; see `right`.
    """

    task: str
    split: str
    revision: str
    fingerprint: str
    ids: TextArray
    gold: TextArray
    contenders: tuple[Contender, ...]
    matrix: BoolArray
    _positions: Mapping[Path, int] = field(repr=False)

    @property
    def title(self) -> str:
        """The task, with the split where the task reports several."""
        several = self.task not in TASKS or len(TASKS[self.task].evaluation) > 1
        return f"{self.task} ({self.split})" if several else self.task

    @property
    def rows(self) -> int:
        """How many rows everyone answered."""
        return len(self.ids)

    def right(self, contender: Contender) -> BoolArray:
        """Shape (seeds, rows), True where the contender's run of that seed was right; seeds as in `records`."""
        return self.matrix[[self._positions[record.folder] for record in contender.records]]


class Frame:
    """All finished runs under one folder.

    Attributes:
        root: the folder.
        records: every run that could be read, scored or not, by folder.
        skipped: every `results.json` that could not, with the reason.
        groups: the scored runs by the rows they answered, tasks by name, splits in the task's order, most runs first.
    """

    def __init__(
        self, root: Path, records: Sequence[RunRecord], skipped: Sequence[Skipped], groups: Sequence[Group]
    ) -> None:
        self.root = root
        self.records = tuple(records)
        self.skipped = tuple(skipped)
        self.groups = tuple(groups)
        self._kept: OrderedDict[tuple[Path, str], Answers] = OrderedDict()

    def answers(self, record: RunRecord, split: str) -> Answers:
        """One run's answers to one split, sorted by id; a column is read when it is first looked at.

        Raises:
            DataError: the file cannot be read any more.
        """
        key = (record.folder, split)
        if key not in self._kept:
            self._kept[key] = read_answers(record.folder, split)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


def titles_of(groups: Sequence[Group]) -> list[str]:
    """One title per group; those of different rows of one task carry the first figures of their fingerprint."""
    named = Counter(group.title for group in groups)
    marked = Counter((group.title, group.fingerprint[:4]) for group in groups)
    titles = []
    for group in groups:
        marks = [group.fingerprint[:4]] if named[group.title] > 1 else []
        if marked[group.title, group.fingerprint[:4]] > 1:
            marks = [group.fingerprint, group.revision[:12]]
        titles.append(f"{group.title} [{' '.join(marks)}]" if marks else group.title)
    return titles


def read_frame(root: Path, *, only: Collection[str] | None = None, progress: Progress = silent) -> Frame:
    """Read all finished runs anywhere under `root`.

    Args:
        root: the folder.
        only: ids of the cells that count; runs of others are skipped, with the reason. Left out, all count.
        progress: called while work is done.
    """
    records, skipped = [], []
    rows: dict[tuple[str, str, str, str], list[tuple[RunRecord, Answers]]] = defaultdict(list)
    paths = sorted(root.glob(f"**/{RESULTS}"))
    progress("reading runs", 0, len(paths))
    for done, path in enumerate(paths, start=1):
        try:
            record = read_sound_record(path)
            if only is not None and record.cell.id not in only:
                raise DataError(f"its cell {record.cell.id} is none of those that were asked for")
            for split in record.scores:
                answers = _checked(record, split)
                key = (record.cell.task, split, record.data["revision"], answers.fingerprint)
                if rows[key]:
                    answers.share_rows(rows[key][0][1])
                rows[key].append((record, answers))
        except DataError as error:
            skipped.append(Skipped(path, str(error)))
        else:
            records.append(record)
        progress("reading runs", done, len(paths))
    return Frame(root, records, skipped, _groups(rows, {record.folder for record in records}))


def _groups(rows: Mapping[tuple[str, str, str, str], list[tuple[RunRecord, Answers]]], read: set[Path]) -> list[Group]:
    import numpy as np

    found = []
    for (task, split, revision, fingerprint), answered in rows.items():
        # A run of which a later split turned out to be damaged is no part of any group.
        sound = [(record, answers) for record, answers in answered if record.folder in read]
        if not sound:
            continue
        found.append(
            Group(
                task=task,
                split=split,
                revision=revision,
                fingerprint=fingerprint,
                ids=sound[0][1].ids,
                gold=sound[0][1].gold,
                contenders=gather_contenders([record for record, _ in sound]),
                matrix=np.stack([answers.right for _, answers in sound]),
                _positions={record.folder: at for at, (record, _) in enumerate(sound)},
            )
        )
    return sorted(found, key=lambda one: (one.task, _order(one), -len(one.matrix), one.revision, one.fingerprint))


def _order(group: Group) -> tuple[int, str]:
    known = TASKS[group.task].evaluation if group.task in TASKS else ()
    return (known.index(group.split) if group.split in known else len(known), group.split)


def read_sound_record(path: Path) -> RunRecord:
    """The record in a `results.json`, with every entry that a report needs.

    Raises:
        DataError: it is damaged, foreign, or of another format; the message says which, without the path.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"damaged: not readable as JSON ({error})") from error
    if not isinstance(data, dict) or "format" not in data or "cell" not in data:
        raise DataError("foreign: not a record of beatingbert (it has no 'format' and 'cell')")
    if data["format"] != FORMAT:
        raise DataError(_other_format(data["format"]))
    try:
        record = RunRecord.from_json(data, path.parent)
        _require(record)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        told = f"no {error}" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
        raise DataError(f"damaged: an entry is missing or is not what it should be ({told})") from error
    if record.cell.engine not in SIDES:
        raise DataError(f"its engine {record.cell.engine!r} is unknown to this version; upgrade beatingbert")
    return record


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _other_format(found: Any) -> str:
    if isinstance(found, int) and found > FORMAT:
        return f"its format {found} is newer than {FORMAT}, the newest that this version reads; upgrade beatingbert"
    return f"its format {found!r} is older than {FORMAT}, the oldest that this version reads; run the cell again"


def _require(record: RunRecord) -> None:
    """Look at every entry that a table needs, so that what is missing is told here and not in the middle of a report.

    Raises:
        KeyError: one is missing.
        TypeError, ValueError: one is not what it should be.
    """
    for path in (*NUMBERS, *OTHERS):
        entry: Any = record.efficiency
        for name in path:
            entry = entry[name]
        if entry is None and path in MAY_BE_UNKNOWN and record.is_served:
            continue
        if path in NUMBERS:
            float(entry)
    if not record.efficiency["throughput"]["questions_per_second"] > 0:
        raise ValueError("questions_per_second is not above 0")
    if not isinstance(record.data["revision"], str):
        raise TypeError("data.revision is no text")
    for score in record.scores.values():
        for name in ("rows", "unparsed"):
            int(score[name])
        int(score["truncated"]["rows"])
        for name, metric in score["metrics"].items():
            value, low, high = (float(metric[part]) for part in ("value", "low", "high"))
            if not low <= value <= high:
                raise ValueError(f"the interval of {name} does not hold its value")
        float(score["metrics"]["accuracy"]["value"])
        _require_pictures(score)


def _require_pictures(score: Mapping[str, Any]) -> None:
    """The same for what is drawn of a split."""
    matrix = score["confusion_matrix"]
    labels, rows = list(matrix["labels"]), list(matrix["rows"])
    if labels and [len(row) for row in rows] != [len(labels) + 1] * len(labels):
        raise ValueError("confusion_matrix does not fit its labels")
    for row in rows:
        sum(row)
    for part in score.get("reliability", []):
        for name in ("low", "high", "count", *(("confidence", "accuracy") if part["count"] else ())):
            float(part[name])


def _checked(record: RunRecord, split: str) -> Answers:
    """The answers, held against what the record says of them."""
    answers = read_answers(record.folder, split)
    told = record.scores[split]
    measured = float(answers.right.mean()) if len(answers.ids) else 0.0
    if len(answers.ids) != told["rows"] or abs(measured - told["metrics"]["accuracy"]["value"]) > 1e-9:
        raise DataError(
            f"damaged: {RESULTS} tells of {told['rows']} rows of {split!r} and accuracy "
            f"{told['metrics']['accuracy']['value']:.4f}, {PREDICTIONS} of {len(answers.ids)} and {measured:.4f}"
        )
    return answers
