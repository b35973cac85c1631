"""Answers to a GLUE test split as the benchmark's server wants them: `<Task>.tsv` with the columns index, prediction.

File names and label words are those of GLUE's own sample submission (Wang et al. 2019, gluebenchmark.com).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Task


@dataclass(frozen=True, slots=True)
class Form:
    """How GLUE wants one task.

    Attributes:
        file: name without ending.
        words: whether labels are written as words or as their numbers.
    """

    file: str
    words: bool


FORMS = {
    "sst2": Form("SST-2", words=False),
    "mrpc": Form("MRPC", words=False),
    "qqp": Form("QQP", words=False),
    "rte": Form("RTE", words=True),
    "mnli": Form("MNLI-m", words=True),
    "mnli_matched": Form("MNLI-m", words=True),
    "mnli_mismatched": Form("MNLI-mm", words=True),
}


def write_submission(folder: Path, task: Task, predictions: Sequence[Prediction]) -> Path | None:
    """Write the file for a GLUE task.

    Args:
        folder: where to.
        task: whose test split was answered.
        predictions: one per row of the whole test file, in its order.

    Returns:
        The file, or None where the task is not GLUE's or a question has no answer.
    """
    form = FORMS.get(task.name)
    if form is None or any(one.label is None for one in predictions):
        return None
    numbers = {label: str(number) for number, label in enumerate(task.labels)}
    lines = ["index\tprediction"]
    for index, one in enumerate(predictions):
        label = str(one.label)
        lines.append(f"{index}\t{label if form.words else numbers[label]}")
    path = folder / f"{form.file}.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
