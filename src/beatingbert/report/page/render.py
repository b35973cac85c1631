"""The page as one file: works from a mail attachment, without a network, and cannot be made to run what it shows.

The plots are plotly's: its script travels in a Python wheel under the MIT licence, pinned like any other dependency,
draws intervals on logarithmic axes, and runs under the policy below. It is 4.8 MB of the page, embedded once. The rest
of the page is a template and four small files of script: no compiled web application, hence no second tool chain.

Three walls keep text from becoming markup: the template escapes whatever it is given; the data
lie in a JSON block in which `<`, `>`, `&` and everything beyond ASCII is escaped, and the script puts them on the page
as text nodes only; and the page's own content security policy knows the scripts by their hash, forbids every
connection, and forbids the script to make markup of strings at all (trusted types).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

from beatingbert.report.contenders import KIND_WORDS
from beatingbert.report.page.columns import COLUMNS
from beatingbert.report.page.data import PageData, Row, Verdict
from beatingbert.report.page.payload import BROWSER_CHARACTERS, build_payload

ASSETS = files("beatingbert.report.page") / "assets"
SCRIPTS = ("dom.js", "leaderboard.js", "plots.js", "browser.js")
WHISKER_WIDTH = 88  # pixels, as the template draws it


def render_page(data: PageData, *, characters: int = BROWSER_CHARACTERS) -> str:
    """The whole page. The same data give the same page.

    Args:
        data: what to show.
        characters: bounds the error browser's texts, see `payload`.
    """
    from jinja2 import DictLoader, Environment, StrictUndefined
    from jinja2.utils import htmlsafe_json_dumps
    from plotly.offline import get_plotlyjs

    library, script, style = _embeddable(get_plotlyjs()), _embeddable(_script()), _asset("page.css")
    environment = Environment(
        loader=DictLoader({"page.html": _asset("page.html")}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        data=data,
        verdicts=_by_task(data.verdicts),
        columns=COLUMNS,
        kinds=KIND_WORDS,
        tasks=list(dict.fromkeys(row.task for row in data.rows)),
        whisker=_whisker(data.rows),
        characters=characters,
        payload=htmlsafe_json_dumps(build_payload(data, characters=characters), separators=(",", ":"), allow_nan=False),
        policy=_policy([library, script]),
        library=library,
        script=script,
        style=style,
    )


def write_page(path: Path, data: PageData) -> None:
    """Write the page beside, then rename.

    Raises:
        OSError: the folder cannot be written.
    """
    beside = path.with_name(path.name + ".part")
    # A lone half of a surrogate pair, which JSON can hold, is no character: it becomes a replacement mark in the page.
    beside.write_bytes(render_page(data).encode("utf-8", "xmlcharrefreplace"))
    beside.replace(path)


def _by_task(verdicts: Sequence[Verdict]) -> dict[str, list[Verdict]]:
    """Tasks in the order of their first verdict."""
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.task, []).append(verdict)
    return found


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _script() -> str:
    """The page's own script, whose files share one scope that nothing outside can reach."""
    return "(() => {\n'use strict';\n" + "\n".join(map(_asset, SCRIPTS)) + "\n})();"


def _embeddable(script: str) -> str:
    """A script as it can stand in HTML, where these words would end or change it.

    Raises:
        ValueError: it holds one of them.
    """
    for word in ("</script", "<script", "<!--", "\r", "\0"):
        if word in script.lower():
            raise ValueError(f"a script with {word!r} in it cannot be embedded; write it in another way")
    return script


def _policy(scripts: list[str]) -> str:
    """Nothing comes from outside, and of all scripts only these run."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    return "; ".join(
        (
            "default-src 'none'",
            "script-src " + " ".join(f"'sha256-{one}'" for one in hashes),
            "style-src 'unsafe-inline'",  # plotly styles what it draws
            "img-src data: blob:",  # a plot that its reader saves as a picture
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _whisker(rows: Sequence[Row]) -> Callable[[float], str]:
    """Where an accuracy lies on the small scale that all rows share, in pixels."""
    low = min((row.accuracy.low for row in rows), default=0.0)
    high = max((row.accuracy.high for row in rows), default=1.0)
    span = (high - low) or 1.0

    def place(value: float) -> str:
        return f"{3 + (WHISKER_WIDTH - 6) * (value - low) / span:.1f}"

    return place
