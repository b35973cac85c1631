"""What may be said of contenders with one or more seeds each, and of two sides of several contenders.

There is one way to judge each. Of two contenders: `judge` where both have one seed, else the mean accuracies by
`seeded_gap`, which answers for the scatter of the seeds, too. Of two sides: every contender of one against every
contender of the other. Holding only the best against the best would be simpler, and wrong: which is best was seen on
the same rows, so of many equal contenders the luckiest would be declared ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from beatingbert.errors import TooFewExamplesError
from beatingbert.statistics.discordant import check_sides, count_all_pairs, exact_p_values
from beatingbert.statistics.multiplicity import holm
from beatingbert.statistics.paired import mcnemar_exact, seeded_gap
from beatingbert.statistics.verdict import Verdict, check_claims, judge, kind_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    BoolArray = npt.NDArray[np.bool_]
    FloatArray = npt.NDArray[np.float64]

MOST_SEEDED = 1000
"""Pairs with several seeds of which all are tested; of more, those with the most accurate contender of either side."""


def contender_p_value(first: BoolArray, second: BoolArray) -> float:
    """Two-sided p-value of the hypothesis that two contenders are equally accurate, without correction.

    Args:
        first: shape (seeds, rows), True where that seed of the first contender was right.
        second: shape (other seeds, rows) of the second; row i is the same example everywhere.

    Raises:
        MisalignedError, TooFewExamplesError: see `check_sides`.
    Source: the exact McNemar test of two seeds, `seeded_gap` of more.
    """
    first, second = check_sides(first, second)
    if len(first) == len(second) == 1:
        return mcnemar_exact(first[0], second[0])
    return seeded_gap(first, second, level=0.95, draws=1, seed=0).p_value  # draws are for one seed a side


def judge_contenders(
    first: BoolArray,
    second: BoolArray,
    *,
    margin: float = 0.01,
    level: float = 0.95,
    p_value: float | None = None,
    claims: int = 1,
) -> Verdict:
    """`judge` for contenders with one or more seeds each; how many more rows would do is not told of several seeds.

    Args:
        first: shape (seeds, rows), True where that seed of the first contender was right.
        second: shape (other seeds, rows) of the second; row i is the same example everywhere.
        margin: up to which a difference does not matter, as a fraction.
        level: 1 minus the chance of a false claim, strictly between 0 and 1.
        p_value: the difference's, where the caller has corrected it; left out, `contender_p_value` times `claims`.
        claims: how many verdicts are given together.

    Raises:
        MisalignedError, TooFewExamplesError, SettingsError: see `judge`.
    """
    first, second = check_sides(first, second)
    if len(first) == len(second) == 1:
        return judge(first[0], second[0], margin=margin, level=level, p_value=p_value, claims=claims)
    check_claims(margin, level, claims)
    if p_value is None:
        p_value = min(1.0, claims * contender_p_value(first, second))
    error = (1 - level) / claims
    gap = seeded_gap(first, second, level=1 - error, draws=1, seed=0).gap
    # Two one-sided tests at `error` each are one interval at 1 - 2 * error.
    within = seeded_gap(first, second, level=1 - 2 * error, draws=1, seed=0).gap
    kind = kind_of(gap.value, within, p_value, margin=margin, level=level)
    return Verdict(kind=kind, gap=gap, p_value=p_value, level=level, margin=margin, rows=first.shape[1])


def judge_sides(
    first: Sequence[BoolArray],
    second: Sequence[BoolArray],
    *,
    margin: float = 0.01,
    level: float = 0.95,
    claims: int = 1,
) -> Verdict:
    """What may be said of two sides with several contenders each, none of them chosen on the rows that are reported.

    Every contender of one side is held against every one of the other, and what is claimed is corrected for all these
    pairs:

    - a side is *ahead* if one of its contenders beats every one of the other (Holm over all pairs);
    - the sides are *practically equal* if their most accurate contenders are (Bonferroni over all pairs, since these
      two were chosen after looking);
    - else one cannot tell.

    `p_value` is the smallest level at which the side with the most accurate contender would be ahead; `first_run` and
    `second_run` are the positions of the most accurate.

    Args:
        first: per contender of the first side an array of shape (seeds, rows), True where right.
        second: the same of the second side; row i is the same example everywhere.
        margin: up to which a difference does not matter, as a fraction.
        level: 1 minus the chance of a false claim, strictly between 0 and 1.
        claims: how many such verdicts are given together, one per task, say.

    Raises:
        MisalignedError: not arrays over the same rows.
        TooFewExamplesError: a side without contenders, or under two rows.
        SettingsError: `margin`, `level` or `claims` is out of range.
    """
    import numpy as np

    check_claims(margin, level, claims)
    first, second = _checked(first, second)
    ours, theirs = (np.array([one.mean() for one in side]) for side in (first, second))
    best_first, best_second = int(ours.argmax()), int(theirs.argmax())
    p_values = _p_values(first, second, best_first, best_second)
    adjusted = np.minimum(1.0, claims * np.reshape(holm(p_values.ravel().tolist()), p_values.shape))
    lead = np.round(ours[:, None] - theirs[None, :], 12)  # equal counts of right rows are no lead by rounding
    # A contender beats all others as surely as it beats the one it beats least surely.
    if lead[best_first, best_second] >= 0:
        p_value = float(np.where(lead > 0, adjusted, 1.0).max(axis=1).min())
    else:
        p_value = float(np.where(lead < 0, adjusted, 1.0).max(axis=0).min())
    pair = first[best_first], second[best_second]
    verdict = judge_contenders(*pair, margin=margin, level=level, p_value=p_value, claims=claims * lead.size)
    return replace(verdict, first_run=best_first, second_run=best_second)


def _p_values(first: Sequence[BoolArray], second: Sequence[BoolArray], best_first: int, best_second: int) -> FloatArray:
    """Shape (contenders, other contenders), without correction.

    Pairs that are not tested, see `MOST_SEEDED`, get 1, as if nothing spoke for them: never less strict than testing.
    """
    import numpy as np

    found = np.ones((len(first), len(second)))
    alone, others = ([at for at, one in enumerate(side) if len(one) == 1] for side in (first, second))
    if alone and others:
        sides = np.concatenate([first[at] for at in alone]), np.concatenate([second[at] for at in others])
        only_first, only_second, _ = count_all_pairs(*sides)
        found[np.ix_(alone, others)] = exact_p_values(only_first, only_second)
    seeded = [(at, to) for at, to in np.ndindex(found.shape) if len(first[at]) > 1 or len(second[to]) > 1]
    if len(seeded) > MOST_SEEDED:
        seeded = [(at, to) for at, to in seeded if at == best_first or to == best_second]
    for at, to in seeded:
        found[at, to] = contender_p_value(first[at], second[to])
    return found


def _checked(first: Sequence[BoolArray], second: Sequence[BoolArray]) -> tuple[list[BoolArray], list[BoolArray]]:
    if not len(first) or not len(second):
        raise TooFewExamplesError(
            f"a comparison of sides needs a contender on each, got {len(first)} and {len(second)}"
        )
    for one in (*first, *second):
        check_sides(first[0], one)
    return list(first), list(second)
