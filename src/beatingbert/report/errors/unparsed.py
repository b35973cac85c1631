"""Replies that named no label, grouped by what they said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from beatingbert.report.errors.answered import Answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """One thing that was said instead of a label.

    Attributes:
        words: the reply without case, every run of white space one blank; empty where nothing was said.
        ids: the questions that it was said to, in their order.
    """

    words: str
    ids: tuple[str, ...]


def group_unparsed(answered: Sequence[Answered]) -> list[Saying]:
    """What was said instead of a label, the most frequent first; equally frequent ones by their words."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in answered:
        if one.label is None:
            found[" ".join((one.reply or "").split()).casefold()].append(one.id)
    sayings = [Saying(words=words, ids=tuple(ids)) for words, ids in found.items()]
    return sorted(sayings, key=lambda one: (-len(one.ids), one.words))
