"""What was asked and answered, row by row, as Parquet tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from beatingbert.runs.files import whole
from beatingbert.tasks.example import Question
from beatingbert.tasks.prediction import Prediction


def write_predictions(
    path: Path, predictions: Mapping[str, Sequence[Prediction]], gold: Mapping[tuple[str, str], str]
) -> None:
    """One row per answer: split, id, gold, label, probabilities, log_likelihoods, labels_by_rule (JSON), reply, ..."""
    import pyarrow as pa

    rows = [
        {
            "split": split,
            "id": one.question_id,
            "gold": gold.get((split, one.question_id)),
            "label": one.label,
            "probabilities": None if one.probabilities is None else json.dumps(dict(one.probabilities)),
            "log_likelihoods": None if one.log_likelihoods is None else json.dumps(dict(one.log_likelihoods)),
            "labels_by_rule": None if one.labels_by_rule is None else json.dumps(dict(one.labels_by_rule)),
            "reply": one.reply,
            "lost_tokens": one.lost_tokens,
        }
        for split, answers in predictions.items()
        for one in answers
    ]
    text = ("split", "id", "gold", "label", "probabilities", "log_likelihoods", "labels_by_rule", "reply")
    _write_parquet(path, rows, pa.schema([*((name, pa.string()) for name in text), ("lost_tokens", pa.int64())]))


def write_questions(
    path: Path, questions: Mapping[str, Sequence[Question]], gold: Mapping[tuple[str, str], str]
) -> None:
    """One row per question: split, id, fields (name to text, JSON), choices (JSON, null where there are none), gold."""
    import pyarrow as pa

    rows = [
        {
            "split": split,
            "id": one.id,
            "fields": json.dumps(dict(one.texts), ensure_ascii=False),
            "choices": json.dumps(one.choices, ensure_ascii=False) if one.choices else None,
            "gold": gold.get((split, one.id)),
        }
        for split, asked in questions.items()
        for one in asked
    ]
    names = ("split", "id", "fields", "choices", "gold")
    _write_parquet(path, rows, pa.schema([(name, pa.string()) for name in names]))


def _write_parquet(path: Path, rows: Sequence[Mapping[str, Any]], schema: Any) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    with whole(path) as beside:
        parquet.write_table(pa.Table.from_pylist(rows, schema=schema), beside)
