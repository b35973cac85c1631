"""How is a text file cut into rows and cells? Told from its beginning: delimiter, quoting, header.

clevercsv finds the delimiter (G. van den Burg et al., Wrangling messy CSV files, 2019); the standard library's Sniffer
takes a blank for it in most files of short messages. What it finds is checked: a delimiter that gives rows of many
lengths is none, and a line may as well begin with its label (`DESC:def What is an atom ?`).
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from beatingbert.errors import SettingsError
from beatingbert.tables.naming import is_known_name, is_number

USUAL = ("\t", ";", "|", ",")  # the first counts where two fit as well; prose holds commas most often
SAMPLE = 20_000  # letters shown to clevercsv, whose time grows faster than its sample
FIRST_RECORDS = 2000
LONGEST_NAME = 60  # letters of a column's name
NAMES = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar", "": "none"}
LETTERS = {name: letter for letter, name in NAMES.items()}
FIRST_WORD = "blank"  # what a user calls the form of `first_word`


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a text file is read.

    Attributes:
        delimiter: one letter; empty where a line is one cell.
        quoted: whether quotation marks around a cell are taken off.
        first_word: whether a line is a label, a blank and a text.
        header: whether the first row names the columns.
        header_sure: False where nothing speaks for or against a header.
    """

    delimiter: str
    quoted: bool
    first_word: bool = False
    header: bool = True
    header_sure: bool = True

    @property
    def words(self) -> str:
        """As shown to the user: 'comma, quoted'."""
        if self.first_word:
            return "a label, a blank, a text"
        return f"{NAMES.get(self.delimiter, repr(self.delimiter))}, {'quoted' if self.quoted else 'quotes are letters'}"


def find_dialect(text: str, *, ending: str = "", delimiter: str | None = None, header: bool | None = None) -> Dialect:
    """Look at the beginning of a file.

    Args:
        text: its first letters, of whole lines where it has any.
        ending: of the file's name: ".tsv" says tab where there are tabs.
        delimiter: what the user says it is: a letter, its name as in `NAMES`, or "blank" for a label, a blank, a text.
        header: what the user says of it.

    Raises:
        SettingsError: the delimiter is neither.
    """
    if delimiter == FIRST_WORD:
        return Dialect(delimiter="", quoted=False, first_word=True, header=bool(header))
    lines = text.splitlines()[:FIRST_RECORDS]
    if delimiter is not None:
        delimiter = LETTERS.get(delimiter, delimiter)
        if len(delimiter) > 1 or delimiter in ('"', "\n", "\r"):
            known = ", ".join([*LETTERS, FIRST_WORD])
            raise SettingsError(f"delimiter must be one letter or one of {known}, got {delimiter!r}")
    else:
        delimiter = "\t" if ending == ".tsv" and "\t" in text else _likely_delimiter(text)
        if delimiter is None and begins_with_labels(lines):
            return Dialect(delimiter="", quoted=False, first_word=True, header=bool(header))
        if delimiter is None:
            delimiter = _sniffed(text, USUAL)
    quoted = '"' in text and bool(delimiter) and is_quoted(text, delimiter)
    if '"' not in text:
        quoted = delimiter != "\t"  # it may still come; a later row that breaks the rule changes this
    found = Dialect(delimiter=delimiter, quoted=quoted)
    if header is None:
        header, sure = has_header([fields for _, fields in records_of(iter(text.splitlines(True)), found, most=1000)])
    else:
        sure = True
    return Dialect(delimiter=delimiter, quoted=quoted, header=header, header_sure=sure)


def is_quoted(text: str, delimiter: str) -> bool:
    """Whether quotation marks quote: always where prose may hold the delimiter, among tabs where all of them fit."""
    if delimiter != "\t":
        return True
    dialect = Dialect(delimiter=delimiter, quoted=True)
    try:
        lengths = Counter(len(fields) for _, fields in records_of(iter(text.splitlines(True)), dialect, strict=True))
    except csv.Error:
        return False
    return len(lengths) == 1


def lengths_of(text: str, dialect: Dialect) -> Counter[int]:
    """How many records have how many fields."""
    return Counter(len(fields) for _, fields in records_of(iter(text.splitlines(True)), dialect))


