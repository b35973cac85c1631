"""Splitting a user's table so that nothing leaks: by class, with duplicates and groups on one side.

Test is taken first and looked at last. Given splits are respected.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beatingbert.errors import SettingsError, TooFewExamplesError
from beatingbert.tables.declare import declare
from beatingbert.tables.folder import ROWS
from beatingbert.tables.likeness import IntArray
from beatingbert.tables.look import Look, look
from beatingbert.tables.own import OwnData
from beatingbert.tables.settle import Row, has_label
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.spec import Task
from beatingbert.tasks.splits import DEFAULT_SEED, Splits
from beatingbert.tasks.subsample import FEWEST_ROWS_TO_CARVE, share_out

TEST_SHARE = 0.2
MOST_TEST = 5000  # rows: an accuracy is then known to about a point
DEVELOPMENT_SHARE = 0.2
MOST_DEVELOPMENT = 2000


def split_own(
    own: OwnData,
    *,
    seed: int = DEFAULT_SEED,
    test_share: float = TEST_SHARE,
    looked: Look | None = None,
    label_descriptions: Mapping[str, str] | None = None,
) -> tuple[Task, Splits]:
    """A task and its splits.

    Args:
        own: the table as read.
        seed: of the draws.
        test_share: part of the rows that is tested on, at most 5,000 rows, where no test split is given.
        looked: what `look(own)` gave, where that was done already.
        label_descriptions: label to what it means, for the prompt.

    Returns:
        The task, and splits whose question ids are the rows' numbers in their file. Development is the given
        validation split, else a fifth of train, at most 2,000 rows.

    Raises:
        SettingsError: a share outside of 0 to 1, exclusively.
        DataError, TooFewExamplesError: as `look`; also where groups are so large that no test part can be taken.
    """
    if not 0 < test_share < 1:
        raise SettingsError(f"test_share must lie between 0 and 1, got {test_share}")
    looked = looked or look(own)
    parts: dict[str, Sequence[Row]] = dict(looked.parts)
    rows = np.array(parts.pop(ROWS) if ROWS in parts else parts.pop("train"), dtype=object)
    labels = np.array([row.label for row in rows], dtype=object)
    left = np.arange(len(rows))
    for name, share, most in (
        ("test", test_share, MOST_TEST),
        ("validation", DEVELOPMENT_SHARE, MOST_DEVELOPMENT),
    ):
        if name in parts:
            continue
        size = min(most, max(1, round(share * len(left)))) if len(left) >= FEWEST_ROWS_TO_CARVE else 0
        taken = take_part(labels[left], looked.together[left], size, purpose=f"{name} {seed}", stay=looked.torn)
        parts[name] = list(rows[left[taken]])
        left = left[~taken]
        if name == "test" and not parts[name]:
            raise TooFewExamplesError(
                f"no test part can be taken of {len(rows):,} rows without parting a group or emptying a class. Give a "
                "test file with --test, or a --group column with more values."
            )
    task = declare(own, looked, label_descriptions)
    made = {name: _examples(task, found) for name, found in ({"train": list(rows[left])} | parts).items()}
    provenance = _provenance(task, looked, made, seed)
    return task, Splits(
        train=made["train"],
        development=made["validation"],
        evaluation={"test": made["test"]},
        provenance=provenance,
    )


def take_part(
    labels: Sequence[str] | NDArray[Any],
    together: IntArray,
    size: int,
    *,
    purpose: str,
    stay: Collection[int] = (),
) -> NDArray[np.bool_]:
    """Which rows to take away: the classes in their shares, rows of one number never parted.

    Sets of rows come in a drawn order, and each is taken that still fits into the quota of every class it holds. Where
    that fills less than half of the part, since sets are large, the smallest are taken regardless of the shares.
    (scikit-learn's StratifiedGroupKFold tries every set in every fold: 8 s for 20,000 rows, where this takes 0.1.)

    Args:
        labels: of each row.
        together: of each row, the number of its set.
        size: rows to take; about as many are.
        purpose: seeds the draw.
        stay: numbers of sets that are not taken.

    Returns:
        shape (rows,), True where the row is taken. Every class keeps a row that is not.
    """
    sets: dict[int, list[int]] = defaultdict(list)
    for position, number in enumerate(together.tolist()):
        sets[number].append(position)
    random = Random(purpose)
    drawn = sorted((random.random(), number) for number in sorted(sets, key=lambda one: sets[one][0]))
    free = [number for _, number in drawn if number not in stay]
    left = Counter(labels)
    quotas = share_out(left, min(size, len(labels)))
    taken = np.zeros(len(labels), dtype=bool)

    def take(numbers: list[int], most: int, *, by_quota: bool) -> None:
        rows = int(taken.sum())
        for number in numbers:
            if rows >= most or taken[sets[number][0]]:
                continue
            held = Counter(labels[position] for position in sets[number])
            if all(count < left[label] and (not by_quota or count <= quotas[label]) for label, count in held.items()):
                taken[sets[number]] = True
                rows += len(sets[number])
                left.subtract(held)
                for label, count in held.items():
                    quotas[label] -= count

    take(free, size, by_quota=True)
    if taken.sum() < size / 2:
        take(sorted(free, key=lambda number: len(sets[number])), (size + 1) // 2, by_quota=False)
    return taken


def _examples(task: Task, rows: Sequence[Row]) -> list[Example]:
    return [
        Example(Question(str(row.number), dict(zip(task.text_fields, row.texts, strict=True))), row.label)
        for row in rows
    ]


def _provenance(task: Task, looked: Look, made: Mapping[str, list[Example]], seed: int) -> dict[str, Any]:
    own = looked.own
    main = own.parts["train" if "train" in own.parts else ROWS]
    whole = hashlib.sha256()
    for name, part in sorted(own.parts.items()):
        whole.update(f"{name} {part.reading.sha256}\n".encode())
    records = {}
    for split, examples in made.items():
        part = own.parts[split] if split in looked.parts else main  # one without any label is not used
        usable = sum(map(has_label, part.rows))
        records[split] = {
            "file": part.reading.file,
            "sha256": part.reading.sha256,
            "rows": part.reading.total,
            "labelled": usable,
            "unlabelled": len(part.rows) - usable,
            "partial": part.reading.total > len(part.rows),
            "used": len(examples),
            "labels": dict(sorted(Counter(example.label for example in examples).items())),
        }
    return {
        "task": task.name,
        "source": "table",
        "revision": whole.hexdigest(),
        "columns": own.columns.names(),
        "seed": seed,
        "select_on": "development",
        "optimistic": False,
        "train_rows": len(made["train"]),
        "development_rows": len(made["validation"]),
        "splits": records,
        "findings": [{"kind": one.kind, "count": one.count, "treatment": one.treatment} for one in looked.findings],
    }
