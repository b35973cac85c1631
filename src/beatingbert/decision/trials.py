"""One candidate on so many rows, and how well it answered the development part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from beatingbert.decision.candidates import Candidate
from beatingbert.decision.costs import Spent
from beatingbert.errors import SettingsError
from beatingbert.statistics.confusion import (
    UNPARSED,
    confusion_accuracy,
    confusion_macro_f1,
    confusion_mcc,
    count_confusion,
)
from beatingbert.tasks.example import Example

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    IntArray = npt.NDArray[np.int64]
    FloatArray = npt.NDArray[np.float64]
    ConfusionMetric = Callable[[IntArray], FloatArray]

Metric = Literal["accuracy", "macro_f1", "mcc"]
MEASURES: Mapping[str, ConfusionMetric] = {
    "accuracy": confusion_accuracy,
    "macro_f1": confusion_macro_f1,
    "mcc": confusion_mcc,
}
METRIC_NAMES = {"accuracy": "accuracy", "macro_f1": "macro-F1", "mcc": "Matthews correlation"}
FITTED_AGAIN = "fitted_again_with_development_rows"  # in a run's notes: how many such rows it has learnt from at last


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """What came of one candidate on one sample of the train rows.

    Attributes:
        candidate: who.
        rows: labelled rows that it could learn from, or that its demonstrations were drawn from.
        epochs: passes over them; None where nothing is trained by passes.
        shots: demonstrations that were shown.
        answers: id of a development row to the label that was answered; rows that were not asked are not there.
        spent: what it took.
        share: of its training that was done before the deadline cut it short; 1 where it was not.
    """

    candidate: Candidate
    rows: int
    epochs: int | None = None
    shots: int = 0
    answers: Mapping[str, str | None]
    spent: Spent
    share: float = 1.0


class Judge:
    """Scores trials on the development rows that they answered.

    Only classes that occur among the rows count, so that a small development part does not make everybody look bad.

    Args:
        development: the rows, with their labels.
        metric: what decides.
    """

    def __init__(self, development: Sequence[Example], metric: Metric) -> None:
        if metric not in MEASURES:
            raise SettingsError(f"--metric must be one of {', '.join(MEASURES)}, got {metric!r}")
        self.metric: Metric = metric
        self.gold = {example.question.id: example.label for example in development}

    def score(self, trial: Trial, ids: Sequence[str] | None = None) -> float:
        """The metric on the given rows, or on all that the trial answered."""
        chosen = list(trial.answers) if ids is None else ids
        gold, answered = self.codes(chosen, trial)
        classes = int(gold.max()) + 1
        return float(MEASURES[self.metric](count_confusion(gold, answered, classes=classes)))

    def common(self, trials: Sequence[Trial]) -> list[str]:
        """The rows that all of the trials answered, in the order of the development part."""
        return [name for name in self.gold if all(name in trial.answers for trial in trials)]

    def codes(self, ids: Sequence[str], *trials: Trial) -> tuple[IntArray, ...]:
        """Gold codes and each trial's codes, shape (ids,); classes that the rows do not have are no class."""
        import numpy as np

        gold = [self.gold[name] for name in ids]
        numbers = {label: number for number, label in enumerate(sorted(set(gold)))}
        columns: list[list[str | None]] = [[*gold], *([trial.answers[name] for name in ids] for trial in trials)]
        return tuple(
            np.array([UNPARSED if label is None else numbers.get(label, UNPARSED) for label in column], dtype=np.int64)
            for column in columns
        )
