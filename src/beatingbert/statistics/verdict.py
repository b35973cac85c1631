"""What may be said of two classifiers: never more than the numbers carry.

- *ahead*: the exact McNemar test finds a difference, and it is not shown to be too small to matter;
- *practically equal*: the difference is shown to be smaller than a margin that the user sets (two one-sided tests),
  whether or not there is one: on enough rows a difference of a tenth of a point is both significant and no reason to
  choose, and `Verdict.significant` tells;
- *cannot tell*: neither, with about how many rows would do.

Source: two one-sided tests as Schuirmann (1987), for paired proportions by Tango's score interval (1998).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from beatingbert.errors import SettingsError, TooFewExamplesError
from beatingbert.statistics.discordant import count_discordant, exact_p_values, score_interval
from beatingbert.statistics.intervals import Interval, check_level
from beatingbert.statistics.multiplicity import holm
from beatingbert.statistics.power import rows_for_equality, rows_needed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    BoolArray = npt.NDArray[np.bool_]
    FloatArray = npt.NDArray[np.float64]

Kind = Literal["first ahead", "second ahead", "practically equal", "cannot tell"]
Overall = Literal["first ahead", "second ahead", "practically equal", "cannot tell", "depends on the task"]

MOST_ROWS = 10_000_000
"""More rows than this are no advice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the numbers say of two classifiers, or of two sides, on the same rows.

    Attributes:
        kind: "first ahead", "second ahead", "practically equal" or "cannot tell".
        gap: accuracy of the first minus that of the second, with Tango's score interval, widened by Bonferroni so that
            the intervals of all claims made together hold at once. Of two sides, that of their most accurate.
        p_value: of the difference, corrected for the claims made together. Of two sides, see `judge_sides`.
        level: 1 minus the chance of a false claim among those made together.
        margin: up to which a difference does not matter, as a fraction.
        rows: on which both were measured.
        rows_needed: for "cannot tell", about how many rows would settle it if what was measured were the truth; None
            otherwise, and where no number of rows that anyone has would.
        first_run, second_run: position of the contender compared on either side; 0 where a side is one classifier.
    """

    kind: Kind
    gap: Interval
    p_value: float
    level: float
    margin: float
    rows: int
    rows_needed: int | None = None
    first_run: int = 0
    second_run: int = 0

    @property
    def significant(self) -> bool:
        """Whether a difference can be claimed, be it too small to matter or not."""
        return self.p_value < 1 - self.level


def judge(
    first_right: BoolArray,
    second_right: BoolArray,
    *,
    margin: float = 0.01,
    level: float = 0.95,
    p_value: float | None = None,
    claims: int = 1,
) -> Verdict:
    """What may be said of two classifiers.

    Args:
        first_right: shape (rows,), True where the first classifier was right.
        second_right: the same of the second; row i is the same example in both.
        margin: up to which a difference does not matter, as a fraction: 0.01 is one accuracy point.
        level: 1 minus the chance of a false claim, strictly between 0 and 1.
        p_value: the difference's, where the caller has corrected it (`judge_pairs` does by Holm); left out, that of the
            exact McNemar test times `claims`.
        claims: how many verdicts are given together.

    Raises:
        MisalignedError: the two arrays differ in length.
        TooFewExamplesError: under two rows.
        SettingsError: `margin`, `level`, `p_value` or `claims` is out of range.
    """
    check_claims(margin, level, claims)
    only_first, only_second, rows = count_discordant(first_right, second_right)
    if p_value is None:
        p_value = min(1.0, claims * float(exact_p_values(*_as_arrays(only_first, only_second))))
    elif not 0 <= p_value <= 1:
        raise SettingsError(f"a p-value lies between 0 and 1, got {p_value}")
    return _decide(only_first, only_second, rows, margin=margin, level=level, p_value=p_value, claims=claims)


def judge_pairs(
    pairs: Sequence[tuple[BoolArray, BoolArray]], *, margin: float = 0.01, level: float = 0.95
) -> list[Verdict]:
    """`judge` for several pairs at once, their p-values corrected by Holm and their intervals by Bonferroni.

    Args:
        pairs: each two arrays of shape (rows,), True where right; pairs may have rows of their own.
        margin: up to which a difference does not matter, as a fraction.
        level: 1 minus the chance of even one false claim among all.
    """
    counts = [count_discordant(first, second) for first, second in pairs]
    p_values = holm([float(exact_p_values(*_as_arrays(first, second))) for first, second, _ in counts])
    return [
        judge(*pair, margin=margin, level=level, p_value=p_value, claims=len(pairs))
        for pair, p_value in zip(pairs, p_values, strict=True)
    ]


def overall(verdicts: Iterable[Verdict]) -> Overall:
    """One verdict over several tasks, each judged with `claims` set to their number.

    A side is ahead that is ahead on some task and nowhere behind; tasks that cannot be told or are practically equal do
    not speak against it. Both ahead somewhere: it depends on the task. Nobody ahead: practically equal if all are, else
    one cannot tell.

    Raises:
        TooFewExamplesError: no verdicts.
    """
    kinds = {verdict.kind for verdict in verdicts}
    if not kinds:
        raise TooFewExamplesError("no task has been judged, so nothing can be said over all; judge at least one")
    if {"first ahead", "second ahead"} <= kinds:
        return "depends on the task"
    if "first ahead" in kinds:
        return "first ahead"
    if "second ahead" in kinds:
        return "second ahead"
    return "practically equal" if kinds == {"practically equal"} else "cannot tell"


def _decide(
    only_first: int,
    only_second: int,
    rows: int,
    *,
    margin: float,
    level: float,
    p_value: float,
    claims: int,
) -> Verdict:
    """The verdict, given the discordant rows and the corrected p-value."""
    error = (1 - level) / claims
    gap = score_interval(only_first, only_second, rows, level=1 - error)
    # Two one-sided tests at `error` each are one interval at 1 - 2 * error.
    within = score_interval(only_first, only_second, rows, level=1 - 2 * error, correction=0.5)
    kind = kind_of(gap.value, within, p_value, margin=margin, level=level)
    needed = None
    if kind == "cannot tell":
        needed = _rows_to_settle(only_first, only_second, rows, margin=margin, level=1 - error)
    return Verdict(
        kind=kind,
        gap=gap,
        p_value=p_value,
        level=level,
        margin=margin,
        rows=rows,
        rows_needed=needed,
    )


def kind_of(gap: float, within: Interval, p_value: float, *, margin: float, level: float) -> Kind:
    """The verdict's kind.

    Args:
        gap: as measured.
        within: its interval for two one-sided tests.
        p_value: of the difference, corrected.
        margin: up to which a difference does not matter, as a fraction.
        level: 1 minus the chance of a false claim.
    """
    if -margin < within.low and within.high < margin:
        return "practically equal"
    if p_value < 1 - level and gap != 0:
        return "first ahead" if gap > 0 else "second ahead"
    return "cannot tell"


def _rows_to_settle(only_first: int, only_second: int, rows: int, *, margin: float, level: float) -> int | None:
    """The fewest rows that would probably show a difference or equality, were the measured shares the true ones."""
    gap = (only_first - only_second) / rows
    share = (only_first + only_second + 1) / (rows + 1)  # none discordant among few rows does not mean none at all
    options = [rows_for_equality(gap, share, margin=margin, level=level)]
    if gap:
        options.append(rows_needed(gap, share, level=level))
    found = [option for option in options if option is not None]
    # The formulas are approximate and the share is taken a little larger: never name fewer than did not settle it.
    return max(min(found), rows + 1) if found and min(found) <= MOST_ROWS else None


def _as_arrays(only_first: int, only_second: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    import numpy as np

    return np.array(only_first), np.array(only_second)


def check_claims(margin: float, level: float, claims: int) -> None:
    """Refuse settings that no verdict can have.

    Raises:
        SettingsError: one is out of range.
    """
    check_level(level)
    if level <= 0.5:
        raise SettingsError(f"level must be above 0.5 for a verdict, e.g. 0.95, got {level}")
    if not 0 <= margin < 1:
        raise SettingsError(f"margin must be a fraction from 0 to below 1, e.g. 0.01, got {margin}")
    if claims < 1:
        raise SettingsError(f"claims must be at least 1, got {claims}")
