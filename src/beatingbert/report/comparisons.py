"""Whether one run beats another on the same rows: the claim, its interval and its corrected p-value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from beatingbert.errors import MisalignedError
from beatingbert.report.contenders import describe
from beatingbert.runs.record import RunRecord
from beatingbert.statistics.intervals import Interval
from beatingbert.statistics.multiplicity import holm
from beatingbert.statistics.paired import accuracy_gap, mcnemar_exact

LEVEL = 0.95
DRAWS = 10_000
SEED = 99


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One run held against another.

    Attributes:
        first, second: the runs.
        gap: accuracy of the first minus that of the second, with a paired bootstrap interval, widened by Bonferroni so
            that all intervals of claims made together hold at once.
        p_value: exact McNemar test, corrected by Holm for all claims made together.
        made_together: how many claims that is.
    """

    first: RunRecord
    second: RunRecord
    gap: Interval
    p_value: float
    made_together: int

    @property
    def holds(self) -> bool:
        """Whether a difference can be claimed at the 5 % level."""
        return self.p_value < 1 - LEVEL

    def sentence(self) -> str:
        """The claim in words, never more than the numbers carry."""
        names = [f"{record.model} ({describe(record)})" for record in (self.first, self.second)]
        gap, low, high = (100 * value for value in (self.gap.value, self.gap.low, self.gap.high))
        if self.holds and gap < 0:  # the one who leads is named first, with a positive lead
            names.reverse()
            gap, low, high = -gap, -high, -low
        interval = f"95 % interval {low:+.1f} to {high:+.1f}, p = {self.p_value:.2g}"
        if self.made_together > 1:
            interval += f"; both corrected for {self.made_together} comparisons"
        if self.holds:
            return f"{names[0]} leads {names[1]} by {gap:.1f} points ({interval})."
        return f"No difference can be claimed between {names[0]} and {names[1]}: {gap:+.1f} points ({interval})."


def compare(first: RunRecord, others: Sequence[RunRecord]) -> list[Claim]:
    """Hold one run against each of the others, on the same rows, corrected for the number of claims.

    Raises:
        MisalignedError: two runs did not answer the same rows of the same data.
    """
    own = right_answers(first)
    pairs = []
    for other in others:
        theirs = right_answers(other)
        if own.keys() != theirs.keys() or _data(first) != _data(other):
            raise MisalignedError(
                f"{first.run_name!r} and {other.run_name!r} did not answer the same rows; run both with the same task, "
                "data, seed and --max_eval_samples"
            )
        pairs.append(([own[key] for key in own], [theirs[key] for key in own]))
    level = 1 - (1 - LEVEL) / max(1, len(others))
    gaps, p_values = [], []
    for one, two in pairs:
        first_right, second_right = _as_booleans(one), _as_booleans(two)
        gaps.append(accuracy_gap(first_right, second_right, level=level, draws=DRAWS, seed=SEED))
        p_values.append(mcnemar_exact(first_right, second_right))
    return [
        Claim(first=first, second=other, gap=gap, p_value=p_value, made_together=len(others))
        for other, gap, p_value in zip(others, gaps, holm(p_values), strict=True)
    ]


def right_answers(record: RunRecord) -> dict[tuple[str, str], bool]:
    """(split, question id) to whether the run's answer was right, from its predictions.parquet.

    Raises:
        MisalignedError: the run answered an unlabelled split, so nothing is known to be right.
    """
    from pyarrow import parquet

    if not record.scores:
        raise MisalignedError(f"{record.run_name!r} answered an unlabelled split; only scored runs can be compared")
    table = parquet.read_table(record.folder / "predictions.parquet", columns=["split", "id", "gold", "label"])
    return {(row["split"], row["id"]): row["gold"] == row["label"] for row in table.to_pylist()}


def _data(record: RunRecord) -> tuple[str, str]:
    """The task and the version of its rows as read, since a hub's commit may be unknown when the cell is planned."""
    return record.cell.task, record.data["revision"]


def _as_booleans(values: Sequence[bool]):  # type: ignore[no-untyped-def]  # numpy is not loaded for an annotation
    import numpy as np

    return np.array(values, dtype=np.bool_)