def records_of(
    lines: Iterator[str], dialect: Dialect, *, strict: bool = False, most: int | None = None
) -> Iterator[tuple[int, list[str]]]:
    """(1-based line on which it starts, fields) of each record that is not blank.

    Args:
        lines: with their ends.
        dialect: how they are cut; its header is a record as any other.
        strict: whether a misplaced quotation mark raises csv.Error; else it is a letter.
        most: how many records to give; None gives all.
    """
    given = 0
    for line, fields in _cut(lines, dialect, strict):
        if fields and (len(fields) > 1 or fields[0].strip()):
            yield line, fields
            given += 1
            if given == most:
                return


def _cut(lines: Iterator[str], dialect: Dialect, strict: bool) -> Iterator[tuple[int, list[str]]]:
    if dialect.first_word or not dialect.delimiter:
        for number, line in enumerate(lines, start=1):
            bare = line.rstrip("\r\n")
            yield number, bare.split(None, 1) if dialect.first_word and bare.strip() else [bare]
        return
    delimiter = dialect.delimiter
    if dialect.quoted:
        reader = csv.reader(lines, delimiter=delimiter, strict=strict)
    else:
        reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    while True:
        start = reader.line_num + 1
        with long_fields():  # never across a yield: the limit is the whole process's
            fields = next(reader, None)
        if fields is None:
            return
        yield start, fields


@contextmanager
def long_fields() -> Iterator[None]:
    """Cells longer than Python's own limit of 131,072 letters."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def begins_with_labels(lines: Sequence[str]) -> bool:
    """Whether nearly every line begins with one of a few words, as many lines do that hold a label and a text."""
    split = [line.split(None, 1) for line in lines if line.strip()]
    if len(split) < 20:
        return False
    firsts = Counter(words[0] for words in split if len(words) == 2 and len(words[0]) <= 40)
    repeated = sum(count for count in firsts.values() if count > 1)
    return 2 <= len(firsts) <= len(split) / 4 and repeated >= 0.95 * len(split)


def has_header(records: Sequence[Sequence[str]]) -> tuple[bool, bool]:
    """(whether the first record names the columns, whether anything says so)."""
    first, rest = records[0] if records else [], records[1:]
    names = [cell.strip() for cell in first]
    if any(is_known_name(name) for name in names):
        return True, True
    if not names or any(len(name) > LONGEST_NAME for name in names) or any(map(is_number, names)):
        return False, True
    filled = [name for name in names if name]
    if len(set(filled)) < len(filled):
        return False, True
    for at, name in enumerate(names):
        body = [record[at].strip() for record in rest if at < len(record)]
        if name and name in body:
            return False, True  # a name of a column is no value of it
    numbers = [
        at for at in range(len(names)) if rest and all(is_number(row[at]) for row in rest if at < len(row) and row[at])
    ]
    return True, bool(numbers) or "" in names


def _likely_delimiter(text: str) -> str | None:
    """What clevercsv finds, where it gives rows of one length; else what does so in nearly all rows; else None."""
    found = _sniffed(text)
    if found in USUAL and _evenness(text, found) >= 0.7:
        return found
    evenness = {delimiter: _evenness(text, delimiter) for delimiter in USUAL}
    best = max(evenness, key=lambda delimiter: evenness[delimiter])
    return best if evenness[best] >= 0.9 else None


def _sniffed(text: str, among: Iterable[str] | None = None) -> str:
    from clevercsv import Sniffer
    from clevercsv.exceptions import Error

    sample = text[:SAMPLE]
    sample = sample[: sample.rfind("\n") + 1] or sample
    try:
        found = Sniffer().sniff(sample, delimiters=None if among is None else list(among))
    except Error:
        return ""
    return "" if found is None or found.delimiter is None else str(found.delimiter)


def _evenness(text: str, delimiter: str) -> float:
    """The share of records that have the most frequent number of fields; 0 where that is one."""
    lengths = lengths_of(text, Dialect(delimiter=delimiter, quoted=delimiter != "\t"))
    ((fields, records),) = lengths.most_common(1) or [(0, 0)]
    return records / lengths.total() if fields > 1 else 0.0
