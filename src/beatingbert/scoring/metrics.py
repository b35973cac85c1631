"""How good: scikit-learn's metrics, with one fixed rule for replies that name no label.

Such a reply is None in `predicted`. It is wrong wherever it occurs and never becomes a label:

- accuracy counts it as a wrong row;
- precision, recall and F1 count it as a false negative of its gold label, a false positive of none;
- Matthews correlation sees one more answer, which agrees with no gold label;
- the confusion matrix gives it a column of its own, the last.

That is what scikit-learn computes when None is one more predicted class and `labels` are those of the task. A metric
averages over all labels of the task; a label neither present nor answered has precision, recall and F1 of 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from beatingbert.errors import DataError, MisalignedError, SettingsError, TooFewExamplesError
from beatingbert.statistics.confusion import UNPARSED

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ClassReport:
    """How one label fared: fractions between 0 and 1, and `support`, the rows that carry it as gold."""

    precision: float
    recall: float
    f1: float
    support: int

    def to_json(self) -> dict[str, float | int]:
        """The same four entries as plain JSON."""
        return asdict(self)


def encode_labels(
    labels: Sequence[str], gold: Sequence[str], predicted: Sequence[str | None]
) -> tuple[IntArray, IntArray]:
    """Number labels by their place in `labels`, and a missing one -1.

    Args:
        labels: the task's labels, each once.
        gold: one label per row.
        predicted: one label or None per row, in the order of `gold`.

    Returns:
        Gold codes and predicted codes, each of shape (rows,).

    Raises:
        SettingsError: a label is listed twice.
        MisalignedError: the columns differ in length.
        TooFewExamplesError: there are no rows.
        DataError: a label that is none of `labels`.
    """
    import numpy as np

    codes = {label: code for code, label in enumerate(labels)}
    if len(codes) < len(labels):
        raise SettingsError(f"labels must differ from each other, got {', '.join(labels)}")
    if len(gold) != len(predicted):
        raise MisalignedError(
            f"{len(gold)} gold labels but {len(predicted)} predicted ones; there is one of each a row"
        )
    if not gold:
        raise TooFewExamplesError("a metric needs at least one row, got none")
    for label in (*gold, *(label for label in predicted if label is not None)):
        if label not in codes:
            raise DataError(
                f"label {label!r} is none of {', '.join(labels)}; a reply that names no label has the prediction None"
            )
    return (
        np.array([codes[label] for label in gold], dtype=np.int64),
        np.array([UNPARSED if label is None else codes[label] for label in predicted], dtype=np.int64),
    )


def accuracy(labels: Sequence[str], gold: Sequence[str], predicted: Sequence[str | None]) -> float:
    """Share of rows whose prediction is the gold label, between 0 and 1; errors as in `encode_labels`."""
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(*encode_labels(labels, gold, predicted)))


def macro_f1(labels: Sequence[str], gold: Sequence[str], predicted: Sequence[str | None]) -> float:
    """Mean of the labels' F1, between 0 and 1; errors as in `encode_labels`."""
    from sklearn.metrics import f1_score

    gold_codes, predicted_codes = encode_labels(labels, gold, predicted)
    return float(f1_score(gold_codes, predicted_codes, labels=range(len(labels)), average="macro", zero_division=0.0))


def mcc(labels: Sequence[str], gold: Sequence[str], predicted: Sequence[str | None]) -> float:
    """Matthews correlation, between -1 and 1; 0 where gold or predictions never vary; errors as in `encode_labels`."""
    from sklearn.metrics import matthews_corrcoef

    gold_codes, predicted_codes = encode_labels(labels, gold, predicted)
    if len({*gold_codes.tolist()}) == 1 or len({*predicted_codes.tolist()}) == 1:
        return 0.0  # scikit-learn's own value for these, without its warning
    return float(matthews_corrcoef(gold_codes, predicted_codes))


def report_classes(
    labels: Sequence[str], gold: Sequence[str], predicted: Sequence[str | None]
) -> dict[str, ClassReport]:
    """How each label fared, in the order of `labels`; errors as in `encode_labels`."""
    from sklearn.metrics import precision_recall_fscore_support

    gold_codes, predicted_codes = encode_labels(labels, gold, predicted)
    columns = precision_recall_fscore_support(
        gold_codes, predicted_codes, labels=range(len(labels)), average=None, zero_division=0.0
    )
    return {
        label: ClassReport(float(precision), float(recall), float(f1), int(support))
        for label, precision, recall, f1, support in zip(labels, *columns, strict=True)
    }


def count_confusions(
    labels: Sequence[str], gold: Sequence[str], predicted: Sequence[str | None]
) -> tuple[tuple[int, ...], ...]:
    """Rows per gold label and prediction; errors as in `encode_labels`.

    Returns:
        One row per gold label; columns are the predicted labels, in the same order, and then "no label".
    """
    from sklearn.metrics import confusion_matrix

    gold_codes, predicted_codes = encode_labels(labels, gold, predicted)
    counts = confusion_matrix(gold_codes, predicted_codes, labels=[*range(len(labels)), UNPARSED])
    return tuple(tuple(row) for row in counts[:-1].tolist())  # no gold label is missing: the last row is empty
