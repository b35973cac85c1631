"""From rows as they are written to rows that can be learnt from: texts that are there, labels of one spelling.

Whatever is set aside or changed is a finding.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from beatingbert.errors import DataError
from beatingbert.tables.columns import MOST_LABELS
from beatingbert.tables.finding import Finding, counted, listed, shown
from beatingbert.tables.folder import ROWS
from beatingbert.tables.own import OwnData, OwnRow

NO_LABEL = ("", "nan", "null", "n/a", "#n/a", "<na>")  # how programs write that there is nothing


@dataclass(frozen=True, slots=True)
class Row:
    """A row that can be learnt from.

    Attributes:
        number: 1-based, by which its owner finds it in the file.
        texts: one, or two of a pair, as they are written.
        label: in the spelling that counts.
        group: what it belongs to; None where there are no groups.
    """

    number: int
    texts: tuple[str, ...]
    label: str
    group: str | None


def settle(own: OwnData) -> tuple[dict[str, list[Row]], list[Finding]]:
    """Part to its usable rows, and what was done to the others.

    Raises:
        DataError: no label, one class, or more classes than a model can choose among.
    """
    pair = own.columns.text_pair is not None
    parts: dict[str, list[OwnRow]] = {}
    findings: list[Finding] = []
    for name, part in own.parts.items():
        labelled = [row for row in part.rows if has_label(row)]
        if not labelled and name in ("validation", "test"):
            what = f"{part.reading.file} has no label in column {own.columns.label!r}"
            treatment = "not used, since nothing can be scored on it"
            findings.append(Finding(kind="no labels", count=len(part.rows), what=what, treatment=treatment))
            continue
        parts[name] = labelled
    every = [row for name in parts for row in own.parts[name].rows]
    findings += _set_aside(every, "no label", lambda row: not has_label(row), "without a label")
    with_label = [row for rows in parts.values() for row in rows]
    findings += _set_aside(with_label, "empty text", _empty, "with an empty text")
    if pair:
        half = [row for row in with_label if not _empty(row) and not (_said(row.text) and _said(row.text_pair))]
        findings += _half_empty(half, own)
    labels, changed = one_spelling(row.label for row in with_label if row.label is not None)
    findings += changed
    _check_classes(set(labels.values()), own, len(with_label))
    settled = {
        name: [
            Row(row.number, (row.text or "", *((row.text_pair or "",) if pair else ())), labels[row.label or ""], group)
            for row in rows
            if not _empty(row)
            for group in [_group(row)]
        ]
        for name, rows in parts.items()
    }
    if own.columns.group is not None:
        findings += _set_apart(settled)
    return settled, findings


def has_label(row: OwnRow) -> bool:
    """Whether its label says something."""
    return row.label is not None and row.label.strip().casefold() not in NO_LABEL


def one_spelling(labels: Iterable[str]) -> tuple[dict[str, str], list[Finding]]:
    """Label as written to the spelling that counts, the most frequent of those that differ in case and blanks only.

    Numbers are one label however they are written: 1 and 1.0.
    """
    counts = Counter(labels)
    whole = all(_as_whole(label) is not None for label in counts)
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for label, count in counts.items():
        tidy = " ".join(label.split())
        folded = str(_as_whole(label)) if whole else tidy.casefold()
        spellings[folded][folded if whole else tidy] += count
    names = {folded: min(found, key=lambda one: (-found[one], one)) for folded, found in spellings.items()}
    to = {label: names[str(_as_whole(label)) if whole else " ".join(label.split()).casefold()] for label in counts}
    findings = []
    changed = {label: name for label, name in to.items() if label != name}
    if changed:
        rows = sum(counts[label] for label in changed)
        what = f"{counted(rows, 'label')} differ from another only in case, blanks or the form of a number"
        examples = tuple(
            f"'{shown(one, 30)}' is read as '{shown(name, 30)}'" for one, name in list(changed.items())[:3]
        )
        treatment = "read as one class, in its most frequent spelling"
        findings.append(Finding(kind="spellings", count=rows, what=what, treatment=treatment, examples=examples))
    if whole and counts:
        what = f"the {counted(len(names), 'label')} are numbers: {listed(sorted(names, key=lambda one: int(one)))}"
        treatment = "read as names of classes, not as amounts; an LLM does not know what they mean unless you say so"
        findings.append(Finding(kind="numbers as labels", count=len(names), what=what, treatment=treatment))
    return to, findings


def _check_classes(labels: set[str], own: OwnData, rows: int) -> None:
    column, names = own.columns.label, own.parts[next(iter(own.parts))].reading.columns
    way_out = f"Columns: {listed(list(names), 20)}. Name the right one with --label."
    if not labels:
        raise DataError(f"column {column!r} holds no label in any row. {way_out}")
    if len(labels) == 1:
        raise DataError(
            f"column {column!r} has the one label '{shown(labels.pop())}' in all {rows:,} rows; expected two "
            f"classes or more. {way_out}"
        )
    if len(labels) > MOST_LABELS or (rows >= 20 and len(labels) > rows / 2):
        kind = "amounts, ids or texts" if len(labels) > rows / 20 else "too many classes"
        raise DataError(
            f"column {column!r} has {len(labels):,} different values in {rows:,} rows; expected 2 to {MOST_LABELS} "
            f"classes. These look like {kind}. {way_out}"
        )


def _set_aside(rows: list[OwnRow], kind: str, bad: Callable[[OwnRow], bool], how: str) -> list[Finding]:
    found = [row for row in rows if bad(row)]
    if not found:
        return []
    examples = tuple(f"row {row.number:,}" for row in found[:3])
    treatment = "set aside: neither learnt from nor tested on"
    what = f"{counted(len(found), 'row')} {how}"
    return [Finding(kind=kind, count=len(found), what=what, treatment=treatment, examples=examples)]


def _half_empty(rows: list[OwnRow], own: OwnData) -> list[Finding]:
    if not rows:
        return []
    what = f"{counted(len(rows), 'row')} with one of {own.columns.text!r} and {own.columns.text_pair!r} empty"
    return [Finding(kind="half empty", count=len(rows), what=what, treatment="kept, the other text is read alone")]


def _set_apart(parts: Mapping[str, list[Row]]) -> list[Finding]:
    alone = [row for row in parts.get(ROWS, ()) if row.group is None]
    if not alone:
        return []
    what = f"{counted(len(alone), 'row')} without a group"
    return [Finding(kind="no group", count=len(alone), what=what, treatment="each is a group of its own")]


def _group(row: OwnRow) -> str | None:
    return row.group.strip() if row.group and row.group.strip() else None


def _said(text: str | None) -> bool:
    return text is not None and bool(text.strip())


def _empty(row: OwnRow) -> bool:
    return not _said(row.text) and not _said(row.text_pair)


def _as_whole(label: str) -> int | None:
    """1 of "1" and "1.0"; None of what is no whole number, and of codes such as "007"."""
    return int(float(label)) if re.fullmatch(r"\s*-?(0|[1-9]\d{0,14})(\.0+)?\s*", label, re.ASCII) else None
