"""Answer one square of the grid and tell what happened."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from beatingbert.classifiers.kept import FOLDER as CLASSIFIER
from beatingbert.classifiers.kept import keep_classifier
from beatingbert.engines.catalog import build_engine
from beatingbert.engines.protocol import Access, Classifier, KeepsAnswers, Upkeep, Workplace
from beatingbert.errors import TooFewExamplesError
from beatingbert.experiments.kept import Kept
from beatingbert.progress import Progress, silent
from beatingbert.report.errors.analysis import ensure_analysed
from beatingbert.runs.cell import Cell
from beatingbert.runs.environment import capture_environment
from beatingbert.runs.record import RunRecord
from beatingbert.runs.store import RunFolder
from beatingbert.runs.submission import write_submission
from beatingbert.scoring.efficiency import (
    Latency,
    PeakMemory,
    Throughput,
    measure_latency,
    measure_throughput,
    unknown_memory,
)
from beatingbert.scoring.scorecard import score
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Shape, Task
from beatingbert.tasks.splits import Splits, draw_unlabelled, load_splits, load_test

logger = logging.getLogger("beatingbert.experiments")

NO_UPKEEP = Upkeep()
USUAL_ACCESS = Access()
TIMED_ALONE = 50  # questions whose answers are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Answers to every split, and what they cost."""

    predictions: dict[str, list[Prediction]]
    latency: dict[str, float | int]
    throughput: dict[str, float | int]
    memory: dict[str, float | str | None]


class Hearing:
    """Passes progress on, but for the moments when nobody should hear it: one question at a time is no progress."""

    def __init__(self, listener: Progress) -> None:
        self.listener = listener
        self.deaf = False

    def __call__(self, phase: str, done: int, total: int) -> None:
        """As `Progress`."""
        if not self.deaf:
            self.listener(phase, done, total)


def run_cell(
    cell: Cell,
    folder: RunFolder,
    *,
    run_name: str,
    model: str,
    data_dir: Path | None,
    prompt_dir: Path | None,
    needs_train: bool,
    progress: Progress = silent,
    upkeep: Upkeep = NO_UPKEEP,
    kept: Kept | None = None,
    access: Access = USUAL_ACCESS,
    keep: bool = False,
) -> RunRecord:
    """Answer one square of the grid and keep what happened.

    Args:
        cell: what is asked.
        folder: the run's open folder.
        run_name: the name of the run in its record.
        model: the short name of the checkpoint or engine in its record.
        data_dir: where the rows are; see `open_source`.
        prompt_dir: where the user's own prompt files are.
        needs_train: whether the engine learns from or shows train rows.
        progress: called while work is done.
        upkeep: how a training is kept and watched.
        kept: what the cell before has left in this process, and where this one leaves its own; None for nothing.
        access: how a model behind a server is reached.
        keep: leave the classifier in the run's folder.
    """
    kept = kept or Kept()
    started = datetime.now().astimezone().isoformat(timespec="seconds")
    hearing = Hearing(progress)
    task = find_task(cell.task)
    splits, questions, whole_test = _read(cell, task, kept, data_dir, needs_train)
    logger.info("cell %s: %s on %s, data %s", cell.id, model, cell.task, splits.provenance.get("source"))
    workplace = Workplace(
        task=task,
        folder=folder.path,
        prompt_dir=prompt_dir,
        progress=hearing,
        upkeep=upkeep,
        shelf=kept.shelf,
        access=access,
    )
    engine = build_engine(cell.engine, cell.settings, workplace)
    with PeakMemory() as fitting:
        classifier = engine.fit(splits.train, development=splits.development, seed=cell.seed)
    logger.info("fitted in %.1f s of training", classifier.facts.train_seconds)
    answered = _answer(classifier, questions, hearing)
    facts = classifier.facts
    record = RunRecord(
        run_name=run_name,
        cell=cell,
        model=model,
        scores=_score(task, splits.evaluation, answered.predictions),
        efficiency={
            "latency": answered.latency,
            "throughput": answered.throughput,
            "memory": {
                "fit": unknown_memory(facts.memory_unknown) if facts.memory_unknown else fitting.result.to_json(),
                "answer": unknown_memory(facts.memory_unknown) if facts.memory_unknown else answered.memory,
            },
            "load_seconds": facts.load_seconds,
            "train_seconds": facts.train_seconds,
            "parameters": facts.parameters,
            "disk_bytes": facts.disk_bytes,
            "device": facts.device,
            "precision": facts.precision,
        },
        data=splits.provenance,
        checkpoint=facts.checkpoint,
        template={name: text for name, text in facts.template.items() if name != "text"},
        notes=facts.notes,
        environment=capture_environment(),
        started_at=started,
        finished_at=datetime.now().astimezone().isoformat(timespec="seconds"),
    )
    if keep:
        place = folder.path / CLASSIFIER
        shutil.rmtree(place, ignore_errors=True)  # of an attempt that was interrupted after it
        keep_classifier(classifier, place, task, cell=cell, scores=record.scores, development=splits.development)
    if whole_test:
        write_submission(folder.path, task, answered.predictions[str(task.test)])
    logger.info("finished: %s", {name: round(value["value"], 4) for name, value in record.metrics.items()})
    record = folder.finish(
        record,
        questions=questions,
        predictions=answered.predictions,
        examples=splits.evaluation,
        history=facts.history,
        template=facts.template.get("text", ""),
    )
    ensure_analysed(folder.path)
    return record


