"""Everything that a folder of runs has taught, written as files: tables, claims, tidy results, plots, the page."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from beatingbert.errors import DataError, SettingsError
from beatingbert.progress import Progress, silent
from beatingbert.report.comparisons import MARGIN, Contest, hold_contests
from beatingbert.report.fields import find_fields
from beatingbert.report.frame import Frame, Skipped, read_frame
from beatingbert.report.prices import Prices, read_prices
from beatingbert.report.significance import LEGEND, marks, significance_page, write_significance_csv
from beatingbert.report.tables import efficiency_table, performance_table
from beatingbert.report.text import escape_markdown
from beatingbert.report.tidy import all_results, write_all_results_csv, write_all_results_parquet

Format = Literal["all", "tables", "plots", "csv", "html"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What every part of a report is made from.

    Attributes:
        frame: the runs.
        contests: claims, one per group of the frame.
        prices: what costs are reckoned with.
        progress: called while work is done.
    """

    frame: Frame
    contests: Sequence[Contest]
    prices: Prices
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A report on disk.

    Attributes:
        folder: where it lies.
        files: what was written, relative to the folder.
        findings: what it was made from.
    """

    folder: Path
    files: tuple[Path, ...]
    findings: Findings


Part = Callable[[Findings, Path], None]
"""Writes some files into a fresh folder."""


def analyse(
    results_dir: Path,
    output_dir: Path | None = None,
    *,
    formats: Format = "all",
    margin: float = MARGIN,
    prices: Path | None = None,
    progress: Progress = silent,
) -> Written:
    """Read all runs and write the report.

    Everything is written beside and moved into place when all of it is there, so no report is half new.

    Args:
        results_dir: the folder that holds the runs.
        output_dir: where to; `results_dir/analysis` where none is given.
        formats: what to write.
        margin: up to which a difference of accuracies does not matter, as a fraction.
        prices: the price file; the shipped one where none is given.
        progress: called while work is done.

    Raises:
        DataError: there is no finished run with scores, or the price file is none.
        SettingsError: the folder cannot be written, or `margin` is out of range.
    """
    if not 0 <= margin < 1:
        raise SettingsError(f"--margin is a fraction from 0 to below 1, e.g. 0.01 for one point; got {margin}")
    known = read_prices(prices)
    frame = read_frame(results_dir, progress=progress)
    if not frame.groups:
        raise DataError(_nothing(results_dir, frame.skipped))
    contests = hold_contests(frame, margin=margin, progress=progress)
    findings = Findings(frame=frame, contests=contests, prices=known, progress=progress)
    folder = results_dir / "analysis" if output_dir is None else output_dir
    parts = [part for name, parts in PARTS.items() if formats in ("all", name) for part in parts]
    return Written(folder=folder, files=_write(folder, parts, findings), findings=findings)


def _write_tables(findings: Findings, folder: Path) -> None:
    fields = find_fields(findings.frame)
    text = performance_table(fields, marks(findings.contests), LEGEND) + _skipped(findings.frame)
    (folder / "performance_table.md").write_text(text, encoding="utf-8")
    (folder / "efficiency_table.md").write_text(efficiency_table(fields, findings.prices), encoding="utf-8")
    (folder / "significance.md").write_text(significance_page(findings.contests), encoding="utf-8")


def _write_results(findings: Findings, folder: Path) -> None:
    rows = all_results(findings.frame, findings.prices)
    write_all_results_csv(folder / "all_results.csv", rows)
    write_all_results_parquet(folder / "all_results.parquet", rows)
    write_significance_csv(folder / "significance.csv", findings.contests)


PARTS: Mapping[str, tuple[Part, ...]] = {
    "tables": (_write_tables,),
    "csv": (_write_results,),
    "plots": (),
    "html": (),
}
"""What each format writes, in this order."""


def _write(folder: Path, parts: Sequence[Part], findings: Findings) -> tuple[Path, ...]:
    """Write all parts into a fresh folder beside, then move every file into place."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))
    except OSError as error:
        raise SettingsError(f"--output_dir {str(folder)!r} cannot be written: {error.strerror or error}") from error
    try:
        for part in parts:
            part(findings, beside)
        files = tuple(sorted(path.relative_to(beside) for path in beside.rglob("*") if path.is_file()))
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (beside / file).replace(folder / file)
    except OSError as error:
        raise SettingsError(f"the report cannot be written to {str(folder)!r}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return files


def _skipped(frame: Frame) -> str:
    if not frame.skipped:
        return ""
    lines = [f"- {escape_markdown(told)}" for told in describe_skipped(frame)]
    return "\n".join(["\n## Skipped\n", *lines, ""])


def describe_skipped(frame: Frame) -> list[str]:
    """A line per file that is no part of the report, with the reason."""
    return [f"{one.path.relative_to(frame.root).as_posix()}: {one.reason}" for one in frame.skipped]


def _nothing(results_dir: Path, skipped: Sequence[Skipped]) -> str:
    told = "".join(f"\n- skipped {one.path}: {one.reason}" for one in skipped)
    return (
        f"no finished run with scores under {str(results_dir)!r}; make one with 'beatingbert demo' or "
        f"'beatingbert run', or give --results_dir{told}"
    )
