"""Whether contenders make the same mistakes, and what a chooser who always asked the right one would score.

Two kinds of number, on rows that everyone answered:

- of every pair: how far their errors coincide (Jaccard) and how far their answers agree beyond chance (Cohen's kappa);
- of all together: which rows nobody gets right, candidates for a wrong gold label; who alone is right or wrong; and the
  oracle, which is right wherever anybody is.

Whoever answers all rows alike is left out of the second kind: the majority baseline is right on every row of one label
without having read it, so no such row could ever be one that nobody gets right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from beatingbert.errors import DataError, MisalignedError, TooFewExamplesError
from beatingbert.report.contenders import Contender
from beatingbert.report.frame import Frame, Group
from beatingbert.report.questions import read_questions
from beatingbert.runs.files import write_csv
from beatingbert.statistics.agreement import cohen_kappas, error_overlaps
from beatingbert.statistics.intervals import Interval, wilson

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    BoolArray = npt.NDArray[np.bool_]
    IntArray = npt.NDArray[np.int64]
    FloatArray = npt.NDArray[np.float64]

LEVEL = 0.95
IDS_SHOWN = 20
MOST_PAIRED = 200
"""Contenders of a group whose pairs are listed one by one, the most accurate; a thousand would be half a million."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overlap:
    """How the errors of several contenders on the same rows coincide.

    Attributes:
        names: of the contenders.
        rows: how many they all answered.
        wrong: shape (names,), errors of each.
        both_wrong: shape (names, names), rows that both got wrong.
        jaccard: shape (names, names), both_wrong by rows that either got wrong; NaN where neither made an error.
        kappa: shape (names, names), agreement of the answers beyond chance, at most 1; NaN where chance alone would
            agree on all.
        judges: shape (names,), True for those whose answers vary; only they count below.
        alone_right, alone_wrong: per name, the ids of rows on which it is the only judge that is right, or wrong;
            empty for whoever is no judge.
        all_wrong: ids of the rows that no judge gets right.
        best: the highest accuracy of any judge.
        oracle: share of rows that at least one judge gets right, with Wilson's interval; None with fewer than two
            judges, as then nobody has anyone to choose from.
    """

    names: tuple[str, ...]
    rows: int
    wrong: IntArray
    both_wrong: IntArray
    jaccard: FloatArray
    kappa: FloatArray
    judges: BoolArray
    alone_right: tuple[tuple[str, ...], ...]
    alone_wrong: tuple[tuple[str, ...], ...]
    all_wrong: tuple[str, ...]
    best: float | None
    oracle: Interval | None

    def sentence(self) -> str:
        """What the oracle says, in words."""
        if self.oracle is None or self.best is None:
            return "Fewer than two contenders whose answers vary: there is no one to choose between."
        value, low, high = (100 * one for one in (self.oracle.value, self.oracle.low, self.oracle.high))
        return (
            f"At least one of {int(self.judges.sum())} is right on {value:.1f} % of {self.rows:,} rows "
            f"(95 % interval {low:.1f} to {high:.1f}), the best alone on {100 * self.best:.1f} %; "
            f"{len(self.all_wrong):,} rows are answered wrong by all."
        )


def overlap_errors(names: Sequence[str], ids: Sequence[str], right: BoolArray, answers: IntArray) -> Overlap:
    """Hold everyone's errors against everyone else's, by a few matrix products.

    Args:
        names: of the contenders.
        ids: of the rows.
        right: shape (names, rows), True where a contender was right.
        answers: shape (names, rows), a code from 0 per answer; -1 for a reply that named no label.

    Raises:
        MisalignedError: a shape does not fit.
        TooFewExamplesError: no contender, or no rows.
    """
    import numpy as np

    if right.shape != (len(names), len(ids)) or answers.shape != right.shape:
        raise MisalignedError(
            f"{len(names)} contenders on {len(ids)} rows need arrays of shape ({len(names)}, {len(ids)}), "
            f"got {right.shape} and {answers.shape}"
        )
    if not right.size:
        raise TooFewExamplesError("an overlap of errors needs at least one contender and one row")
    # Products of float arrays go through BLAS, those of whole numbers do not; counts of rows are exact in either.
    errors = (~right).astype(np.float64)
    both = errors @ errors.T
    judges = answers.min(axis=1) != answers.max(axis=1)
    hits = right[judges].sum(axis=0)
    count = int(judges.sum())
    keys = np.asarray(ids, dtype=np.object_)

    def rows_of(judge: bool, mask: BoolArray) -> tuple[str, ...]:
        return tuple(keys[mask].tolist()) if judge and count > 1 else ()

    return Overlap(
        names=tuple(names),
        rows=len(ids),
        wrong=errors.sum(axis=1).astype(np.int64),
        both_wrong=both.astype(np.int64),
        jaccard=error_overlaps(right),
        kappa=cohen_kappas(answers, int(answers.max()) + 1),
        judges=judges,
        alone_right=tuple(rows_of(bool(one), row & (hits == 1)) for one, row in zip(judges, right, strict=True)),
        alone_wrong=tuple(
            rows_of(bool(one), ~row & (hits == count - 1)) for one, row in zip(judges, right, strict=True)
        ),
        all_wrong=rows_of(True, hits == 0),
        best=float(right[judges].mean(axis=1).max()) if count else None,
        oracle=wilson(int((hits > 0).sum()), len(ids), level=LEVEL) if count > 1 else None,
    )