def help_fit(
    cell: Cell, folder: Path, *, data_dir: Path | None, prompt_dir: Path | None, needs_train: bool, upkeep: Upkeep
) -> None:
    """Take part in the training of a cell that another process keeps and scores; the arguments are `run_cell`'s."""
    task = find_task(cell.task)
    splits, _, _ = _read(cell, task, Kept(), data_dir, needs_train)
    workplace = Workplace(task=task, folder=folder, prompt_dir=prompt_dir, upkeep=upkeep)
    engine = build_engine(cell.engine, cell.settings, workplace)
    engine.fit(splits.train, development=splits.development, seed=cell.seed)


def _read(
    cell: Cell, task: Task, kept: Kept, data_dir: Path | None, needs_train: bool
) -> tuple[Splits, dict[str, list[Question]], bool]:
    """The rows, the questions by split (to be scored, or the test split's), and whether these are the whole of test."""
    source = kept.source(task, data_dir)
    if cell.mode == "predict":
        test = load_test(task, source=source)
        questions = draw_unlabelled(test, cell.eval_size)
        used = {str(task.test): len(questions)}
        provenance = {"task": task.name, "source": source.kind, "revision": cell.data_revision, "splits": used}
        empty = Splits(train=[], development=[], evaluation={}, provenance=provenance)
        return empty, {str(task.test): questions}, len(questions) == len(test.questions) and not test.partial
    splits = load_splits(
        task,
        source=source,
        train_size=cell.train_size,
        eval_size=cell.eval_size,
        seed=cell.seed,
        select_on="validation" if cell.select_on == "validation" else "development",
        need_train=needs_train,
    )
    for name, rows in splits.evaluation.items():
        if len(rows) < 2:  # said now, not after hours of training
            raise TooFewExamplesError(f"a score with an interval needs at least two rows, {name!r} gives {len(rows)}")
    # From here on no engine sees the labels of what is reported.
    return splits, {name: [one.question for one in rows] for name, rows in splits.evaluation.items()}, False


def _answer(classifier: Classifier, questions: Mapping[str, Sequence[Question]], hearing: Hearing) -> Answered:
    """Latency first, one question at a time, which also warms up for throughput; then everything."""
    first = next(iter(questions.values()))
    hearing("measuring latency", 0, 1)
    hearing.deaf = True
    keeper = classifier if isinstance(classifier, KeepsAnswers) else None
    latency = _time_alone(classifier, first, keeper)
    hearing.deaf = False
    hearing("measuring latency", 1, 1)
    predictions: dict[str, list[Prediction]] = {}
    count, seconds = 0, 0.0
    started = time.perf_counter()
    with PeakMemory() as answering:
        for split, asked in questions.items():
            predictions[split], throughput = measure_throughput(classifier.predict, asked)
            if keeper is not None:
                throughput = Throughput(n=len(asked), seconds=keeper.seconds_together(asked))
            count, seconds = count + throughput.n, seconds + throughput.seconds
    logger.info("answered %d questions in %.1f s", count, time.perf_counter() - started)
    return Answered(
        predictions=predictions,
        latency=latency.to_json(),
        throughput={"questions_per_second": count / seconds, "n": count, "seconds": seconds},
        memory=answering.result.to_json(),
    )


def _time_alone(classifier: Classifier, questions: Sequence[Question], keeper: KeepsAnswers | None) -> Latency:
    """Latency; of answers that are kept, half of the rows at most, so that others are left to be asked together."""
    if keeper is None:
        return measure_latency(classifier.predict, questions)
    at_most = max(1, min(TIMED_ALONE, len(questions) // 2))
    return measure_latency(classifier.predict, questions, at_most=at_most, seconds_alone=keeper.seconds_alone)


def _score(
    task: Task, evaluation: Mapping[str, Sequence[Example]], predictions: Mapping[str, Sequence[Prediction]]
) -> dict[str, Any]:
    """Gold labels join here and nowhere else."""
    return {
        split: score(examples, predictions[split], task.labels, accuracy_only=task.shape is Shape.CHOICE).to_json()
        for split, examples in evaluation.items()
    }
