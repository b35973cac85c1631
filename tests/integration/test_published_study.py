"""The study that is committed: its pages are what its records say, and each figure comes out another way as well."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median

import pytest
from pyarrow import parquet

from beatingbert.runs.store import find_damage
from beatingbert.study.pages import BLOCK
from beatingbert.study.write import write_study
from beatingbert.tasks.catalog import TASKS

ROOT = Path(__file__).resolve().parents[2]
STUDY = ROOT / "studies" / "offline"
PAGES = ("docs/RESULTS.md", "docs/METHOD.md", "README.md")
MOST_BYTES = 30_000  # of a cell

if not (STUDY / "report" / "quotes.csv").is_file():
    pytest.skip("no study is published here", allow_module_level=True)


def folders() -> dict[str, Path]:
    """Cell id to the folder of its run."""
    found = {}
    for path in STUDY.glob("*/results.json"):
        found[json.loads(path.read_text(encoding="utf-8"))["cell"]["id"]] = path.parent
    return found


FOLDERS = folders()
with (STUDY / "report" / "quotes.csv").open(encoding="utf-8", newline="") as FILE:
    QUOTES = list(csv.DictReader(FILE))


def record(cell: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((FOLDERS[cell] / "results.json").read_text(encoding="utf-8"))
    return found


def answers(cell: str) -> list[tuple[str, str | None]]:
    """Gold label and answer per row, straight from the file."""
    table = parquet.read_table(FOLDERS[cell] / "predictions.parquet", columns=["gold", "label"])
    return list(zip(table["gold"].to_pylist(), table["label"].to_pylist(), strict=True))


def accuracy(cells: Sequence[str], instead: str | None = None) -> float:
    """Mean over the cells; replies without label count as `instead`."""
    return fmean(
        fmean(gold == (instead if label is None else label) for gold, label in answers(cell)) for cell in cells
    )


def first_label(cell: str) -> str:
    return TASKS[str(record(cell)["task"])].labels[0]


def efficiency(cells: Sequence[str], *path: str) -> float:
    values = []
    for cell in cells:
        entry = record(cell)["efficiency"]
        for name in path:
            assert isinstance(entry, dict)
            entry = entry[name]
        assert isinstance(entry, float)
        values.append(entry)
    return median(values)


def compute(quote: dict[str, str]) -> float:
    """The figure from its cells alone, by nothing of the report."""
    first, second = quote["first_cells"].split(), quote["second_cells"].split()
    match quote["kind"]:
        case "accuracy":
            return accuracy(first)
        case "gap":
            return accuracy(first) - accuracy(second)
        case "accuracy as first label":
            return accuracy(first, instead=first_label(first[0]))
        case "unparsed":
            return sum(label is None for cell in first for _, label in answers(cell))
        case "spread":
            scores = [accuracy([cell]) for cell in first]
            return max(scores) - min(scores)
        case "latency":
            return efficiency(first, "latency", "p50_ms")
        case "training":
            return efficiency(first, "train_seconds")
    raise AssertionError(quote["kind"])


def test_every_quoted_figure_comes_out_of_its_cells() -> None:
    assert QUOTES
    for quote in QUOTES:
        assert compute(quote) == pytest.approx(float(quote["value"]), rel=1e-5, abs=1e-6), quote
        if quote["low"]:
            assert float(quote["low"]) <= float(quote["value"]) <= float(quote["high"])


def test_every_quoted_figure_is_shown_as_it_is() -> None:
    for quote in QUOTES:
        shown, value = quote["shown"].removeprefix("'"), float(quote["value"])
        first = re.match(r"[+-]?[\d,]+(?:\.\d+)?", shown)
        assert first is not None
        number = float(first[0].replace(",", ""))
        if quote["kind"] in ("accuracy", "gap", "spread", "accuracy as first label"):
            assert number == pytest.approx(100 * value, abs=0.0501), quote
        elif quote["kind"] == "latency":
            assert number == pytest.approx(value, abs=0.0501), quote
        elif quote["kind"] == "unparsed":
            assert number == value, quote


def test_the_answer_quotes_nothing_else() -> None:
    pages = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
    found = [block for text in pages.values() for block in BLOCK.finditer(text)]
    blocks = [(one["name"], one["text"]) for one in found if one["name"] in ("answer", "answer_short")]
    assert {name for name, _ in blocks} == {"answer", "answer_short"}
    shown = [quote["shown"].removeprefix("'") for quote in QUOTES if quote["place"] == "answer"]
    for name, block in blocks:
        for one in shown:
            assert one in block or name == "answer_short"
            block = block.replace(one, "")
        names = sorted({str(record(cell)["model"]) for cell in FOLDERS}, key=len, reverse=True)
        rest = re.sub("|".join(map(re.escape, names)), "", re.sub(r"`[0-9a-f]{8}`", "", block).replace("\\", ""))
        assert not re.search(r"\d\.\d", rest), rest


def test_the_answers_cells_are_those_of_its_figures() -> None:
    text = (ROOT / "docs" / "RESULTS.md").read_text(encoding="utf-8")
    (block,) = (found["text"] for found in BLOCK.finditer(text) if found["name"] == "answer")
    named = set(re.findall(r"`([0-9a-f]{8})`", block))
    quoted = {
        cell[:8]
        for quote in QUOTES
        if quote["place"] == "answer"
        for cell in (*quote["first_cells"].split(), *quote["second_cells"].split())
    }
    assert quoted <= named
    assert {cell[:8] for cell in FOLDERS} >= named


def test_the_committed_pages_and_tables_are_what_the_records_give(tmp_path: Path) -> None:
    shutil.copytree(STUDY, tmp_path / "studies" / "offline", ignore=shutil.ignore_patterns("report"))
    (tmp_path / "docs").mkdir()
    for page in PAGES:
        shutil.copy(ROOT / page, tmp_path / page)
    write_study(tmp_path / "studies" / "offline", [tmp_path / page for page in PAGES])
    for page in PAGES:
        assert (tmp_path / page).read_bytes() == (ROOT / page).read_bytes(), page
    made, kept = (
        {path.name: path.read_bytes() for path in folder.glob("*.csv")}
        for folder in (tmp_path / "studies" / "offline" / "report", STUDY / "report")
    )
    assert made == kept
    reports = (tmp_path / "studies" / "offline" / "report", STUDY / "report")
    pictures = [{path.name for path in folder.glob("*.png")} for folder in reports]
    assert pictures[0] == pictures[1] != set()


def test_published_runs_are_small_and_whole() -> None:
    for folder in FOLDERS.values():
        assert find_damage(folder) is None
        assert sum(path.stat().st_size for path in folder.iterdir()) < MOST_BYTES
        assert {path.name for path in folder.iterdir()} == {"results.json", "predictions.parquet", "checksums.sha256"}
