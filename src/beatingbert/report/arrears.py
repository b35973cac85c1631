"""What runs lack in their own `error_analysis/`: a report makes up for it.

A run of today leaves its tables itself, and a single one its pictures, too; older runs, those of a suite, and those
with tables of another version do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from beatingbert.errors import DataError
from beatingbert.progress import Progress, silent
from beatingbert.report.errors.analysis import analyse_errors, is_analysed
from beatingbert.runs.record import RunRecord

MOST_DRAWN = 30
"""Runs whose pictures one report draws, at a fifth of a second each; the next report goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrears:
    """What is still missing.

    Attributes:
        undrawn: runs that have no pictures yet, since there were too many.
        failed: a line per run whose folder could not be written, or read.
    """

    undrawn: int = 0
    failed: tuple[str, ...] = ()


def make_up(records: Sequence[RunRecord], *, tables: bool, pictures: bool, progress: Progress = silent) -> Arrears:
    """Make the tables of all runs that lack them, and the pictures of the newest `MOST_DRAWN` that lack those.

    Args:
        records: of scored runs.
        tables: whether tables are asked for.
        pictures: whether pictures are.
        progress: called while work is done.
    """
    failed: list[str] = []
    undrawn = 0
    if tables:
        missing = [one.folder for one in records if not is_analysed(one.folder)]
        failed += _each(missing, analyse_errors, "errors of each run", progress)
    if pictures:
        from beatingbert.report.plots.of_run import draw_run, is_drawn

        newest = sorted(records, key=lambda one: (one.finished_at, str(one.folder)), reverse=True)
        missing = [one.folder for one in newest if not is_drawn(one.folder)]
        undrawn = max(0, len(missing) - MOST_DRAWN)
        failed += _each(missing[:MOST_DRAWN], draw_run, "drawing each run", progress)
    return Arrears(undrawn=undrawn, failed=tuple(failed))


def _each(folders: Sequence[Path], work: Callable[[Path], object], phase: str, progress: Progress) -> list[str]:
    """Do the work for every folder; those where it cannot be done, with the reason."""
    failed = []
    for done, folder in enumerate(folders, start=1):
        try:
            work(folder)
        except (OSError, DataError) as error:
            failed.append(f"{folder.name}: {error}")
        progress(phase, done, len(folders))
    return failed
