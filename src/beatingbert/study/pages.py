"""Pages with blocks that a study fills: what stands between `<!-- study:NAME -->` and `<!-- /study:NAME -->`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from beatingbert.errors import DataError, SettingsError

BLOCK = re.compile(r"<!-- study:(?P<name>[a-z_]+) -->\n(?P<text>.*?)<!-- /study:(?P=name) -->", re.DOTALL)
MARK = re.compile(r"<!-- /?study:[a-z_]+ -->")
LINK = "STUDY_REPORT"
"""Stands in a block for the folder of tables and pictures, since each page lies elsewhere."""


def fill(page: str, blocks: Mapping[str, str], report: str) -> str:
    """The page with its blocks filled anew; everything else stays.

    Args:
        page: the page's text.
        blocks: name to Markdown that ends with a line end.
        report: the folder of tables and pictures, relative to the page.

    Raises:
        DataError: a block that nobody fills, or that is not closed.
    """

    def filled(found: re.Match[str]) -> str:
        name = found["name"]
        if name not in blocks:
            raise DataError(f"block {name!r} is none that a study fills; known: {', '.join(blocks)}")
        return f"<!-- study:{name} -->\n{blocks[name].replace(LINK, report)}<!-- /study:{name} -->"

    new = BLOCK.sub(filled, page)
    marks, blocks_found = len(MARK.findall(new)), len(BLOCK.findall(new))
    if marks != 2 * blocks_found:
        raise DataError("a study's block is not closed by its own mark: each needs <!-- /study:NAME --> behind it")
    return new


def fill_page(path: Path, blocks: Mapping[str, str], report: str) -> None:
    """Fill a page in place; where there is none, make one of all blocks.

    Raises:
        DataError: see `fill`.
        SettingsError: it cannot be read or written.
    """
    try:
        if path.exists():
            page = path.read_text(encoding="utf-8")
        else:
            parts = (f"<!-- study:{name} -->\n<!-- /study:{name} -->\n" for name in blocks)
            page = "# Results\n\n" + "\n".join(parts)
        new = fill(page, blocks, report)
        beside = path.with_name(path.name + ".part")
        beside.write_text(new, encoding="utf-8")
        beside.replace(path)
    except DataError as error:
        raise DataError(f"{str(path)!r}: {error}") from error
    except OSError as error:
        raise SettingsError(f"page {str(path)!r} cannot be written: {error.strerror or error}") from error
