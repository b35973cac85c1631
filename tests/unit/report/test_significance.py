import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from beatingbert.report import comparisons
from beatingbert.report.comparisons import Contest, hold_contests
from beatingbert.report.frame import read_frame
from beatingbert.report.significance import (
    LEGEND,
    MARKS,
    group_sentence,
    marks,
    overall_sentence,
    sentence,
    significance_page,
    write_significance_csv,
)
from beatingbert.runs.record import RunRecord
from beatingbert.statistics.intervals import Interval
from beatingbert.statistics.verdict import Kind, Verdict

MakeRun = Callable[..., RunRecord]
T, F = True, False
FIRST = [T] * 4 + [T] * 11 + [F] * 1 + [F] * 4
SECOND = [T] * 4 + [F] * 11 + [T] * 1 + [F] * 4
LLM = {"shots": 0, "answer_by": "likelihood"}


def verdict(kind: Kind, gap: float, *, p_value: float = 0.03, rows_needed: int | None = None) -> Verdict:
    interval = Interval(gap, gap - 0.02, gap + 0.03, 0.95)
    return Verdict(kind=kind, gap=interval, p_value=p_value, level=0.95, margin=0.01, rows=100, rows_needed=rows_needed)


@pytest.mark.parametrize(
    ("given", "claims", "told"),
    [
        (verdict("first ahead", 0.05), 1, "A leads B by 5.0 points (95 % interval +3.0 to +8.0, p = 0.03)."),
        (verdict("second ahead", -0.05), 1, "B leads A by 5.0 points (95 % interval +2.0 to +7.0, p = 0.03)."),
        (
            verdict("first ahead", 0.05, p_value=1e-9),
            6,
            "A leads B by 5.0 points (95 % interval +3.0 to +8.0, p < 0.0001; both corrected for 6 comparisons).",
        ),
        (
            verdict("cannot tell", -0.01, p_value=0.4, rows_needed=5600),
            1,
            "No difference can be claimed between B and A: +1.0 points (95 % interval -2.0 to +3.0, p = 0.4); "
            "about 5,600 rows would probably settle it.",
        ),
        (
            verdict("cannot tell", 0.0, p_value=1.0),
            1,
            "No difference can be claimed between A and B: +0.0 points (95 % interval -2.0 to +3.0, p = 1).",
        ),
        (
            verdict("practically equal", 0.001, p_value=0.8),
            1,
            "A and B are practically equal, within 1 point of each other: +0.1 points "
            "(95 % interval -1.9 to +3.1, p = 0.8).",
        ),
        (
            verdict("practically equal", 0.001, p_value=0.001),
            1,
            "A and B are practically equal, within 1 point of each other: +0.1 points "
            "(a difference there is, but too small to matter).",
        ),
    ],
)
def test_a_sentence_names_who_leads_first_and_claims_no_more_than_the_numbers(
    given: Verdict, claims: int, told: str
) -> None:
    assert sentence("A", "B", given, claims=claims) == told


@pytest.fixture
def contests(make_run: MakeRun, runs_dir: Path) -> Callable[[], list[Contest]]:
    """Two LLMs, two encoders and a baseline on one task, and a lone encoder on another."""
    make_run("gemma", SECOND, cell={"engine": "llm", "settings": {"checkpoint": "gemma", **LLM}})
    make_run("qwen", [F] * 20, cell={"engine": "llm", "settings": {"checkpoint": "qwen", **LLM}})
    make_run("bert", FIRST)
    make_run("electra", SECOND, model="el|ectra <b>")
    make_run("linear", SECOND, cell={"engine": "linear"})
    make_run("lone", FIRST, cell={"task": "rte"})
    return lambda: hold_contests(read_frame(runs_dir))


