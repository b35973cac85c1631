"""Numbers and names as a reader wants to see them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence


def percent(metric: Mapping[str, float] | None, *, bounds: bool = False) -> str:
    """A fraction as percent, with its interval if asked for: '85.4 [82.9, 87.6]'; a dash where there is none."""
    if metric is None:
        return "-"
    value = f"{100 * metric['value']:.1f}"
    return f"{value} [{100 * metric['low']:.1f}, {100 * metric['high']:.1f}]" if bounds else value


def figure(value: float | None, digits: int) -> str:
    """A number with so many digits after the point; a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def duration(seconds: float) -> str:
    """Seconds as '0.4 s', '38 s' or '4 min 10 s'; a dash for none."""
    if seconds == 0:
        return "-"
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def escape_markdown(text: str) -> str:
    """A text that shows as it is in a Markdown table, whatever it holds."""
    return re.sub(r"([\\`*_{}\[\]<>|#~&$])", r"\\\1", " ".join(text.split()))


def many(count: float | None) -> str:
    """A large count in three figures, as '22.7 M', '1.24 B' or '872'; a dash where nobody knows it."""
    if count is None:
        return "-"
    for size, unit in ((1e9, " B"), (1e6, " M"), (1e3, " k")):
        if count >= 0.9995 * size:
            return f"{_three_figures(count / size)}{unit}"
    return f"{count:,.0f}"


def whole(value: float | None) -> str:
    """A number without what is after its point, as '1,234'; a dash where nobody knows it."""
    return "-" if value is None else f"{value:,.0f}"


def storage(size: float | None) -> str:
    """Bytes in three figures, as '91.2 MB' or '1.24 GB', by powers of a thousand as disks are sold; a dash for none."""
    if size is None:
        return "-"
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= 0.9995 * unit:
            return f"{_three_figures(size / unit)} {name}"
    return f"{size:.0f} B" if size else "-"


def money(amount: float | None) -> str:
    """A price in three figures and never less than its cents: '0.0123', '4.20', '1,234'; a dash where there is none."""
    if amount is None:
        return "-"
    if amount == 0:
        return "0"
    if amount >= 1:
        return f"{amount:,.0f}" if amount >= 999.5 else f"{amount:,.2f}"
    return f"{amount:.{max(2, 2 - math.floor(math.log10(amount)))}f}"


def p_value(value: float) -> str:
    """A p-value in two figures, as 'p = 0.03', or 'p < 0.0001'."""
    return "p < 0.0001" if value < 0.0001 else f"p = {value:.2g}"


def in_points(fraction: float) -> str:
    """A margin as a reader says it: '1 point', '0.5 points'."""
    return f"{100 * fraction:g} point{'' if fraction == 0.01 else 's'}"


def points(fraction: float) -> str:
    """A gap between two accuracies, as '+5.4'."""
    return f"{100 * fraction:+.1f}"


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, left: int) -> str:
    """A GitHub table that no text of another's can break.

    Args:
        columns: the headings, as they are.
        rows: as many texts each.
        left: how many of the columns hold texts, of any origin; the others hold our own figures and words, which are
            not escaped, and stand to the right.
    """
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * left + " ---: |" * (len(columns) - left)]
    lines += ["| " + " | ".join([*map(escape_markdown, row[:left]), *row[left:]]) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _three_figures(value: float) -> str:
    return f"{value:.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f}"


def shorten(text: str, most: int) -> str:
    """A text as one line of at most so many characters, with an ellipsis where something was cut."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"
