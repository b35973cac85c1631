"""Who beats whom on the same rows: the contenders of a group held against each other, as one family of claims."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from beatingbert.errors import TooFewExamplesError
from beatingbert.progress import Progress, silent
from beatingbert.report.contenders import Contender, Side
from beatingbert.report.frame import Frame, Group
from beatingbert.statistics.multiplicity import holm
from beatingbert.statistics.power import minimum_detectable_gap
from beatingbert.statistics.several import CochranQ, cochran_q
from beatingbert.statistics.sides import contender_p_value, judge_contenders, judge_sides
from beatingbert.statistics.verdict import Verdict

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    BoolArray = npt.NDArray[np.bool_]

LEVEL = 0.95
MARGIN = 0.01
ALL_PAIRS = 300
"""Up to so many pairs of a group are all judged; beyond, everyone is held against the best of each other side."""
AGAINST = ((Side.LLM, Side.ENCODER), (Side.LLM, Side.BASELINE), (Side.ENCODER, Side.BASELINE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One contender held against another of another side.

    Attributes:
        first, second: an LLM against an encoder or a baseline, or an encoder against a baseline.
        verdict: gap (accuracy of the first minus that of the second), interval and p-value, both corrected for the
            family, and what follows from them.
        alone: the p-value without correction, see `contender_p_value`.
        only_first, only_second: rows that one of the two alone got right; of several seeds the mean over their pairs.
    """

    first: Contender
    second: Contender
    verdict: Verdict
    alone: float
    only_first: float
    only_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """All claims about one group of runs.

    Attributes:
        group: the runs.
        comparisons: those that were judged, in the order of `AGAINST`, the most accurate first.
        family: how many pairs there are, judged or not; every claim is corrected for all of them.
        decisive: LLMs against encoders; None where a side is missing. Corrected for all groups that have both.
        omnibus: whether the runs differ at all; None for a single run.
        smallest_gap: the smallest measured gap of two accuracies that such rows can tell from chance, as a fraction;
            None where they cannot tell any.
    """

    group: Group
    comparisons: tuple[Comparison, ...]
    family: int
    decisive: Decisive | None
    omnibus: CochranQ | None
    smallest_gap: float | None

    @property
    def is_complete(self) -> bool:
        """Whether every pair was judged."""
        return len(self.comparisons) == self.family


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisive:
    """What may be said of all LLMs against all encoders of a group.

    Attributes:
        llm, encoder: the most accurate of either side.
        verdict: of the two sides; ahead is a side one of whose contenders beats every one of the other.
        claims: how many comparisons it is corrected for.
    """

    llm: Contender
    encoder: Contender
    verdict: Verdict
    claims: int


def hold_contests(frame: Frame, *, margin: float = MARGIN, progress: Progress = silent) -> list[Contest]:
    """One contest per group, in the frame's order."""
    contests = []
    contested = sum({Side.LLM, Side.ENCODER} <= {one.side for one in group.contenders} for group in frame.groups)
    progress("comparing", 0, len(frame.groups))
    for done, group in enumerate(frame.groups, start=1):
        contests.append(hold_contest(group, margin=margin, together=max(1, contested)))
        progress("comparing", done, len(frame.groups))
    return contests


def hold_contest(group: Group, *, margin: float = MARGIN, together: int = 1) -> Contest:
    """Hold every contender of a group against those of other sides.

    Where that is more than `ALL_PAIRS` pairs, everyone is held against the best of each other side. Everything is
    corrected for all pairs nevertheless, since which is best was seen on the same rows.

    Args:
        group: whose contenders.
        margin: up to which a difference of accuracies does not matter, as a fraction.
        together: on how many groups LLMs are held against encoders.
    """
    rights = {one.id: group.right(one) for one in group.contenders}
    ranked = sorted(group.contenders, key=lambda one: (-float(rights[one.id].mean()), one.name))
    sides = {side: [one for one in ranked if one.side is side] for side in Side}
    family = sum(len(sides[ours]) * len(sides[theirs]) for ours, theirs in AGAINST)
    comparisons = _compare(list(_pairs(sides, everyone=family <= ALL_PAIRS)), rights, family, margin)
    return Contest(
        group=group,
        comparisons=tuple(comparisons),
        family=family,
        decisive=_decide(sides[Side.LLM], sides[Side.ENCODER], rights, margin=margin, claims=together),
        omnibus=_omnibus(list(rights.values())),
        smallest_gap=_smallest_gap(group.rows, comparisons),
    )


def _pairs(sides: Mapping[Side, Sequence[Contender]], *, everyone: bool) -> Iterator[tuple[Contender, Contender]]:
    for ours, theirs in AGAINST:
        for first, second in product(sides[ours], sides[theirs]):
            if everyone or first is sides[ours][0] or second is sides[theirs][0]:
                yield first, second


def _compare(
    pairs: Sequence[tuple[Contender, Contender]], rights: Mapping[str, BoolArray], family: int, margin: float
) -> list[Comparison]:
    """Judge the pairs as a part of a family."""
    alone = [contender_p_value(rights[first.id], rights[second.id]) for first, second in pairs]
    # Pairs that were not looked at count as if nothing spoke for them, which is never less strict than looking.
    corrected = holm([*alone, *[1.0] * (family - len(pairs))])
    found = []
    for (first, second), bare, p_value in zip(pairs, alone, corrected, strict=False):
        ours, theirs = rights[first.id], rights[second.id]
        only_first, only_second = _discordant(ours, theirs)
        verdict = judge_contenders(ours, theirs, margin=margin, level=LEVEL, p_value=p_value, claims=family)
        found.append(
            Comparison(
                first=first,
                second=second,
                verdict=verdict,
                alone=bare,
                only_first=only_first,
                only_second=only_second,
            )
        )
    return found


def _discordant(first: BoolArray, second: BoolArray) -> tuple[float, float]:
    """Rows that one alone got right, the mean over all pairs of seeds."""
    ours, theirs = first.mean(axis=0), second.mean(axis=0)
    return float((ours * (1 - theirs)).sum()), float((theirs * (1 - ours)).sum())


def _decide(
    llms: Sequence[Contender],
    encoders: Sequence[Contender],
    rights: Mapping[str, BoolArray],
    *,
    margin: float,
    claims: int,
) -> Decisive | None:
    """One side against the other."""
    if not llms or not encoders:
        return None
    ours, theirs = ([rights[one.id] for one in side] for side in (llms, encoders))
    verdict = judge_sides(ours, theirs, margin=margin, level=LEVEL, claims=claims)
    return Decisive(
        llm=llms[verdict.first_run],
        encoder=encoders[verdict.second_run],
        verdict=verdict,
        claims=claims * len(llms) * len(encoders),
    )


def _omnibus(rights: Sequence[BoolArray]) -> CochranQ | None:
    import numpy as np

    runs = np.concatenate(rights)
    return cochran_q(runs.T) if min(runs.shape) > 1 else None


def _smallest_gap(rows: int, comparisons: Sequence[Comparison]) -> float | None:
    """For two that differ on as many rows as the pairs at hand do."""
    if not comparisons:
        return None
    shares = [(one.only_first + one.only_second) / rows for one in comparisons]
    try:
        return minimum_detectable_gap(rows, discordant_share=max(statistics.median(shares), 1 / rows), level=LEVEL)
    except TooFewExamplesError:
        return None
