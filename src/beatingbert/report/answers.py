"""One run's answers to one split, read from its `predictions.parquet` column by column."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beatingbert.errors import DataError
from beatingbert.report.questions import Asked, read_questions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    BoolArray = npt.NDArray[np.bool_]
    IntArray = npt.NDArray[np.int64]
    TextArray = npt.NDArray[np.object_]

PREDICTIONS = "predictions.parquet"
OTHERS = ("probabilities", "reply", "lost_tokens")
"""Columns that error analysis looks at beside the answers."""


class Answers:
    """One run's answers to one split, every column sorted by id; a column is read when it is first looked at.

    Attributes:
        ids: shape (rows,), each once.
        gold: shape (rows,), the right label.
        label: shape (rows,), the answer; None where the reply named no label.
        right: shape (rows,), True where the answer is the right label.
    """

    def __init__(
        self,
        folder: Path,
        split: str,
        *,
        order: IntArray,
        ids: TextArray,
        gold: TextArray,
        label: TextArray,
        others: Mapping[str, TextArray],
    ):
        self._folder, self._split, self._order, self._others = folder, split, order, others
        self.ids, self.gold, self.label = ids, gold, label
        self.right: BoolArray = gold == label

    @cached_property
    def probabilities(self) -> list[dict[str, float] | None]:
        """Label to probability, per row; None where the engine gave none."""
        return [None if text is None else json.loads(text) for text in self._column("probabilities")]

    @cached_property
    def log_likelihoods(self) -> list[dict[str, float] | None]:
        """Label to the log-likelihood of its words, per row; None where that is not how it was chosen."""
        return [None if text is None else json.loads(text) for text in self._column("log_likelihoods")]

    @cached_property
    def reply(self) -> TextArray:
        """What the model wrote, per row; None where it wrote nothing."""
        return self._column("reply")

    @cached_property
    def lost_tokens(self) -> IntArray:
        """Shape (rows,), how many tokens of the question were cut away."""
        import numpy as np

        return np.array([lost or 0 for lost in self._column("lost_tokens")], dtype=np.int64)

    @cached_property
    def asked(self) -> list[Asked | None]:
        """What was asked, per row; None where a run did not keep it."""
        kept = read_questions(self._folder, self._split)
        return [kept.get(one) for one in self.ids]

    @property
    def as_asked(self) -> list[int]:
        """Positions of the rows in the order in which the run was asked."""
        asked: list[int] = self._order.argsort().tolist()
        return asked

    @cached_property
    def fingerprint(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of ids and gold labels: equal for the same rows alone."""
        return sha256(json.dumps([self.ids.tolist(), self.gold.tolist()]).encode()).hexdigest()[:12]

    def share_rows(self, other: Answers) -> None:
        """Hold the ids and gold labels only once where another run answered the same rows."""
        self.ids, self.gold = other.ids, other.gold

    def _column(self, name: str) -> TextArray:
        if name in self._others:
            return self._others[name]
        table = _read(self._folder, self._split, [name])
        column: TextArray = _texts(table.column(name))[self._order]
        return column


def read_answers(folder: Path, split: str, *, whole: bool = False) -> Answers:
    """The answers of the run that lies in `folder`.

    Args:
        folder: the run's.
        split: which.
        whole: whether all columns will be looked at, and are best read at once.

    Raises:
        DataError: the file is missing or damaged, an id occurs twice, or a row has no gold label.
    """
    import numpy as np

    others = OTHERS if whole else ()
    table = _read(folder, split, ["id", "gold", "label", *others])
    for name in ("id", "gold"):
        if table.column(name).null_count:
            raise DataError(f"damaged: {PREDICTIONS} has rows of {split!r} without {name}")
    ids = _texts(table.column("id"))
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    if len(ids) and bool((ids[1:] == ids[:-1]).any()):
        raise DataError(f"damaged: {PREDICTIONS} answers a question of {split!r} twice")
    gold, label = (_few_texts(table.column(name))[order] for name in ("gold", "label"))
    found = {name: _texts(table.column(name))[order] for name in others}
    return Answers(folder, split, order=order, ids=ids, gold=gold, label=label, others=found)


def _read(folder: Path, split: str, columns: list[str]) -> Any:
    """Some columns of one split, as they lie in the file."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import parquet

    path = folder / PREDICTIONS
    try:
        with parquet.ParquetFile(path) as file:
            table = file.read(columns=["split", *columns], use_threads=False)
        missing = [name for name in columns if name not in table.column_names]
        if missing:
            raise DataError(f"damaged: {PREDICTIONS} has no column {missing[0]!r}")
        return table.filter(pc.equal(table.column("split"), split)).combine_chunks()
    except FileNotFoundError as error:
        raise DataError(f"damaged: {PREDICTIONS} is missing; run the cell again") from error
    except (OSError, pa.ArrowException, KeyError) as error:
        raise DataError(f"damaged: {PREDICTIONS} cannot be read ({error})") from error


def _texts(column: Any) -> TextArray:
    """A column as Python values."""
    import numpy as np

    values: TextArray = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.object_)
    return values


def _few_texts(column: Any) -> TextArray:
    """A column of few different texts, each held once; None where there is none."""
    import numpy as np

    coded = column.combine_chunks().dictionary_encode()
    texts = np.array([*coded.dictionary.to_pylist(), None], dtype=np.object_)
    # Said here: pyarrow's own way from a dictionary to numpy takes what is missing for the last text.
    values: TextArray = texts[coded.indices.fill_null(len(texts) - 1).to_numpy()]
    return values
