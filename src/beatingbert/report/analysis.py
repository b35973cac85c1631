"""Everything that a folder of runs has taught, written as files: tables, claims, tidy results, plots, the page."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from beatingbert.errors import DataError, SettingsError
from beatingbert.progress import Progress, silent
from beatingbert.report.arrears import Arrears, make_up
from beatingbert.report.comparisons import MARGIN, Contest, hold_contests
from beatingbert.report.fields import find_fields
from beatingbert.report.frame import Frame, Group, Skipped, read_frame
from beatingbert.report.manifest import NAME, mark_files, read_manifest, remove_stale, write_manifest
from beatingbert.report.overlap import Overlap, overlap_of, write_all_wrong, write_alone, write_error_overlap
from beatingbert.report.prices import Prices, read_prices
from beatingbert.report.significance import LEGEND, marks, significance_page, write_significance_csv
from beatingbert.report.tables import efficiency_table, performance_table
from beatingbert.report.text import escape_markdown
from beatingbert.report.tidy import all_results, write_all_results_csv, write_all_results_parquet

Format = Literal["all", "tables", "plots", "csv", "html"]


@dataclass(frozen=True, kw_only=True)
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

    @cached_property
    def overlaps(self) -> list[tuple[Group, Overlap]]:
        """How the contenders of each group err together."""
        found = []
        for done, group in enumerate(self.frame.groups, start=1):
            found.append((group, overlap_of(self.frame, group)))
            self.progress("comparing errors", done, len(self.frame.groups))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A report on disk.

    Attributes:
        folder: where it lies.
        files: what was written, relative to the folder.
        findings: what it was made from.
        arrears: what the runs' own error analyses still lack.
    """

    folder: Path
    files: tuple[Path, ...]
    findings: Findings
    arrears: Arrears


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

    Everything is written beside and moved into place when all of it is there, so no report is half new. What an earlier
    report wrote of the same formats and this one does not is removed; every other file stays. Afterwards runs get what
    they lack of their own error analyses, tables with the tables and pictures with the plots.

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
    parts = {name: part for name, part in PARTS.items() if formats in ("all", name)}
    files = _write(folder, parts, findings)
    scored = [record for record in frame.records if record.scores]
    arrears = make_up(scored, tables="tables" in parts, pictures="plots" in parts, progress=progress)
    return Written(folder=folder, files=files, findings=findings, arrears=arrears)


def _write_tables(findings: Findings, folder: Path) -> None:
    fields = find_fields(findings.frame)
    text = performance_table(fields, marks(findings.contests), LEGEND) + _skipped(findings.frame)
    (folder / "performance_table.md").write_text(text, encoding="utf-8")
    (folder / "efficiency_table.md").write_text(efficiency_table(fields, findings.prices), encoding="utf-8")
    claims = significance_page(findings.contests, [overlap for _, overlap in findings.overlaps])
    (folder / "significance.md").write_text(claims, encoding="utf-8")


def _write_csv(findings: Findings, folder: Path) -> None:
    rows = all_results(findings.frame, findings.prices)
    write_all_results_csv(folder / "all_results.csv", rows)
    write_all_results_parquet(folder / "all_results.parquet", rows)
    write_significance_csv(folder / "significance.csv", findings.contests)
    write_error_overlap(folder / "error_overlap.csv", findings.overlaps)
    write_alone(folder / "error_alone.csv", findings.overlaps)
    write_all_wrong(folder / "error_all_wrong.csv", findings.overlaps)


def _draw(findings: Findings, folder: Path) -> None:
    from beatingbert.report.plots.draw import draw_all

    draw_all(findings.frame, folder / "plots", progress=findings.progress)


def _write_page(findings: Findings, folder: Path) -> None:
    from beatingbert.report.page.gather import gather_page
    from beatingbert.report.page.render import write_page

    page = gather_page(findings.frame, findings.contests, findings.prices, progress=findings.progress)
    write_page(folder / "report.html", page)


PARTS: Mapping[str, Part] = {"tables": _write_tables, "csv": _write_csv, "plots": _draw, "html": _write_page}
"""What each format writes, in this order."""


def _write(folder: Path, parts: Mapping[str, Part], findings: Findings) -> tuple[Path, ...]:
    """Write all parts into fresh folders beside, then move every file into place and take away what is out of date."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))
    except OSError as error:
        raise SettingsError(f"--output_dir {str(folder)!r} cannot be written: {error.strerror or error}") from error
    try:
        written: dict[str, dict[str, str]] = {}
        for name, part in parts.items():
            (beside / name).mkdir()
            part(findings, beside / name)
            files = [path.relative_to(beside / name) for path in (beside / name).rglob("*") if path.is_file()]
            written[name] = mark_files(beside / name, files)
        before = read_manifest(folder)
        for name, marked in written.items():
            for file in marked:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (beside / name / file).replace(folder / file)
            remove_stale(folder, before.get(name, {}), marked)
        write_manifest(folder, before | written)
    except OSError as error:
        raise SettingsError(f"the report cannot be written to {str(folder)!r}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return tuple(sorted([Path(NAME), *(Path(file) for marked in written.values() for file in marked)]))


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
