"""Which column holds the text, which the label? Guessed by names first and by what the cells hold second.

What is not obvious is a doubt: it has a default, and whoever asks decides whether to take it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from beatingbert.errors import DataError, SettingsError, UnknownNameError
from beatingbert.tables.finding import listed
from beatingbert.tables.naming import GROUP, LABEL, PAIRS, TEXT, is_number, plain, rank

MOST_LABELS = 300  # classes among which a model can be asked to choose
CERTAIN = 10  # the first names of the table say for sure what a column is
LOOKED_AT = 20_000  # rows
NONE = "none"
ROLES = ("text", "text_pair", "label", "group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A question to the table's owner.

    Attributes:
        flag: the argument of `read_own` that answers it.
        question: in words; may hold names from the table.
        options: answers to choose from, the default first; empty where any would do.
        default: what is done without an answer.
    """

    flag: str
    question: str
    options: tuple[str, ...] = ()
    default: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns in their roles.

    Attributes:
        text, text_pair, label, group: names; None where the role is not filled.
        how: role to what it was told from.
        doubts: what its owner should be asked.
        may_group: columns that look as if rows of one value belonged together.
    """

    text: str
    text_pair: str | None
    label: str
    group: str | None
    how: dict[str, str]
    doubts: tuple[Doubt, ...] = ()
    may_group: tuple[str, ...] = ()

    def names(self) -> dict[str, str]:
        """Role to column, of those that are filled."""
        found = {role: getattr(self, role) for role in ROLES}
        return {role: name for role, name in found.items() if name is not None}


@dataclass(slots=True)
class _Profile:
    """What the cells of one column are like, of those that hold something."""

    name: str
    cells: list[str]
    rows: int
    distinct: int = field(init=False)
    letters: float = field(init=False)  # mean length
    words: float = field(init=False)  # mean number
    numeric: bool = field(init=False)

    def __post_init__(self) -> None:
        self.distinct = len(set(self.cells))
        count = max(1, len(self.cells))
        self.letters = sum(map(len, self.cells)) / count
        self.words = sum(len(cell.split()) for cell in self.cells) / count
        self.numeric = bool(self.cells) and all(map(is_number, self.cells[:1000]))

    def holds_text(self) -> bool:
        """Sentences, or names and strings of some length that hardly repeat."""
        if self.numeric or self.distinct < 2:
            return False
        return self.words >= 3 or (self.letters >= 15 and self.distinct > len(self.cells) / 2)

    def holds_labels(self) -> bool:
        """A few short values that repeat."""
        most = min(20 if self.numeric else MOST_LABELS, len(self.cells) / 2)
        return 2 <= self.distinct <= most and self.letters <= 60


def choose_columns(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    group: str | None = None,
) -> Columns:
    """Find the roles.

    Args:
        columns: names.
        rows: cells in their order; longer and shorter rows are looked at as far as they go.
        text: what the user says; None guesses.
        text_pair: the same; "none" for none.
        label: the same.
        group: the same; None is none.

    Raises:
        UnknownNameError: a column that is not there; the closest name is told.
        SettingsError: one column in two roles.
        DataError: no column can be the text or the label.
    """
    wanted = _wanted({"text": text, "text_pair": text_pair, "label": label, "group": group}, columns)
    profiles = _profiles(columns, rows)
    free = [one for one in profiles if one.name not in wanted.values()]
    how = dict.fromkeys(wanted, "as you say")
    doubts: list[Doubt] = []
    if text is None:
        text, pair = _find_text(free, columns, how, with_pair=text_pair is None)
        text_pair = pair or text_pair
        if text_pair is None:
            doubts += _doubt_text_alone(text, [one for one in free if one.name not in (text, label)])
    taken = {text, text_pair, group}
    if label is None:
        label = _find_label([one for one in free if one.name not in taken], columns, how, doubts)
    may_group = [
        one.name for one in profiles if one.name not in (text, text_pair, label) and group is None and _may_group(one)
    ]
    return Columns(
        text=text,
        text_pair=None if text_pair == NONE else text_pair,
        label=label,
        group=None if group == NONE else group,
        how=how,
        doubts=tuple(doubts),
        may_group=tuple(may_group),
    )


def _wanted(given: dict[str, str | None], columns: Sequence[str]) -> dict[str, str]:
    """Role to column, of the roles that the user fills."""
    wanted = {role: name for role, name in given.items() if name is not None and name != NONE}
    for role, name in wanted.items():
        if name not in columns:
            raise UnknownNameError("column", name, columns, f"Give one of them as --{role}.")
    if len(set(wanted.values())) < len(wanted):
        raise SettingsError(f"one column was given two roles: {wanted}")
    return wanted


def _profiles(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[_Profile]:
    """One for each column, from rows all over the table."""
    looked_at = rows[:: max(1, len(rows) // LOOKED_AT)]
    return [
        _Profile(name, [row[at] for row in looked_at if at < len(row) and _filled(row[at])], len(looked_at))
        for at, name in enumerate(columns)
    ]


def _find_text(
    profiles: list[_Profile], columns: Sequence[str], how: dict[str, str], *, with_pair: bool
) -> tuple[str, str | None]:
    texts = {plain(one.name): one for one in profiles if one.holds_text()}
    for first, second in PAIRS if with_pair else ():
        if first in texts and second in texts:
            how["text"] = how["text_pair"] = "names of a pair"
            return texts[first].name, texts[second].name
    named = {name: one for name, one in texts.items() if name in TEXT}
    if named:
        best = min(named.values(), key=lambda one: TEXT.index(plain(one.name)))
        how["text"] = "its name"
        return best.name, None
    if not texts:
        texts = {plain(one.name): one for one in profiles if plain(one.name) in TEXT}
    if not texts:
        raise DataError(f"no column looks like a text; columns: {listed(list(columns), 20)}. Name it with --text.")
    how["text"] = "its cells are the longest"
    return max(texts.values(), key=lambda one: one.letters).name, None


def _doubt_text_alone(text: str, others: list[_Profile]) -> list[Doubt]:
    """Whether `text` is all there is to read, where other columns hold text too."""
    names = [one.name for one in others if one.holds_text() and not _certain(one.name, LABEL)]
    if not names:
        return []
    question = f"{listed(names)} {'hold' if len(names) > 1 else 'holds'} text too; read it with {text!r}?"
    return [Doubt(flag="text_pair", question=question, options=(NONE, *names), default=NONE)]


def _find_label(profiles: list[_Profile], columns: Sequence[str], how: dict[str, str], doubts: list[Doubt]) -> str:
    certain = [one for one in profiles if _certain(one.name, LABEL)]
    if certain:
        how["label"] = "its name"
        return min(certain, key=lambda one: LABEL.index(plain(one.name))).name

    def order(one: _Profile) -> tuple[int, int]:
        found = rank(one.name, LABEL)
        return (2 * len(LABEL) if found is None else found, one.distinct)

    likely = sorted((one for one in profiles if one.holds_labels()), key=order)
    likely = likely or sorted((one for one in profiles if plain(one.name) in LABEL), key=order)
    if not likely:
        raise DataError(
            f"no column looks like a label (2 to {MOST_LABELS} short values that repeat); columns: "
            f"{listed(list(columns), 20)}. Name it with --label."
        )
    best = likely[0]
    how["label"] = f"its name and {best.distinct} values" if order(best)[0] < 2 * len(LABEL) else "few values"
    if len(likely) > 1:
        told = ", ".join(f"{one.name} ({one.distinct})" for one in likely)
        names = tuple(one.name for one in likely)
        question = f"several columns could be the label (different values): {told}"
        doubts.append(Doubt(flag="label", question=question, options=names, default=best.name))
        how["label"] = f"a guess among {len(likely)}"
    return best.name


def _certain(name: str, table: tuple[str, ...]) -> bool:
    return plain(name) in table[:CERTAIN]


def _may_group(one: _Profile) -> bool:
    """An id that repeats: some three rows or more to a value, and more values than classes would have."""
    bare = plain(one.name)
    named = bare in GROUP or bare.endswith(" id")
    return named and 2 <= one.distinct <= 0.9 * len(one.cells)


def _filled(cell: Any) -> bool:
    return isinstance(cell, str) and bool(cell.strip())
