"""From a published study to its report: tables as CSV, pictures, and the blocks of its pages."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from beatingbert.errors import SettingsError
from beatingbert.report.comparisons import hold_contest
from beatingbert.report.prices import read_prices
from beatingbert.runs.files import write_csv
from beatingbert.study import asides, contest
from beatingbert.study.answer import answer, timed_task
from beatingbert.study.clock import Clock
from beatingbert.study.crossings import find_curves
from beatingbert.study.material import Lineup, read_material
from beatingbert.study.pages import LINK, fill_page
from beatingbert.study.pictures import draw_study
from beatingbert.study.quotes import Quotes, without_cells
from beatingbert.study.section import Section
from beatingbert.study.variants import calibration_of, changes, habit_of, written
from beatingbert.study.verdicts import rule
from beatingbert.study.wordings import find_grids

REPORT = "report"


def write_study(folder: Path, pages: Sequence[Path]) -> Path:
    """Write the report of a published study.

    The folder's `report/` is made anew beside and takes the place of the old one; pages are filled one by one.

    Args:
        folder: with the published records.
        pages: whose blocks are filled, see `pages`; one that does not exist is made of all blocks.

    Returns:
        The folder of tables and pictures.

    Raises:
        DataError: the folder holds no published study, or a page has a block that nobody fills.
        SettingsError: something cannot be written.
    """
    try:
        beside = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))
    except OSError as error:
        raise SettingsError(f"{str(folder)!r} cannot be written: {error.strerror or error}") from error
    try:
        blocks = _write_report(folder, beside)
        beside.chmod(0o755)  # a temporary folder is its owner's alone
        report = folder / REPORT
        shutil.rmtree(report, ignore_errors=True)
        beside.replace(report)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    for page in pages:
        fill_page(page, blocks, Path(os.path.relpath(report, page.parent)).as_posix())
    return report


def _write_report(folder: Path, to: Path) -> dict[str, str]:
    """Write tables and pictures; the blocks of the pages, name to Markdown."""
    material, quotes, prices = read_material(folder), Quotes(), read_prices()
    lineups, clock = material.lineups, Clock(material.frame.records)
    rulings = rule(material)
    curves = [curve for lineup in lineups for curve in find_curves(lineup)]
    sentences, brief = answer(rulings, curves, clock, quotes), answer(rulings, curves, clock, Quotes(), brief=True)
    sections = {
        "coverage": contest.coverage(material),
        "answer": Section("\n\n".join(sentences) + "\n"),
        "answer_short": Section("".join(f"- {without_cells(one)}\n" for one in brief)),
        "verdicts": contest.verdicts(rulings, _smallest_gaps(lineups), quotes),
        "scores": contest.scores(lineups, quotes),
        "costs": contest.costs(lineups, clock, prices),
        "curves": contest.curves(curves, quotes),
        "wordings": asides.wordings(find_grids(material), rulings, quotes),
        "optimised": asides.optimised(lineups, quotes),
        "calibration": asides.calibrations(changes(material, calibration_of), quotes),
        "unparsed": asides.unparsed(written(material), quotes),
        "habits": asides.habits(changes(material, habit_of), quotes),
        "batches": asides.batches(material, clock),
        "rows": asides.rows_of(material),
    }
    for section in sections.values():
        for name, rows in section.tables.items():
            write_csv(to / f"{name}.csv", rows)
    quotes.write(to / "quotes.csv")
    pictures = draw_study(to, lineups, rulings, curves, clock, prices)
    blocks = {name: section.text for name, section in sections.items()}
    shown = {"pictures_latency": "latency_", "pictures_learning": "learning_", "pictures_gaps": "gaps"}
    for name, start in shown.items():
        found = [one for one in pictures if one.startswith(start)]
        blocks[name] = _show(found)
    # for a page that has room for one only
    blocks["picture_latency"] = _show([f"latency_{timed_task(rulings, clock)}"] if rulings else [])
    return blocks


def _show(pictures: Sequence[str]) -> str:
    return "\n".join(f"![{_alt(one)}]({LINK}/{one}.png)\n" for one in pictures) or "No picture yet.\n"


def _alt(name: str) -> str:
    kind, _, task = name.partition("_")
    told = {"gaps": "The gap between the best LLM and the best encoder by task", "latency": "Accuracy against latency"}
    return told.get(kind, "Accuracy by train rows") + (f" on {task}" if task else "")


def _smallest_gaps(lineups: Sequence[Lineup]) -> dict[str, float]:
    """Task to the smallest measured gap that its rows can tell from chance, by its main contest."""
    found = {}
    for lineup in lineups:
        gap = hold_contest(lineup.as_group).smallest_gap
        if gap is not None:
            found[lineup.group.task] = gap
    return found
