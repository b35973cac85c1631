"""Figures as tables: for a terminal, and for docs/PERFORMANCE.md between its markers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from rich.table import Table

from beatingbert.errors import SettingsError
from beatingbert.runs.environment import capture_environment
from benchmarks.work import Figure

PAGE = Path(__file__).resolve().parents[1] / "docs" / "PERFORMANCE.md"
LIBRARIES = ("torch", "transformers", "lm-eval", "llama-cpp-python", "vllm")
COLUMNS = ("work", "against", "rows", "ours", "theirs", "unit", "ratio", "aim", "same answers", "largest difference")
Cells = tuple[str, ...]


def cells_of(figure: Figure) -> Cells:
    """One line of the table, in the order of `COLUMNS`, with the note behind the piece of work that it is about."""
    work = f"{figure.work} ({figure.note})" if figure.note else figure.work
    return (
        work,
        figure.peer_name,
        f"{figure.rows:,}" if figure.rows else "",
        _number(figure.ours),
        _number(figure.peer),
        figure.unit,
        _ratio(figure, figure.ratio),
        _ratio(figure, figure.target),
        "" if figure.agreement is None else f"{100 * figure.agreement:.1f} %",
        "" if figure.largest_difference is None else f"{figure.largest_difference:.1e}",
    )


def _number(value: float | None) -> str:
    """Three significant digits, all digits before the point."""
    if value is None:
        return ""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.1e}"


def _ratio(figure: Figure, value: float | None) -> str:
    if value is None:
        return ""
    return f"{100 * value:.0f} %" if figure.unit == "GFLOP/s" else f"{value:.3g} x"


def used_columns(figures: Sequence[Figure]) -> tuple[Cells, list[Cells]]:
    """Names and lines of the columns in which any line says something."""
    lines = [cells_of(figure) for figure in figures]
    used = [at for at in range(len(COLUMNS)) if any(line[at] for line in lines)]
    return tuple(COLUMNS[at] for at in used), [tuple(line[at] for at in used) for line in lines]


def render_terminal(title: str, figures: Sequence[Figure]) -> Table:
    """A table for rich to print; a ratio below its aim, or none where there should be one, stands out."""
    names, lines = used_columns(figures)
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for figure, line in zip(figures, lines, strict=True):
        missed = figure.target is not None and (figure.ratio is None or figure.ratio < figure.target)
        table.add_row(*line, style="yellow" if missed else None)
    return table


def render_markdown(figures: Sequence[Figure]) -> str:
    """The same as a Markdown table; figures to the right."""
    names, lines = used_columns(figures)
    words = {"work", "against", "unit"}
    rule = ["---" if name in words else "---:" for name in names]
    rows = [names, rule, *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def describe_machine() -> str:
    """Date, processor, threads, versions and commit, as one sentence."""
    environment = capture_environment()
    machine, git = environment["machine"], environment["git"]
    gpus = ", ".join(gpu["name"] for gpu in machine["gpus"] or [])
    versions = [f"Python {environment['python']}", *filter(None, map(_version, LIBRARIES))]
    commit = f"; commit {git['commit'][:12]}{' with changes' if git['dirty'] else ''}" if git else ""
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine['cpu']}, {machine['logical_cores']} cores used, "
        f"{environment['threads']} threads{', ' + gpus if gpus else ''}; {', '.join(versions)}{commit}."
    )


def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return ""


def put_between_markers(page: str, group: str, content: str) -> str:
    """The page with everything between the group's two markers replaced.

    Raises:
        SettingsError: the page lacks them.
    """
    start, end = f"<!-- bench:{group} -->", f"<!-- /bench:{group} -->"
    pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(page):
        raise SettingsError(f"the page needs a line {start} and, below it, a line {end}; put them back")
    return pattern.sub(lambda _: f"{start}\n{content}\n{end}", page)


def write_page(group: str, figures: Sequence[Figure], page: Path = PAGE) -> None:
    """Replace one group's figures in the page."""
    content = f"{describe_machine()}\n\n{render_markdown(figures)}"
    page.write_text(put_between_markers(page.read_text(encoding="utf-8"), group, content), encoding="utf-8")
