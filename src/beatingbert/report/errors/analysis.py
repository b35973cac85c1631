"""The tables in a run's `error_analysis/` folder: made from what the run kept, and made again the same at any time.

They say nothing that the predictions, the questions and the record do not hold, so a run without them is whole. The
pictures beside them are `report/plots`'s.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from beatingbert.errors import DataError
from beatingbert.report.errors.answered import Answered, read_answered
from beatingbert.report.errors.strata import CELLS, by_label, by_length, by_truncation
from beatingbert.report.errors.unparsed import group_unparsed
from beatingbert.report.questions import keeps_questions
from beatingbert.runs.files import write_csv, write_json
from beatingbert.runs.store import RESULTS, read_record

logger = logging.getLogger("beatingbert.report")

FOLDER = "error_analysis"
MARK = "analysis.json"
VERSION = 1
"""Goes up when the tables change; a run with another version's tables gets new ones."""

TOP = 100
IDS_SHOWN = 10
ERROR_COLUMNS = ("id", "gold", "predicted", "probability", "reply")

Table = Sequence[Sequence[object]]


def analyse_errors(folder: Path, *, top: int = TOP) -> Path | None:
    """Write the tables of a finished run, one folder per scored split; what was there is replaced as a whole.

    Tables that do not apply are left out: the confusion matrix and the classes of multiple choice, whose labels are
    mere positions; accuracy by length where the questions were not kept; reliability without probabilities; unparsed
    replies where there are none.

    Args:
        folder: the run's folder.
        top: how many mistakes `top_errors.csv` shows with their texts.

    Returns:
        The folder with the tables; None for answers to an unlabelled split.

    Raises:
        DataError: the run's files are missing or damaged.
        OSError: the folder cannot be written.
    """
    record = read_record(folder / RESULTS)
    if not record.scores:
        return None
    made, beside = folder / FOLDER, folder / f"{FOLDER}.part"
    shutil.rmtree(beside, ignore_errors=True)
    try:
        for split, score in record.scores.items():
            _write_split(beside / split, read_answered(folder, split), score, top)
        write_json(beside / MARK, {"version": VERSION, "questions_kept": keeps_questions(folder)})
        if made.exists():
            shutil.rmtree(made)
        beside.replace(made)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return made


def _write_split(place: Path, answered: Sequence[Answered], score: Mapping[str, Any], top: int) -> None:
    if not answered:
        raise DataError(f"there are scores of {place.name!r} but no predictions for it; run the cell again")
    place.mkdir(parents=True)
    for name, table in _tables(answered, score, top).items():
        write_csv(place / f"{name}.csv", table)


def ensure_analysed(folder: Path) -> bool:
    """Make the tables of a finished run unless those of this version are there; at the end of a run, and in a report.

    Whatever goes wrong is logged and no more: the run itself is on disk, and is never lost for want of its tables.

    Returns:
        Whether there is nothing left to do: the tables are there, or there is nothing to make them of.
    """
    if is_analysed(folder):
        return True
    try:
        analyse_errors(folder)
    except Exception:  # a full disk, a folder that may only be read, a damaged file, or a fault of ours
        logger.warning("the error analysis of %s failed; 'beatingbert report' tries again", folder, exc_info=True)
        return False
    return True


def is_analysed(folder: Path) -> bool:
    """Whether a run has the tables of this version."""
    try:
        told = json.loads((folder / FOLDER / MARK).read_text(encoding="utf-8"))
        return bool(told["version"] == VERSION)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _tables(answered: Sequence[Answered], score: Mapping[str, Any], top: int) -> dict[str, Table]:
    """File name without ending to its rows; no rows mean no file."""
    labels = score["confusion_matrix"]["labels"]
    wrong = [one for one in answered if not one.is_right]
    # Sorting keeps the data's order among equally sure ones, and among all where there are no probabilities.
    surest = sorted(wrong, key=lambda one: -1.0 if one.confidence is None else one.confidence, reverse=True)
    return {
        **_confusions(labels, score["confusion_matrix"]["rows"]),
        "per_class": _per_class(score["per_class"]),
        "errors": [ERROR_COLUMNS, *map(_cells, wrong)],
        "top_errors": [("rank", "text", *ERROR_COLUMNS)]
        + [(rank, one.text, *_cells(one)) for rank, one in enumerate(surest[:top], start=1)],
        "by_length": _with_header(
            ("shortest", "longest", *CELLS),
            [(one.shortest, one.longest, *one.stratum.cells()) for one in by_length(answered)],
        ),
        "by_label": [("label", *CELLS, "answered")]
        + [
            (one.name, *one.cells(), sum(row.label == one.name for row in answered))
            for one in by_label(answered, labels)
        ],
        "by_truncation": [("read", *CELLS), *((one.name, *one.cells()) for one in by_truncation(answered))],
        "reliability": _with_header(
            ("low", "high", "rows", "confidence", "accuracy"),
            [
                (one["low"], one["high"], one["count"], one["confidence"], one["accuracy"])
                for one in score.get("reliability", [])  # records from before there was calibration have none
            ],
        ),
        "unparsed": _with_header(
            ("reply", "rows", "ids"),
            [(one.words, len(one.ids), " ".join(one.ids[:IDS_SHOWN])) for one in group_unparsed(answered)],
        ),
    }


def _confusions(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> dict[str, Table]:
    """Counts, and shares of each gold label's rows (blank where a label has none)."""
    if not labels:
        return {}
    header = ("gold / predicted", *labels, "no label")
    shares = [[count / sum(row) if sum(row) else "" for count in row] for row in counts]
    return {
        "confusion_matrix": [header, *((label, *row) for label, row in zip(labels, counts, strict=True))],
        "confusion_matrix_normalized": [header, *((label, *row) for label, row in zip(labels, shares, strict=True))],
    }


def _per_class(classes: Mapping[str, Mapping[str, float]]) -> Table:
    names = ("precision", "recall", "f1", "support")
    return _with_header(("label", *names), [(label, *(one[name] for name in names)) for label, one in classes.items()])


def _with_header(header: Sequence[str], rows: Table) -> Table:
    return [header, *rows] if rows else []


def _cells(one: Answered) -> tuple[object, ...]:
    sure = "" if one.confidence is None else one.confidence
    return one.id, one.gold, one.label or "", sure, one.reply or ""
