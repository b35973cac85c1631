"""A group of runs as a sheet of the error browser: who answered, where they differ, and what each read and wrote."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from beatingbert.errors import DataError
from beatingbert.report.contenders import Contender
from beatingbert.report.frame import Frame, Group
from beatingbert.report.page.data import Answer, Pair, Question, Run, Sheet
from beatingbert.report.page.prompts import read_prompts
from beatingbert.report.questions import Asked, read_questions
from beatingbert.runs.record import RunRecord

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    BoolArray = npt.NDArray[np.bool_]
    IntArray = npt.NDArray[np.int64]

MOST_RUNS = 24
"""Of one sheet: one run per contender, that of its smallest seed, the most accurate contenders first."""

MOST_ROWS = 2_000
"""Of one sheet, before the page's limit of characters: so many are held in memory at most."""

NOT_KEPT = Asked(fields={})


def gather_sheet(frame: Frame, group: Group, name: str) -> tuple[Sheet, list[str]]:
    """The sheet, and what must be said about it: texts and prompts that could not be read."""
    import numpy as np

    contenders = sorted(group.contenders, key=lambda one: (-float(group.right(one)[0].mean()), one.name))[:MOST_RUNS]
    records = [one.records[0] for one in contenders]
    right = np.stack([group.right(one)[0] for one in contenders])
    answers = [frame.answers(record, group.split) for record in records]
    codes = _codes([one.label for one in answers])
    positions = _worth_reading(right, [str(one) for one in group.ids])
    ids = {str(group.ids[at]) for at in positions}
    asked, prompts, remarks = _read_all(records, group.split, ids)
    questions = [
        Question(
            id=str(group.ids[at]),
            gold=str(group.gold[at]),
            texts=asked.get(group.ids[at], NOT_KEPT).fields,
            choices=asked.get(group.ids[at], NOT_KEPT).choices,
            answers=tuple(
                Answer(
                    label=one.label[at],
                    probabilities=one.probabilities[at],
                    reply=one.reply[at],
                    prompt=prompt.get(group.ids[at]),
                )
                for one, prompt in zip(answers, prompts, strict=True)
            ),
        )
        for at in positions
    ]
    sheet = Sheet(
        name=name,
        rows=group.rows,
        runs=tuple(
            Run(name=_name(one), kind=one.kind, right=int(row.sum()))
            for one, row in zip(contenders, right, strict=True)
        ),
        left_out_runs=sum(len(one.records) for one in group.contenders) - len(records),
        pairs=tuple(_pair(one, two, right, codes) for one, two in combinations(range(len(records)), 2)),
        questions=tuple(questions),
        wrong_rows=int((~right.all(axis=0)).sum()),
    )
    return sheet, remarks


def _name(contender: Contender) -> str:
    seeds = len(contender.records)
    return contender.name if seeds == 1 else f"{contender.name}, seed {contender.records[0].cell.seed}"


def _codes(labels: Sequence[Any]) -> list[IntArray]:
    """The same number for the same answer, whichever run gave it."""
    import numpy as np

    known: dict[str | None, int] = {}
    return [np.array([known.setdefault(label, len(known)) for label in one], dtype=np.int64) for one in labels]


def _worth_reading(right: BoolArray, ids: Sequence[str]) -> list[int]:
    """Positions of rows that somebody got wrong, in the data's order; where they are too many, all-wrong ones go."""
    import numpy as np

    everyone, anyone = right.all(axis=0), right.any(axis=0)
    mixed, lost = np.flatnonzero(anyone & ~everyone), np.flatnonzero(~anyone)
    kept = [*mixed.tolist(), *lost.tolist()][:MOST_ROWS]
    return sorted(kept, key=lambda at: _natural(ids[at]))


def _natural(name: str) -> tuple[int, int, str]:
    """Numbers by size, before other names."""
    return (0, int(name), "") if name.isdecimal() and len(name) < 20 else (1, 0, name)


def _pair(first: int, second: int, right: BoolArray, codes: Sequence[IntArray]) -> Pair:
    one, two = right[first], right[second]
    return Pair(
        first=first,
        second=second,
        only_first=int((one & ~two).sum()),
        only_second=int((~one & two).sum()),
        both_wrong=int((~one & ~two).sum()),
        differ=int((codes[first] != codes[second]).sum()),
    )


def _read_all(
    records: Sequence[RunRecord], split: str, ids: Collection[str]
) -> tuple[dict[str, Asked], list[dict[str, str]], list[str]]:
    """Questions, from the first run that kept them; prompts per run; what could not be read."""
    asked: dict[str, Asked] = {}
    prompts: list[dict[str, str]] = []
    remarks: list[str] = []
    for record in records:
        try:
            asked = asked or read_questions(record.folder, split, ids)
        except DataError as error:
            remarks.append(f"{error}; its questions are not shown")
        try:
            prompts.append(read_prompts(record.folder, split, ids))
        except DataError as error:
            prompts.append({})
            remarks.append(f"{error}; its prompts are not shown")
    return asked, prompts, remarks
