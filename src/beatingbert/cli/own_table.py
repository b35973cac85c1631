"""The flags by which a user's own table is named, and the questions that are asked about it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.markup import escape
from rich.prompt import Prompt

from beatingbert.cli.console import err
from beatingbert.errors import SettingsError
from beatingbert.tables.columns import Doubt
from beatingbert.tables.own import OwnData, read_own


@dataclass(frozen=True, kw_only=True)
class OwnTable:
    """A table of the user's own.

    Attributes:
        data: CSV, TSV, JSON Lines, JSON or Parquet, also in a zip or gzip file, or a folder with such splits.
        text: Column of the text. Default: guessed.
        text_pair: Column of a second text; 'none' for none. Default: guessed.
        label: Column of the label. Default: guessed.
        group: Column whose rows of one value stay on one side of a split, e.g. the customer.
        test: File that is tested on. Default: a fifth of the rows, at most 5,000.
        encoding: Of a text file, e.g. cp1252. Default: found out.
        delimiter: Of a text file: a letter, comma, tab, semicolon, bar, none, or blank for 'label text' lines.
        header: Whether the first row names the columns. Default: found out.
        yes: Ask nothing; take the default of every question.
    """

    data: tyro.conf.Positional[Path]
    text: str | None = None
    text_pair: str | None = None
    label: str | None = None
    group: str | None = None
    test: Path | None = None
    encoding: str | None = None
    delimiter: str | None = None
    header: Literal["yes", "no"] | None = None
    yes: bool = False

    def read(self, *, must_be_sure: bool) -> OwnData:
        """Read the table, asking at a terminal what is not obvious.

        Args:
            must_be_sure: whether to refuse where there are questions, nobody to ask and no --yes.

        Raises:
            SettingsError: there is somebody needed who answers.
        """
        own = self._once()
        if not own.doubts or self.yes:
            return own
        if sys.stdin.isatty() and err.is_terminal:
            return self._asked(own)
        if must_be_sure:
            flags = "; ".join(f"{one.question} (--{one.flag}, default {one.default})" for one in own.doubts)
            raise SettingsError(f"{self.data.name}: {flags}. Say so with these flags, or take all defaults with --yes.")
        return own

    def _asked(self, own: OwnData) -> OwnData:
        """Ask one question at a time and read again, since an answer may raise or settle others."""
        table, asked = self, set[str]()
        while doubt := next((one for one in own.doubts if one.flag not in asked), None):
            asked.add(doubt.flag)
            answer: dict[str, Any] = {doubt.flag: _ask(doubt)}
            table = replace(table, **answer)
            own = table._once()
        return own

    def _once(self) -> OwnData:
        given: dict[str, Any] = {name: getattr(self, name) for name in ("text", "text_pair", "label", "group", "test")}
        header = None if self.header is None else self.header == "yes"
        return read_own(self.data, **given, encoding=self.encoding, delimiter=self.delimiter, header=header)


def _ask(doubt: Doubt) -> str:
    return Prompt.ask(
        escape(doubt.question),
        console=err,
        choices=[escape(one) for one in doubt.options] or None,
        default=doubt.default,
    )
