"""One run's own pictures, in its `error_analysis/`: confusion matrix, the same in percent, reliability.

They show what the tables beside them say. Making them costs a fifth of a second a run, and as much again for loading
the library: `beatingbert run` and the study's scripts pay that at the end of a run, a report pays it for runs that lack
them, so many at a time.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from beatingbert.report.contenders import describe
from beatingbert.report.errors.analysis import FOLDER
from beatingbert.report.plots import style
from beatingbert.report.plots.confusion import draw_confusion
from beatingbert.report.plots.reliability import draw_reliability
from beatingbert.runs.files import write_json
from beatingbert.runs.record import RunRecord
from beatingbert.runs.store import RESULTS, read_record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.getLogger("beatingbert.report")

MARK = "pictures.json"
VERSION = 1
"""Goes up when the pictures change; a run with another version's pictures gets new ones."""


def draw_run(folder: Path) -> list[Path]:
    """Draw one run's confusion matrices and reliability diagrams into its `error_analysis/`, as PNG.

    Raises:
        DataError: its record cannot be read.
        OSError: the folder cannot be written.
    """
    record = read_record(folder / RESULTS)
    paths = []
    with style.drawing():
        for split in record.scores:
            title = (f"{record.model} ({describe(record)})", f"{record.cell.task} ({split})")
            for name, figure in pictures_of(record, split, title):
                paths += style.save(figure, folder / FOLDER / split, name, formats=("png",))
    if record.scores:
        write_json(folder / FOLDER / MARK, {"version": VERSION})
    return paths


def ensure_drawn(folder: Path) -> bool:
    """Draw a finished run's pictures unless those of this version are there; whatever goes wrong is logged.

    Returns:
        Whether there is nothing left to do.
    """
    if is_drawn(folder):
        return True
    try:
        draw_run(folder)
    except Exception:  # as with the tables: the run itself is on disk and is never lost for want of its pictures
        logger.warning("the pictures of %s could not be drawn; 'beatingbert report' tries again", folder, exc_info=True)
        return False
    return True


def is_drawn(folder: Path) -> bool:
    """Whether a run has the pictures of this version; new tables take the old pictures away."""
    try:
        told = json.loads((folder / FOLDER / MARK).read_text(encoding="utf-8"))
        return bool(told["version"] == VERSION)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def pictures_of(record: RunRecord, split: str, title: Sequence[str]) -> Iterator[tuple[str, Figure]]:
    """A run's own pictures with their names, what there is; multiple choice has no confusion of mere positions."""
    score = record.scores[split]
    matrix = score["confusion_matrix"]
    if matrix["labels"]:
        yield "confusion_matrix", draw_confusion(matrix["labels"], matrix["rows"], title=title)
        yield (
            "confusion_matrix_normalized",
            draw_confusion(matrix["labels"], matrix["rows"], title=title, normalised=True),
        )
    if score.get("reliability"):
        ece = score["metrics"].get("ece", {}).get("value")
        yield "reliability", draw_reliability(score["reliability"], title=title, ece=ece)
