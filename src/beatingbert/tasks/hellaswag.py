"""How HellaSwag's rows are read before they are asked, so that scores can be held against published ones.

The same text as lm-evaluation-harness 0.4.13 makes of a row (its task `hellaswag`, version 1.0): the sentence that is
to be ended begins with a capital, and what WikiHow's pages left behind is taken out. A mark at the start of an ending
leaves a blank there, which is kept, because the harness scores it too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

STEPS = (
    (re.compile(r" \[title\]"), ". "),  # a heading ends where the next text begins
    (re.compile(r"\[[^\]\n]*\]"), ""),  # [header], [step], [substeps]
    (re.compile(r" {2}"), " "),
)


def prepare(cells: Mapping[str, Any]) -> dict[str, Any]:
    """One row's cells, tidied; what is no text is left for the reader to refuse.

    `ctx` is put together anew from `ctx_a` and `ctx_b`, where a row has both, because the hub's own `ctx` leaves the
    beginning of `ctx_b` small.
    """
    asked = dict(cells)
    first, second = cells.get("ctx_a"), cells.get("ctx_b")
    if isinstance(first, str) and isinstance(second, str):
        asked["ctx"] = f"{first} {second.capitalize()}"
    for column, tidied in (("activity_label", _tidied), ("ctx", _tidied), ("endings", _tidied_list)):
        if column in asked:
            asked[column] = tidied(asked[column])
    return asked


def tidy(text: str) -> str:
    """A text without marks: outer blanks go first, then each of `STEPS` is taken once."""
    text = text.strip()
    for found, instead in STEPS:
        text = found.sub(instead, text)
    return text


def _tidied(value: Any) -> Any:
    return tidy(value) if isinstance(value, str) else value


def _tidied_list(value: Any) -> Any:
    if isinstance(value, str):  # a table of texts holds the list as JSON
        try:
            value = json.loads(value)
        except ValueError:
            return value
    return [_tidied(one) for one in value] if isinstance(value, list) else value
