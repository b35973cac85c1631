"""Fine-tuned encoders against LLMs, prompted ones and adapted ones apart, all verdicts corrected for together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Literal

from beatingbert.report.comparisons import LEVEL, MARGIN
from beatingbert.report.contenders import Contender, Kind, Side
from beatingbert.report.frame import Group
from beatingbert.statistics.multiplicity import holm
from beatingbert.statistics.settling import rows_to_settle
from beatingbert.statistics.sides import contender_p_value, judge_contenders, judge_sides
from beatingbert.statistics.verdict import Verdict
from beatingbert.study.material import Lineup, Material

Winner = Literal["encoder", "llm", "equal", "open"]
WAYS = (Kind.PROMPTED, Kind.ADAPTED)
WINNERS: dict[str, Winner] = {
    "first ahead": "llm",
    "second ahead": "encoder",
    "practically equal": "equal",
    "cannot tell": "open",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What may be said of one task and one way of using an LLM.

    Attributes:
        group: its rows.
        way: prompted or adapted, which all its LLMs are.
        llm, encoder: the most accurate of either side.
        verdict: the LLM against the encoder; ahead is a side one of whose contenders beats every one of the other.
            Its p-value is corrected by Holm within the task and over all rulings, its interval by Bonferroni.
        pair: the same two held against each other alone; p-value and interval by Bonferroni over all pairs.
        rival: of the side that is behind, whom the best of the other beats least surely: a weak one whose seeds lie far
            apart, perhaps.
        against_rival: the best of all against this rival, corrected as `pair`.
        pairs: LLMs times encoders.
        rulings: how many are given together.
        missing: cells of the task that have not been run.
        rows_needed: about how many rows would settle an open one between the best and this rival, if what was measured
            were the truth; None where it is settled, and where no number of rows would do, more seeds perhaps.
    """

    group: Group
    way: Kind
    llm: Contender
    encoder: Contender
    verdict: Verdict
    pair: Verdict
    rival: Contender
    against_rival: Verdict
    pairs: int
    rulings: int
    missing: int
    rows_needed: int | None

    @property
    def winner(self) -> Winner:
        """Who is ahead."""
        return WINNERS[self.verdict.kind]

    @property
    def best(self) -> Contender:
        """The most accurate of both sides."""
        return self.llm if self.verdict.gap.value >= 0 else self.encoder

    @property
    def held_up(self) -> bool:
        """Whether it is open for the sake of somebody else than the two most accurate."""
        return self.winner == "open" and self.rival not in (self.llm, self.encoder)


def rule(material: Material) -> list[Ruling]:
    """One verdict per task and way on which both sides have answered.

    Source: within a task `judge_sides`; over the rulings Holm (1979), which holds whatever the tests within are.
    """
    contested = [
        (lineup, way) for lineup in material.lineups for way in WAYS if _llms(lineup, way) and lineup.side(Side.ENCODER)
    ]
    alone = [_p_value(lineup, way) for lineup, way in contested]
    missing = Counter(one.task for one in material.missing)
    return [
        _ruling(lineup, way, p_value, rulings=len(contested), missing=missing[lineup.group.task])
        for (lineup, way), p_value in zip(contested, holm(alone), strict=True)
    ]


def _llms(lineup: Lineup, way: Kind) -> list[Contender]:
    return [one for one in lineup.side(Side.LLM) if one.kind is way]


def _p_value(lineup: Lineup, way: Kind) -> float:
    sides = ([lineup.group.right(one) for one in side] for side in (_llms(lineup, way), lineup.side(Side.ENCODER)))
    return judge_sides(*sides, margin=MARGIN, level=LEVEL).p_value


def _ruling(lineup: Lineup, way: Kind, p_value: float, *, rulings: int, missing: int) -> Ruling:
    right = lineup.group.right
    llms, encoders = _llms(lineup, way), lineup.side(Side.ENCODER)
    pairs = len(llms) * len(encoders)
    judged = partial(judge_contenders, margin=MARGIN, level=LEVEL, claims=rulings * pairs)
    llm, encoder = llms[0], encoders[0]
    verdict = judged(right(llm), right(encoder), p_value=p_value)
    best, others = (llm, encoders) if verdict.gap.value >= 0 else (encoder, llms)
    rival = max(others, key=lambda one: contender_p_value(right(best), right(one)))
    is_open, level = verdict.kind == "cannot tell", 1 - (1 - LEVEL) / (rulings * pairs)
    return Ruling(
        group=lineup.group,
        way=way,
        llm=llm,
        encoder=encoder,
        verdict=verdict,
        pair=judged(right(llm), right(encoder)),
        rival=rival,
        against_rival=judged(right(best), right(rival)),
        pairs=pairs,
        rulings=rulings,
        missing=missing,
        rows_needed=rows_to_settle(right(best), right(rival), level=level) if is_open else None,
    )
