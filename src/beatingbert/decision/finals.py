"""The last step: those that got to the top answer the test rows, once, and each leaves an ordinary run."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from beatingbert.decision.apart import answer_apart
from beatingbert.decision.bench import Built, with_test
from beatingbert.errors import BeatingBertError
from beatingbert.experiments.answering import answer
from beatingbert.experiments.given import write_down
from beatingbert.runs.record import RunRecord
from beatingbert.runs.store import RunFolder
from beatingbert.tasks.example import Example
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Task

logger = logging.getLogger("beatingbert.decision")


def answer_test(
    built: Built, *, name: str, task: Task, evaluation: Mapping[str, Sequence[Example]], apart: bool
) -> tuple[RunRecord, dict[str, list[Prediction]]]:
    """Let a fitted candidate answer what is reported, and keep its run.

    Args:
        built: the candidate as the ladder has left it.
        name: the candidate's.
        task: whose labels the answers have.
        evaluation: split to its rows; the labels stay here until the answers are given.
        apart: answer in a process of its own, so that its memory is its own. Where that fails it answers here, and the
            record says so.
    """
    splits = with_test(built.splits, {split: list(rows) for split, rows in evaluation.items()})
    questions = {split: [one.question for one in rows] for split, rows in splits.evaluation.items()}
    with RunFolder(built.folder) as folder:
        folder.write_config({"run_name": built.folder.name, "candidate": name, "cell": built.cell.to_json()})
        answered = None
        if apart and built.cell.engine != "served":
            try:
                answered = answer_apart(built, task, questions)
            except BeatingBertError as error:
                logger.warning("%s answers in the process of the ladder: %s", name, error)
        if answered is None:
            built.fitted.classifier.facts.notes["memory_shared_with_other_candidates"] = True
            answered = answer(built.fitted.classifier, questions, built.hearing)
        record = write_down(
            built.cell,
            folder,
            built.fitted,
            answered,
            task=task,
            splits=splits,
            run_name=built.folder.name,
            model=built.model,
        )
        return record, answered.predictions
