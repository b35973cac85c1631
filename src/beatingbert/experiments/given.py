"""A run on rows that are given: fitting, and keeping what came of it. Where the rows come from is not known here."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from beatingbert.classifiers.kept import FOLDER as CLASSIFIER
from beatingbert.classifiers.kept import keep_classifier
from beatingbert.engines.catalog import build_engine
from beatingbert.engines.protocol import Classifier, Workplace
from beatingbert.experiments.answering import Answered
from beatingbert.report.errors.analysis import ensure_analysed
from beatingbert.runs.cell import Cell
from beatingbert.runs.environment import capture_environment
from beatingbert.runs.record import RunRecord
from beatingbert.runs.store import RunFolder
from beatingbert.scoring.memory import PeakMemory, unknown_memory
from beatingbert.scoring.scorecard import score
from beatingbert.tasks.example import Example
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Shape, Task
from beatingbert.tasks.splits import Splits

logger = logging.getLogger("beatingbert.experiments")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A classifier that is ready to answer.

    Attributes:
        classifier: itself.
        memory: what fitting it took, as `MemoryResult` has it.
        started_at: when fitting began, ISO 8601 with time zone.
    """

    classifier: Classifier
    memory: Mapping[str, Any]
    started_at: str


def fit(cell: Cell, splits: Splits, workplace: Workplace) -> Fitted:
    """Build the cell's engine and fit it; no row that is reported is looked at."""
    started = _now()
    engine = build_engine(cell.engine, cell.settings, workplace)
    with PeakMemory() as fitting:
        classifier = engine.fit(splits.train, development=splits.development, seed=cell.seed)
    logger.info("fitted in %.1f s of training", classifier.facts.train_seconds)
    return Fitted(classifier=classifier, memory=fitting.result.to_json(), started_at=started)


def write_down(
    cell: Cell,
    folder: RunFolder,
    fitted: Fitted,
    answered: Answered,
    *,
    task: Task,
    splits: Splits,
    run_name: str,
    model: str,
    keep: bool = False,
) -> RunRecord:
    """Score the answers, and write the run down.

    Args:
        cell: what was asked.
        folder: the run's open folder.
        fitted: who answered.
        answered: to every split of `splits.evaluation`, or to unlabelled ones where that is empty.
        task: whose labels the answers have.
        splits: with the labels of what was answered, and where the rows came from.
        run_name: the name of the run in its record.
        model: the short name of the checkpoint or engine in its record.
        keep: leave the classifier in the run's folder.
    """
    facts = fitted.classifier.facts
    record = RunRecord(
        run_name=run_name,
        cell=cell,
        model=model,
        scores=_score(task, splits.evaluation, answered.predictions),
        efficiency=_efficiency(fitted, answered),
        data=splits.provenance,
        checkpoint=facts.checkpoint,
        template={name: text for name, text in facts.template.items() if name != "text"},
        notes=facts.notes,
        environment=capture_environment(),
        started_at=fitted.started_at,
        finished_at=_now(),
    )
    if keep:
        place = folder.path / CLASSIFIER
        shutil.rmtree(place, ignore_errors=True)  # of an attempt that was interrupted after it
        reported = cell.select_on == "validation"  # then development is what is reported
        keep_classifier(
            fitted.classifier,
            place,
            task,
            cell=cell,
            scores=record.scores,
            development=() if reported else splits.development,
        )
    logger.info("finished: %s", {name: round(value["value"], 4) for name, value in record.metrics.items()})
    record = folder.finish(
        record,
        questions=answered.questions,
        predictions=answered.predictions,
        examples=splits.evaluation,
        history=facts.history,
        template=facts.template.get("text", ""),
    )
    ensure_analysed(folder.path)
    return record


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _efficiency(fitted: Fitted, answered: Answered) -> dict[str, Any]:
    """What fitting and answering took, and on what."""
    facts = fitted.classifier.facts
    unknown = unknown_memory(facts.memory_unknown) if facts.memory_unknown else None
    return {
        "latency": answered.latency,
        "throughput": answered.throughput,
        "memory": {"fit": unknown or fitted.memory, "answer": unknown or answered.memory},
        "load_seconds": facts.load_seconds,
        "train_seconds": facts.train_seconds,
        "parameters": facts.parameters,
        "disk_bytes": facts.disk_bytes,
        "device": facts.device,
        "precision": facts.precision,
    }


def _score(
    task: Task, evaluation: Mapping[str, Sequence[Example]], predictions: Mapping[str, Sequence[Prediction]]
) -> dict[str, Any]:
    """Gold labels join here and nowhere else."""
    return {
        split: score(examples, predictions[split], task.labels, accuracy_only=task.shape is Shape.CHOICE).to_json()
        for split, examples in evaluation.items()
    }
