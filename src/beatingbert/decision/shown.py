"""Sections as Markdown and as HTML. Whatever they hold is text: none of it becomes markup."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from beatingbert.decision.words import Section
from beatingbert.report.text import escape_markdown, markdown_table

STYLE = (
    ".bb-decision{font:14px/1.5 system-ui,sans-serif;max-width:72em}"
    ".bb-decision table{border-collapse:collapse;margin:.6em 0}"
    ".bb-decision th,.bb-decision td{padding:.2em .7em;border-bottom:1px solid #8884;text-align:right;"
    "vertical-align:top}"
    ".bb-decision .t{text-align:left;max-width:36em;overflow-wrap:anywhere}"
    ".bb-decision img{max-width:100%;height:auto}"
)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def as_markdown(sections: Sequence[Section], *, picture: str | None) -> str:
    """The sections below each other; `picture` is the file name of the learning curve."""
    parts = []
    for number, one in enumerate(sections):
        parts.append(f"{'#' if number == 0 else '##'} {escape_markdown(one.title)}\n")
        parts += [f"{escape_markdown(line)}\n" for line in one.lines]
        if one.pictured and picture is not None:
            parts.append(f"![Learning curve]({picture})\n")
        if one.rows:
            parts.append(markdown_table(one.columns, one.rows, left=one.left))
    return "\n".join(parts)


def as_html(sections: Sequence[Section], *, picture: bytes | None) -> str:
    """A fragment; `picture` is the learning curve as PNG."""
    parts = [f"<style>{STYLE}</style>", '<div class="bb-decision">']
    for number, one in enumerate(sections):
        level = 2 if number == 0 else 3
        parts.append(f"<h{level}>{escape(one.title)}</h{level}>")
        parts += [f"<p>{escape(line)}</p>" for line in one.lines]
        if one.pictured and picture is not None:
            data = base64.b64encode(picture).decode()
            parts.append(f'<img alt="Learning curve" src="data:image/png;base64,{data}">')
        if one.rows:
            parts.append(_table(one))
    return "\n".join([*parts, "</div>"])


def as_page(fragment: str, title: str) -> str:
    """The fragment as a file of its own, which loads nothing and runs nothing."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title></head>\n<body>\n{fragment}\n</body></html>\n"
    )


def _table(section: Section) -> str:
    def cells(tag: str, row: Sequence[str]) -> str:
        kinds = [' class="t"' if place < section.left else "" for place in range(len(row))]
        return "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for kind, cell in zip(kinds, row, strict=True))

    head = f"<thead><tr>{cells('th', section.columns)}</tr></thead>"
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in section.rows)
    return f"<table>{head}<tbody>{body}</tbody></table>"
