from __future__ import annotations

import io
from pathlib import Path

import pytest
from benchmarks.table import PAGE, put_between_markers, render_markdown, render_terminal, used_columns, write_page
from benchmarks.work import Figure
from rich.console import Console

from beatingbert.errors import SettingsError

FAST = Figure(
    work="SST-2, bf16",
    ours=1234.5,
    peer=12.3456,
    unit="questions/s",
    ratio=100.0,
    target=6,
    agreement=0.75,
    peer_name="a | b",
    rows=1024,
    largest_difference=0.00002,
)
DOUBTFUL = Figure(work="SST-2, fp32", ours=0.0, unit="questions/s", target=3, note="no ratio: they differ")


def test_a_table_shows_every_figure_with_its_unit() -> None:
    assert render_markdown([FAST]).splitlines() == [
        "| work | against | rows | ours | theirs | unit | ratio | aim | same answers | largest difference |",
        "| --- | --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: |",
        "| SST-2, bf16 | a \\| b | 1,024 | 1,234 | 12.3 | questions/s | 100 x | 6 x | 75.0 % | 2.0e-05 |",
    ]


def test_without_a_ratio_the_line_says_why() -> None:
    names, (line,) = used_columns([DOUBTFUL])
    cells = dict(zip(names, line, strict=True))
    assert cells == {
        "work": "SST-2, fp32 (no ratio: they differ)",
        "ours": "0",
        "unit": "questions/s",
        "aim": "3 x",
    }


def test_a_share_of_the_peak_is_a_percentage() -> None:
    share = Figure(work="w", ours=65.0, peer=100.0, unit="GFLOP/s", ratio=0.65, target=0.65)
    assert "65 %" in render_markdown([share])


def test_the_terminal_shows_the_same_cells() -> None:
    written = io.StringIO()
    Console(file=written, width=240).print(render_terminal("scoring", [FAST, DOUBTFUL]))
    for cell in ("SST-2, bf16", "1,234", "12.3", "100 x", "75.0 %", "no ratio: they differ"):
        assert cell in written.getvalue()


def test_only_one_group_of_the_page_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "PERFORMANCE.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    write_page("scoring", [FAST], page)
    write_page("scoring", [FAST, DOUBTFUL], page)
    before, after = PAGE.read_text(encoding="utf-8"), page.read_text(encoding="utf-8")
    assert after.count("| SST-2, bf16 |") == 1
    assert "they differ" in after
    assert "torch" in after
    for marker in ("<!-- bench:invariance -->", "<!-- bench:peak -->", "<!-- bench:memory -->"):
        assert before.split(marker)[1].split("<!--")[0] == after.split(marker)[1].split("<!--")[0]
    assert before.split("<!--")[0] == after.split("<!--")[0]


def test_a_page_without_markers_is_not_guessed_at() -> None:
    with pytest.raises(SettingsError, match="bench:scoring"):
        put_between_markers("# How fast\n", "scoring", "table")
