"""Texts that occur more than once: in one part, across parts, under two labels, or nearly so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from beatingbert.tables.finding import Finding, counted, shown
from beatingbert.tables.folder import ROWS
from beatingbert.tables.likeness import IntArray
from beatingbert.tables.settle import Row

Numbered = Mapping[str, tuple[IntArray, IntArray]]  # part to (number of the text, number of its near duplicates)
IN_ORDER = (ROWS, "train", "validation", "test")


def take_out(
    parts: Mapping[str, Sequence[Row]], numbered: Numbered
) -> tuple[dict[str, list[Row]], dict[str, tuple[IntArray, IntArray]], list[Finding]]:
    """Take rows out of train and validation whose text is in a later split; test itself is never changed.

    Returns:
        Parts and numbers without them, and what was taken out.
    """
    names = [name for name in IN_ORDER if name in parts]
    kept: dict[str, list[Row]] = {}
    numbers: dict[str, tuple[IntArray, IntArray]] = {}
    findings = []
    for at, name in enumerate(names):
        same, near = numbered[name]
        later = np.concatenate([np.zeros(0, dtype=np.int64), *(numbered[other][0] for other in names[at + 1 :])])
        leaks = np.isin(same, later)
        kept[name] = [row for row, leak in zip(parts[name], leaks, strict=True) if not leak]
        numbers[name] = same[~leaks], near[~leaks]
        if leaks.any():
            others = " and ".join(names[at + 1 :])
            verb = "have" if " " in others else "has"
            what = f"{counted(int(leaks.sum()), 'row')} of {name} with a text that {others} {verb} too"
            examples = tuple(_told(parts[name][found]) for found in np.flatnonzero(leaks)[:2])
            treatment = f"taken out of {name}, so that nothing tested on was learnt"
            findings.append(
                Finding(kind="leaks", count=int(leaks.sum()), what=what, treatment=treatment, examples=examples)
            )
    return kept, numbers, findings


def find_repeats(parts: Mapping[str, Sequence[Row]], numbered: Numbered) -> tuple[list[Finding], IntArray]:
    """What is repeated.

    Returns:
        Findings, and the numbers of texts with two labels in the part that is learnt from.
    """
    main = ROWS if ROWS in parts else "train"
    parted = "test" not in parts
    findings = []
    for name, rows in parts.items():
        where = "" if name == ROWS else f" of {name}"
        treatment = "kept, all copies on one side of the split" if name == main and parted else "kept, as given"
        findings += _exact(rows, numbered[name][0], where, treatment)
    torn = _two_labels(parts[main], numbered[main][0])
    for name, rows in parts.items():
        found = torn if name == main else _two_labels(rows, numbered[name][0])
        findings += _torn(rows, numbered[name][0], found, "" if name == ROWS else f" of {name}", name == main)
    near_treatment = "kept, on one side of the split" if parted else "kept, on one side of train and development"
    findings += _near(parts[main], *numbered[main], near_treatment)
    for name in ("validation", "test"):
        if name in parts and name != main:
            findings += _near_across(parts[name], numbered[name][1], numbered[main][1], name)
    return findings, np.array(sorted(torn), dtype=np.int64)


def _exact(rows: Sequence[Row], same: IntArray, where: str, treatment: str) -> list[Finding]:
    _, first, back = np.unique(same, return_index=True, return_inverse=True)
    again = np.flatnonzero(np.arange(len(same)) != first[back])
    if not again.size:
        return []
    what = f"{counted(len(again), 'row')}{where} with a text that an earlier row has, but for case and blanks"
    examples = tuple(f"{_told(rows[at])} (as row {rows[first[back[at]]].number:,})" for at in again[:2])
    return [Finding(kind="duplicates", count=len(again), what=what, treatment=treatment, examples=examples)]


def _two_labels(rows: Sequence[Row], same: IntArray) -> set[int]:
    labels: dict[int, set[str]] = defaultdict(set)
    for row, number in zip(rows, same.tolist(), strict=True):
        labels[number].add(row.label)
    return {number for number, found in labels.items() if len(found) > 1}


def _torn(rows: Sequence[Row], same: IntArray, torn: set[int], where: str, learnt: bool) -> list[Finding]:
    if not torn:
        return []
    at = np.flatnonzero(np.isin(same, list(torn)))
    what = f"{counted(len(torn), 'text')}{where} under two labels or more, {counted(len(at), 'row')}"
    treatment = "kept, as given; no answer to them can always be right"
    if learnt:
        treatment = "kept, all of them learnt from and none tested on: no answer to them can always be right"
    first = same[at[0]]
    labels = sorted({rows[one].label for one in at.tolist() if same[one] == first})
    example = f"{_told(rows[at[0]])}: {', '.join(shown(label, 30) for label in labels)}"
    return [Finding(kind="two labels", count=len(torn), what=what, treatment=treatment, examples=(example,))]


def _near(rows: Sequence[Row], same: IntArray, near: IntArray, treatment: str) -> list[Finding]:
    texts: dict[int, dict[int, int]] = defaultdict(dict)
    for at, (group, text) in enumerate(zip(near.tolist(), same.tolist(), strict=True)):
        texts[group].setdefault(text, at)
    groups = [found for found in texts.values() if len(found) > 1]
    if not groups:
        return []
    count = sum(map(len, groups))
    what = f"{counted(count, 'text')} that are nearly the same as another, in {counted(len(groups), 'group')}"
    examples = tuple(f"{_told(rows[a])} | {_told(rows[b])}" for a, b, *_ in (list(one.values()) for one in groups[:2]))
    return [Finding(kind="near duplicates", count=count, what=what, treatment=treatment, examples=examples)]


def _near_across(rows: Sequence[Row], near: IntArray, learnt: IntArray, name: str) -> list[Finding]:
    at = np.flatnonzero(np.isin(near, learnt))
    if not at.size:
        return []
    what = f"{counted(len(at), 'row')} of {name} nearly the same as a row of train"
    treatment = "kept, since the splits are yours; scores on them are a little too good"
    return [Finding(kind="near leaks", count=len(at), what=what, treatment=treatment, examples=(_told(rows[at[0]]),))]


def _told(row: Row) -> str:
    return f"row {row.number:,}: {shown(' | '.join(filter(None, row.texts)))}"
