"""Who goes on: the better half of those that learn and of those that do not, and the best of each way of answering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from beatingbert.decision.candidates import ALWAYS, Candidate
from beatingbert.decision.trials import METRIC_NAMES, Judge, Trial

FEWEST_ASKED = 50
HOPELESS = 0.15  # behind the best, on `FEWEST_ASKED` rows or more: three standard errors of an accuracy on 100


def halve(tried: Mapping[Candidate, Trial], size: int, judge: Judge) -> dict[Candidate, str]:
    """Who leaves after a rung, and why.

    Those that learn are held against each other alone: a prompted model, which is as good as it will be, may be ahead
    on few rows of somebody who will overtake it.

    Args:
        tried: the latest trial of everybody who is still there and has had one.
        size: rows of the rung; of those that learn, only who was tried on so many is judged.
        judge: scores trials.
    """
    judged = {
        one: trial
        for one, trial in tried.items()
        if one.engine not in ALWAYS and (trial.rows == size or not one.learns)
    }
    if len(judged) < 2:
        return {}
    ids = judge.common(list(judged.values()))
    scores = {one: judge.score(trial, ids) for one, trial in judged.items()}
    floor = max((judge.score(trial, ids) for one, trial in tried.items() if one.is_constant), default=0.0)
    left: dict[Candidate, str] = {}
    for learns in (True, False):
        ranked = sorted((one for one in judged if one.learns is learns), key=lambda one: -scores[one])
        kept, seen = set(ranked[: -(-len(ranked) // 2)]), set[str]()
        for one in ranked:
            if one.engine not in seen or (scores[one] <= floor and learns):
                kept.add(one)
            seen.add(one.engine)
        left |= {one: _behind(one, ranked[0], scores, judged[one].rows, judge) for one in ranked if one not in kept}
    return left


def hopeless(trial: Trial, rivals: Sequence[Trial], judge: Judge) -> str | None:
    """Why a prompted model need not be asked any more; None where it may still be among the best.

    Args:
        trial: its latest.
        rivals: the latest trial of everybody who has got to the top.
        judge: scores trials.
    """
    if not rivals:
        return None
    ids = judge.common([trial, *rivals])
    if len(ids) < FEWEST_ASKED:
        return None
    scores = {one.candidate: judge.score(one, ids) for one in (*rivals, trial)}
    best = max((one.candidate for one in rivals), key=lambda one: scores[one])
    if scores[trial.candidate] + HOPELESS >= scores[best]:
        return None
    return _behind(trial.candidate, best, scores, trial.rows, judge)


def _behind(one: Candidate, best: Candidate, scores: Mapping[Candidate, float], rows: int, judge: Judge) -> str:
    name = METRIC_NAMES[judge.metric]
    sample = f"after {rows:,} rows" if one.learns else "as it is"
    return f"{sample} {name} {100 * scores[one]:.1f} on development, where {best.name} had {100 * scores[best]:.1f}"
