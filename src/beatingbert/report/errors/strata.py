"""Accuracy in parts of the rows: short and long ones, label by label, cut and whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from beatingbert.report.errors.answered import Answered
from beatingbert.statistics.intervals import Interval, wilson

LEVEL = 0.95
LENGTH_BINS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """Some rows that have something in common.

    Attributes:
        name: what it is: a label, "cut" or "whole", or a range of lengths.
        rows: how many; at least one.
        right: how many of them were answered with their gold label.
    """

    name: str
    rows: int
    right: int

    @property
    def accuracy(self) -> Interval:
        """Share that is right, with Wilson's interval at the level of 95 %."""
        return wilson(self.right, self.rows, level=LEVEL)

    def cells(self) -> list[object]:
        """Rows, right, accuracy and its bounds, as a table has them."""
        accuracy = self.accuracy
        return [self.rows, self.right, accuracy.value, accuracy.low, accuracy.high]


CELLS = ("rows", "right", "accuracy", "low", "high")
"""The columns that `Stratum.cells` fills."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthBin:
    """Rows of about the same length: `shortest` to `longest` words, as they occur."""

    shortest: int
    longest: int
    stratum: Stratum


def by_length(answered: Sequence[Answered]) -> list[LengthBin]:
    """Five bins of about as many rows each, by number of words; rows of one length are never parted.

    Fewer bins where few lengths occur, none where the questions were not kept.
    """
    import numpy as np

    lengths = [one.words for one in answered]
    known = [words for words in lengths if words is not None]
    if not known or len(known) < len(lengths):
        return []
    inner = [at / LENGTH_BINS for at in range(1, LENGTH_BINS)]
    # "inverted_cdf" takes lengths that occur, so a bound is a length and not something between two.
    bounds = np.unique(np.quantile(known, inner, method="inverted_cdf"))
    bins = np.searchsorted(bounds, known, side="left")
    found = []
    for number in np.unique(bins).tolist():
        inside = [at for at, one in enumerate(bins.tolist()) if one == number]
        shortest, longest = min(known[at] for at in inside), max(known[at] for at in inside)
        stratum = _stratum(f"{shortest}-{longest} words", [answered[at] for at in inside])
        found.append(LengthBin(shortest=shortest, longest=longest, stratum=stratum))
    return found


def by_label(answered: Sequence[Answered], labels: Sequence[str]) -> list[Stratum]:
    """One stratum per gold label that occurs, in the order of `labels`.

    Args:
        answered: the rows.
        labels: the task's; empty for multiple choice, where a label is a position, in the order of counting, and its
            stratum tells whether the model prefers a place.
    """
    present = {one.gold for one in answered if one.gold is not None}
    order = [label for label in labels if label in present] or sorted(present, key=lambda name: (len(name), name))
    return [_stratum(label, [one for one in answered if one.gold == label]) for label in order]


def by_truncation(answered: Sequence[Answered]) -> list[Stratum]:
    """Rows that were read whole and rows that lost tokens, each where there are any."""
    parts = {
        "whole": [one for one in answered if not one.lost_tokens],
        "cut": [one for one in answered if one.lost_tokens],
    }
    return [_stratum(name, rows) for name, rows in parts.items() if rows]


def _stratum(name: str, rows: Sequence[Answered]) -> Stratum:
    return Stratum(name=name, rows=len(rows), right=sum(one.is_right for one in rows))
