"""Rows whose label is worth a second look: those that a model which never saw them is surest are something else.

Confident learning (Northcutt, Jiang and Chuang, 2021) as cleanlab does it, on the out-of-fold probabilities of a
candidate that is fitted in seconds. It finds candidates for a human eye, not errors.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from beatingbert.engines.protocol import Engine
from beatingbert.tasks.example import Example
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.subsample import text_key

FOLDS = 5
MOST_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """One row.

    Attributes:
        id: of the question.
        text: its texts, joined.
        label: as given.
        suggested: what the model would say.
        probability: that the model gives to the given label.
    """

    id: str
    text: str
    label: str
    suggested: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondLook:
    """What was found.

    Attributes:
        by: the candidate whose probabilities were used.
        rows: that were looked at.
        left_out: rows of classes with fewer than `FOLDS` rows, about which nothing can be said.
        found: how many rows are suspect.
        suspects: the most suspect of them first, `MOST_SHOWN` at most.
    """

    by: str
    rows: int
    left_out: int
    found: int
    suspects: tuple[Suspect, ...]


def look_again(
    examples: Sequence[Example],
    build: Callable[[], Engine],
    *,
    by: str,
    seed: int,
    progress: Callable[[str, int, int], None] = lambda phase, done, total: None,
) -> SecondLook:
    """Find suspect labels among labelled rows.

    Args:
        examples: train and development rows; rows of one text always lie in one fold.
        build: makes a fresh engine, which is fitted once per fold.
        by: its name, for the reader.
        seed: of the folds and the fits.
        progress: told after each fold.
    """
    counts = Counter(example.label for example in examples)
    usable = [example for example in examples if counts[example.label] >= FOLDS]
    labels = sorted({example.label for example in usable})
    left_out = len(examples) - len(usable)
    if len(labels) < 2:
        return SecondLook(by=by, rows=0, left_out=len(examples), found=0, suspects=())
    rows = _out_of_fold(usable, labels, build, seed, progress)
    issues = _issues([labels.index(one.label) for one in usable], rows)
    suspects = []
    for at in issues[:MOST_SHOWN]:
        example, row = usable[at], rows[at]
        suspects.append(
            Suspect(
                id=example.question.id,
                text="\n".join(example.question.texts.values()),
                label=example.label,
                suggested=labels[int(row.argmax())],
                probability=float(row[labels.index(example.label)]),
            )
        )
    return SecondLook(by=by, rows=len(usable), left_out=left_out, found=len(issues), suspects=tuple(suspects))


def _out_of_fold(
    usable: Sequence[Example],
    labels: Sequence[str],
    build: Callable[[], Engine],
    seed: int,
    progress: Callable[[str, int, int], None],
) -> Any:
    """Probabilities of shape (rows, labels), each row's from a model that has not seen its text."""
    import numpy as np
    from sklearn.model_selection import StratifiedGroupKFold

    numbers: dict[Any, int] = {}
    groups = [numbers.setdefault(text_key(one.question), len(numbers)) for one in usable]
    folds = StratifiedGroupKFold(n_splits=FOLDS, shuffle=True, random_state=seed)
    places = np.zeros((len(usable), 1))
    found = np.zeros((len(usable), len(labels)))
    for done, (seen, unseen) in enumerate(folds.split(places, [one.label for one in usable], groups), start=1):
        classifier = build().fit([usable[at] for at in seen], development=[], seed=seed)
        answer = getattr(classifier, "predict_known", classifier.predict)
        for at, one in zip(unseen, answer([usable[at].question for at in unseen]), strict=True):
            found[at] = _row(one, labels)
        progress("looking at labels again", done, FOLDS)
    return found


def _row(prediction: Prediction, labels: Sequence[str]) -> list[float]:
    given = prediction.probabilities or {}
    row = [float(given.get(label, 0.0)) for label in labels]
    total = sum(row)
    return [value / total for value in row] if total else [1 / len(labels)] * len(labels)


def _issues(gold: Sequence[int], rows: Any) -> list[int]:
    """Places of the suspect rows, the most suspect first."""
    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cleanlab's advice on packages that it could use
        from cleanlab.filter import find_label_issues

        found = find_label_issues(
            np.array(gold), rows, return_indices_ranked_by="self_confidence", filter_by="prune_by_noise_rate", n_jobs=1
        )
    return [int(at) for at in found]
