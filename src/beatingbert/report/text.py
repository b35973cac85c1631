"""Numbers and names as a reader wants to see them."""

from __future__ import annotations

import re
from collections.abc import Mapping


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
