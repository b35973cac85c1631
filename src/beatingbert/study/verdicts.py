"""Fine-tuned encoders against LLMs, one verdict per task, corrected for all tasks together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from beatingbert.report.comparisons import LEVEL, MARGIN
from beatingbert.report.contenders import Contender, Side
from beatingbert.report.frame import Group
from beatingbert.statistics.multiplicity import holm
from beatingbert.statistics.settling import rows_to_settle
from beatingbert.statistics.sides import contender_p_value, judge_contenders, judge_sides
from beatingbert.statistics.verdict import Verdict
from beatingbert.study.material import Lineup, Material

Winner = Literal["encoder", "llm", "equal", "open"]
WINNERS: dict[str, Winner] = {
    "first ahead": "llm",
    "second ahead": "encoder",
    "practically equal": "equal",
    "cannot tell": "open",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What may be said of one task.

    Attributes:
        group: its rows.
        llm, encoder: the most accurate of either side.
        verdict: the LLM against the encoder; ahead is a side one of whose contenders beats every one of the other.
            Its p-value is corrected by Holm within the task and over the tasks, its interval by Bonferroni.
        pairs: LLMs times encoders.
        tasks: how many verdicts are given together.
        missing: cells of the task that have not been run.
        rival: of the side that is behind, whom the best of the other beats least surely: a weak one whose seeds lie far
            apart, perhaps.
        rows_needed: about how many rows would settle an open one between the best and this rival, if what was measured
            were the truth; None where it is settled, and where no number of rows would do, more seeds perhaps.
    """

    group: Group
    llm: Contender
    encoder: Contender
    verdict: Verdict
    pairs: int
    tasks: int
    missing: int
    rival: Contender
    rows_needed: int | None

    @property
    def winner(self) -> Winner:
        """Who is ahead."""
        return WINNERS[self.verdict.kind]

    @property
    def held_up(self) -> bool:
        """Whether it is open for the sake of somebody else than the two most accurate."""
        return self.winner == "open" and self.rival not in (self.llm, self.encoder)


def rule(material: Material) -> list[Ruling]:
    """One verdict per task on which both sides have answered.

    Source: within a task `judge_sides`; over the tasks Holm (1979), which holds whatever the tests within are.
    """
    contested = [one for one in material.lineups if one.side(Side.LLM) and one.side(Side.ENCODER)]
    alone = [_p_value(one) for one in contested]
    missing = Counter(one.task for one in material.missing)
    return [
        _ruling(one, p_value, tasks=len(contested), missing=missing[one.group.task])
        for one, p_value in zip(contested, holm(alone), strict=True)
    ]


def _p_value(lineup: Lineup) -> float:
    sides = ([lineup.group.right(one) for one in lineup.side(side)] for side in (Side.LLM, Side.ENCODER))
    return judge_sides(*sides, margin=MARGIN, level=LEVEL).p_value


def _ruling(lineup: Lineup, p_value: float, *, tasks: int, missing: int) -> Ruling:
    llms, encoders = lineup.side(Side.LLM), lineup.side(Side.ENCODER)
    pairs = len(llms) * len(encoders)
    llm, encoder = llms[0], encoders[0]
    ours, theirs = lineup.group.right(llm), lineup.group.right(encoder)
    claims = tasks * pairs
    verdict = judge_contenders(ours, theirs, margin=MARGIN, level=LEVEL, p_value=p_value, claims=claims)
    best, others = (llm, encoders) if verdict.gap.value >= 0 else (encoder, llms)
    first = lineup.group.right(best)
    rival = max(others, key=lambda one: contender_p_value(first, lineup.group.right(one)))
    second, is_open = lineup.group.right(rival), verdict.kind == "cannot tell"
    return Ruling(
        group=lineup.group,
        llm=llm,
        encoder=encoder,
        verdict=verdict,
        pairs=pairs,
        tasks=tasks,
        missing=missing,
        rival=rival,
        rows_needed=rows_to_settle(first, second, level=1 - (1 - LEVEL) / claims) if is_open else None,
    )