def test_marks_are_against_the_best_of_the_other_side(
    contests: Callable[[], list[Contest]], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = contests()
    given = marks(found)
    named = {one.model: given.get((c.group.fingerprint, one.id)) for c in found for one in c.group.contenders}
    assert named == {
        "gemma": MARKS["second ahead"],
        "qwen": MARKS["second ahead"],
        "bert": MARKS["first ahead"],
        "el|ectra <b>": "?",
        "linear": None,
        "lone": None,
    }
    assert all(mark in LEGEND for mark in MARKS.values())
    monkeypatch.setattr(comparisons, "ALL_PAIRS", 1)
    assert marks(contests()) == given  # those pairs are judged even where not all are


def test_the_page_has_every_claim_and_a_table_that_no_name_breaks(contests: Callable[[], list[Contest]]) -> None:
    page = significance_page(contests())
    told = group_sentence(contests()[1])
    assert told is not None and told.startswith("bert (fine-tuned on 3,600) leads gemma (zero-shot) by 50.0 points")
    assert "## SST-2, 20 rows" in page
    assert re.search(r"With 20 rows a measured gap under \d\d\.\d points cannot be told from chance", page)
    assert "The runs differ: Cochran's Q" in page
    for heading in ("### LLMs against encoders", "### LLMs against baselines", "### Encoders against baselines"):
        assert page.count(heading) == 1
    assert "There is nobody of another side to be held against." in page  # the lone encoder
    rows = [re.split(r"(?<!\\)\|", line.strip("|")) for line in page.splitlines() if line.startswith("|")]
    assert {len(row) for row in rows} == {8}
    assert len(rows) == 3 * 2 + 4 + 2 + 2
    assert "<b>" not in re.sub(r"\\<b\\>", "", page)


def test_the_page_says_when_pairs_were_left_out(
    contests: Callable[[], list[Contest]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "There are 8 pairs" not in significance_page(contests())
    monkeypatch.setattr(comparisons, "ALL_PAIRS", 7)
    assert "There are 8 pairs." in significance_page(contests())


def test_without_two_sides_nothing_is_said_of_them(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("bert", FIRST)
    found = hold_contests(read_frame(runs_dir))
    assert group_sentence(found[0]) is None
    assert overall_sentence(found) is None
    assert "no side can be held against the other" in significance_page(found)


def test_over_all_tasks_the_most_rows_of_each_count(make_run: MakeRun, runs_dir: Path) -> None:
    def both(name: str, llm: list[bool], encoder: list[bool], **about: object) -> None:
        settings = {"engine": "llm", "settings": LLM}
        cell = {"task": name.partition("_")[0]}
        make_run(f"{name}_gemma", llm, model="gemma", cell={**cell, **settings}, **about)
        make_run(f"{name}_bert", encoder, model="bert", cell=cell, **about)

    good, poor = [T] * 100, [F] * 60 + [T] * 40
    both("sst2", good, poor)
    assert overall_sentence(hold_contests(read_frame(runs_dir))) is None  # one task is no "over all"
    both("sst2_few", [F] * 30, [T] * 30, first_id=500)
    both("boolq", [T, F] * 20, [T, F] * 20)
    assert overall_sentence(hold_contests(read_frame(runs_dir))) == "LLMs are ahead on some task and nowhere behind."
    both("rte", poor, good)
    assert "depends on the task" in str(overall_sentence(hold_contests(read_frame(runs_dir))))


def test_the_csv_has_a_row_per_comparison(contests: Callable[[], list[Contest]], tmp_path: Path) -> None:
    found = contests()
    write_significance_csv(tmp_path / "s.csv", found)
    with (tmp_path / "s.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    first, claim = rows[0], found[1].comparisons[0]
    assert (first["task"], first["first"], first["verdict"]) == ("sst2", "gemma (zero-shot)", "second ahead")
    assert float(first["gap"]) == claim.verdict.gap.value == -0.5
    assert float(first["p_corrected"]) == claim.verdict.p_value
    assert first["pairs_corrected_for"] == "8"
