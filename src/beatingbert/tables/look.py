"""A look at a table before anything is learnt from it: what it holds, what is odd, and what is done about each.

looked = look(read_own("reviews.csv"))
for finding in looked.findings: ...
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from beatingbert.errors import TooFewExamplesError
from beatingbert.tables.finding import Finding, counted, listed, shown
from beatingbert.tables.folder import ROWS
from beatingbert.tables.likeness import WORD, IntArray, join, near_texts, same_texts
from beatingbert.tables.own import OwnData
from beatingbert.tables.repeats import find_repeats, take_out
from beatingbert.tables.settle import Row, settle

FEWEST_TEXTS = 20
THIN_CLASS = 10  # rows under which a class's own figures say little
LOPSIDED = 0.8  # share of the largest class
TOKENS_PER_WORD = 1.3  # of English in the vocabularies of BERT and its like, roughly
LETTERS_PER_TOKEN = 6  # at most, where a text has no words
WINDOW = 512  # tokens that most encoders read
VERY_LONG = 100_000  # letters
_ENTITY = re.compile(r"&(?:[a-z]{2,8}|#\d{1,6});", re.IGNORECASE)
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """How long texts are; those of a pair together.

    Attributes:
        letters, words: the middle one, the 95th of a hundred, the longest.
        cut: about how many have more tokens than `window`.
        window: tokens that a model reads.
    """

    letters: tuple[int, int, int]
    words: tuple[int, int, int]
    cut: int
    window: int = WINDOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a table holds.

    Attributes:
        own: the table.
        parts: part to its usable rows; rows of train whose text is also tested on are no longer there.
        together: of the part that is learnt from, a number for each row; rows of one number stay on one side.
        torn: numbers of `together` that hold one text under two labels.
        classes: part to label to rows, most frequent first.
        lengths: of all texts.
        findings: in the order in which a reader wants them: reading, rows, labels, repeats, lengths, odd letters.
    """

    own: OwnData
    parts: Mapping[str, Sequence[Row]]
    together: IntArray = field(repr=False)
    torn: frozenset[int]
    classes: Mapping[str, Mapping[str, int]]
    lengths: Lengths
    findings: tuple[Finding, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, without any path of this machine."""
        files = {
            name: {"file": part.reading.file, "sha256": part.reading.sha256, "rows": part.reading.total}
            | {"encoding": part.reading.encoding, "cells": part.reading.cut, "header": part.reading.header}
            for name, part in self.own.parts.items()
        }
        lengths = {"letters": self.lengths.letters, "words": self.lengths.words, "about_cut": self.lengths.cut}
        return {
            "name": self.own.name,
            "files": files,
            "columns": self.own.columns.names(),
            "columns_told_from": self.own.columns.how,
            "doubts": [{"flag": one.flag, "question": one.question, "taken": one.default} for one in self.own.doubts],
            "usable_rows": {name: len(rows) for name, rows in self.parts.items()},
            "classes": {name: dict(counts) for name, counts in self.classes.items()},
            "lengths": lengths | {"window": self.lengths.window},
            "findings": [finding.as_json() for finding in self.findings],
        }


def look(own: OwnData, *, window: int = WINDOW) -> Look:
    """Look at a table.

    Args:
        own: the table as read.
        window: tokens that the models at hand read, for an estimate of what would be cut.

    Raises:
        DataError: no labels, one class, or too many.
        TooFewExamplesError: fewer than 20 different texts to learn from.
    """
    parts, findings = settle(own)
    rows = [row for part in parts.values() for row in part]
    texts = ["\n".join(row.texts) for row in rows]
    same, near = same_texts(texts), near_texts(texts)
    numbered = _of_parts(parts, same, near)
    parts, numbered, removed = take_out(parts, numbered)
    main = ROWS if ROWS in parts else "train"
    _require_texts(own, parts[main], numbered[main][0])
    repeats, torn = find_repeats(parts, numbered)
    groups = _group_numbers(parts[main])
    together = join(*numbered[main], groups)
    classes = {name: dict(Counter(row.label for row in part).most_common()) for name, part in parts.items()}
    lengths = _lengths(texts, window)
    return Look(
        own=own,
        parts=parts,
        together=together,
        torn=frozenset(int(number) for number in together[np.isin(numbered[main][0], torn)]),
        classes=classes,
        lengths=lengths,
        findings=(
            *own.findings,
            *findings,
            *_about_classes(classes, main, _texts_per_class(parts[main], together)),
            *removed,
            *repeats,
            *_about_groups(own),
            *_about_texts(rows, lengths),
        ),
    )


def _of_parts(
    parts: Mapping[str, Sequence[Row]], same: IntArray, near: IntArray
) -> dict[str, tuple[IntArray, IntArray]]:
    ends = np.cumsum([len(rows) for rows in parts.values()])[:-1]
    return dict(zip(parts, zip(np.split(same, ends), np.split(near, ends), strict=True), strict=True))


def _require_texts(own: OwnData, rows: Sequence[Row], same: IntArray) -> None:
    different = len(np.unique(same))
    if different >= FEWEST_TEXTS:
        return
    what = f"{counted(len(rows), 'usable row')} with {counted(different, 'different text')}"
    raise TooFewExamplesError(
        f"{own.parts[next(iter(own.parts))].reading.file}: {what} in column {own.columns.text!r}; expected at least "
        f"{FEWEST_TEXTS} different texts. Name the right column with --text, or label more rows."
    )


def _group_numbers(rows: Sequence[Row]) -> IntArray:
    numbers: dict[str, int] = {}
    return np.array(
        [
            len(rows) + at if row.group is None else numbers.setdefault(row.group, len(numbers))
            for at, row in enumerate(rows)
        ],
        dtype=np.int64,
    )


def _texts_per_class(rows: Sequence[Row], together: IntArray) -> Counter[str]:
    return Counter(label for label, _ in {(row.label, int(number)) for row, number in zip(rows, together, strict=True)})


def _about_classes(classes: Mapping[str, Mapping[str, int]], main: str, texts: Mapping[str, int]) -> list[Finding]:
    counts, findings = classes[main], []
    single = [label for label in counts if texts[label] == 1]
    if single and "test" not in classes:
        what = f"{counted(len(single), 'class', 'classes')} with nothing to part: one text, or one group"
        treatment = "learnt from and never tested on, so nothing is known of how well they are told"
        findings.append(_named("class too small", single, what, treatment))
    thin = [label for label, count in counts.items() if count < THIN_CLASS and label not in single]
    if thin:
        what = f"{counted(len(thin), 'class', 'classes')} with fewer than {THIN_CLASS} rows"
        findings.append(_named("thin classes", thin, what, "kept; figures of one class will say little about them"))
    label, most = max(counts.items(), key=lambda one: one[1])
    share = most / sum(counts.values())
    if share >= LOPSIDED:
        what = f"{100 * share:.1f} % of the rows are '{shown(label, 30)}'"
        treatment = "kept as it is; who always says so is right as often, so look at macro-F1 and MCC beside accuracy"
        findings.append(Finding(kind="imbalance", count=most, what=what, treatment=treatment))
    for name in ("validation", "test"):
        unseen = [one for one in classes.get(name, ()) if one not in counts]
        if unseen:
            what = f"{counted(len(unseen), 'class', 'classes')} of {name} never seen in train"
            findings.append(_named("unseen classes", unseen, what, "kept; what is learnt from rows cannot answer them"))
    absent = [one for one in counts if "test" in classes and one not in classes["test"]]
    if absent:
        what = f"{counted(len(absent), 'class', 'classes')} of train never tested on"
        findings.append(_named("untested classes", absent, what, "kept, since they may still be answered, wrongly"))
    return findings


def _named(kind: str, names: list[str], what: str, treatment: str) -> Finding:
    return Finding(kind=kind, count=len(names), what=f"{what}: {listed(names)}", treatment=treatment)


def _about_groups(own: OwnData) -> list[Finding]:
    if not own.columns.may_group:
        return []
    names = list(own.columns.may_group)
    what = f"rows share values of {listed(names)}"
    treatment = f"not grouped; if rows of one value are alike for that, keep them together with --group '{names[0]}'"
    return [Finding(kind="possible groups", count=len(names), what=what, treatment=treatment)]


def _about_texts(rows: Sequence[Row], lengths: Lengths) -> list[Finding]:
    findings = []
    if lengths.cut:
        what = f"about {counted(lengths.cut, 'text')} longer than the {lengths.window} tokens that most encoders read"
        treatment = "the rest is cut off, and each run counts what it cut"
        findings.append(Finding(kind="long texts", count=lengths.cut, what=what, treatment=treatment))
    for kind, what, treatment, odd in (
        ("very long texts", f"of more than {VERY_LONG:,} letters", "kept, and cut as above", _very_long),
        (
            "formulas",
            "that a spreadsheet would run as a formula",
            "kept as text; harmless in every CSV written",
            _formula,
        ),
        ("entities", "with HTML entities such as &amp;", "kept as they are", _ENTITY.search),
        ("control characters", "with control characters", "kept as they are, never printed", _CONTROL.search),
    ):
        found = [(row, text) for row in rows for text in row.texts if odd(text)]
        if found:
            told = f"{counted(len(found), 'text')} {what}"
            examples = tuple(f"row {row.number:,}: {shown(text)}" for row, text in found[:2])
            findings.append(Finding(kind=kind, count=len(found), what=told, treatment=treatment, examples=examples))
    return findings


def _very_long(text: str) -> bool:
    return len(text) > VERY_LONG


def _formula(text: str) -> bool:
    """'=1+1' and '@SUM(A1)', but not '- a point' or '+1 for that'."""
    return text.startswith(("=", "@")) or bool(re.match(r"[+-][A-Za-z]{2,}\w*\(", text))


def _lengths(texts: Sequence[str], window: int) -> Lengths:
    word = re.compile(WORD)
    letters = np.array([len(text) for text in texts])
    words = np.array([sum(1 for _ in word.finditer(text)) for text in texts])
    tokens = np.maximum(TOKENS_PER_WORD * words, letters / LETTERS_PER_TOKEN)

    def three(values: Any) -> tuple[int, int, int]:
        middle, high, most = np.quantile(values, [0.5, 0.95, 1], method="higher")
        return int(middle), int(high), int(most)

    return Lengths(letters=three(letters), words=three(words), cut=int((tokens > window - 2).sum()), window=window)