def overlap_of(frame: Frame, group: Group, contenders: Sequence[Contender] | None = None) -> Overlap:
    """The overlap of contenders, each by its run of the lowest seed: seeds of one contender err alike.

    Args:
        frame: whose group.
        group: the rows.
        contenders: some of the group's; all where none are given.
    """
    import numpy as np

    chosen = group.contenders if contenders is None else contenders
    codes: dict[str | None, int] = {None: -1}
    answers = np.array(
        [
            [codes.setdefault(label, len(codes)) for label in frame.answers(one.records[0], group.split).label]
            for one in chosen
        ],
        dtype=np.int64,
    )
    right = np.stack([group.right(one)[0] for one in chosen])
    return overlap_errors([one.name for one in chosen], group.ids.tolist(), right, answers)


WHERE = ("task", "split", "rows", "rows_fingerprint")


def _where(group: Group) -> tuple[object, ...]:
    return group.task, group.split, group.rows, group.fingerprint


def write_error_overlap(path: Path, found: Sequence[tuple[Group, Overlap]]) -> None:
    """One line per pair of a group's most accurate contenders; a number that does not exist is blank."""
    names = (*WHERE, "first", "second", "first_wrong", "second_wrong", "both_wrong")
    lines: list[tuple[object, ...]] = [(*names, "jaccard", "kappa")]
    for group, one in found:
        wrong, both = one.wrong.tolist(), one.both_wrong.tolist()
        jaccard, kappa = one.jaccard.tolist(), one.kappa.tolist()
        best = sorted(sorted(range(len(wrong)), key=lambda at: wrong[at])[:MOST_PAIRED])
        for at, to in combinations(best, 2):
            numbers = (value if value == value else "" for value in (jaccard[at][to], kappa[at][to]))
            pair = (one.names[at], one.names[to], wrong[at], wrong[to], both[at][to])
            lines.append((*_where(group), *pair, *numbers))
    _write(path, lines)


def write_alone(path: Path, found: Sequence[tuple[Group, Overlap]]) -> None:
    """One line per contender: its errors, and how many rows it alone gets right or wrong, with the first twenty ids."""
    names = ("alone_right", "alone_wrong", "alone_right_ids", "alone_wrong_ids")
    lines: list[tuple[object, ...]] = [(*WHERE, "contender", "wrong", *names)]
    for group, one in found:
        for at, name in enumerate(one.names):
            right, wrong = one.alone_right[at], one.alone_wrong[at]
            shown = (" ".join(right[:IDS_SHOWN]), " ".join(wrong[:IDS_SHOWN]))
            errors = int(one.wrong[at])
            lines.append((*_where(group), name, errors, len(right), len(wrong), *shown))
    _write(path, lines)


def write_all_wrong(path: Path, found: Sequence[tuple[Group, Overlap]]) -> None:
    """One line per row that nobody gets right, with its text where the runs have kept their questions."""
    lines: list[tuple[object, ...]] = [(*WHERE, "id", "gold", "judges", "text")]
    for group, one in found:
        if not one.all_wrong:
            continue
        gold = dict(zip(group.ids.tolist(), group.gold.tolist(), strict=True))
        texts = _texts_of(group)
        judges = int(one.judges.sum())
        lines += [(*_where(group), name, gold[name], judges, texts.get(name, "")) for name in one.all_wrong]
    _write(path, lines)


def _texts_of(group: Group) -> dict[str, str]:
    """Id to the question's text, from the first run that kept its questions."""
    for contender in group.contenders:
        try:
            kept = read_questions(contender.records[0].folder, group.split)
        except DataError:  # another run has the same texts, and without any the table still has the ids
            continue
        if kept:
            return {name: asked.text for name, asked in kept.items()}
    return {}


def _write(path: Path, lines: Sequence[Sequence[object]]) -> None:
    """Beside, then renamed: whoever sees the file sees all of it."""
    beside = path.with_name(path.name + ".part")
    write_csv(beside, lines)
    beside.replace(path)
