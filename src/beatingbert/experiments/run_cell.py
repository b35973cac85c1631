"""Answer one square of the grid and tell what happened."""

from __future__ import annotations

import logging
from pathlib import Path

from beatingbert.engines.catalog import build_engine
from beatingbert.engines.protocol import Access, Upkeep, Workplace
from beatingbert.errors import TooFewExamplesError
from beatingbert.experiments.answering import Hearing, answer
from beatingbert.experiments.given import fit, write_down
from beatingbert.experiments.kept import Kept
from beatingbert.progress import Progress, silent
from beatingbert.runs.cell import Cell
from beatingbert.runs.record import RunRecord
from beatingbert.runs.store import RunFolder
from beatingbert.runs.submission import write_submission
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Question
from beatingbert.tasks.spec import Task
from beatingbert.tasks.splits import Splits, draw_unlabelled, load_splits, load_test

logger = logging.getLogger("beatingbert.experiments")

NO_UPKEEP = Upkeep()
USUAL_ACCESS = Access()


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
    fitted = fit(cell, splits, workplace)
    answered = answer(fitted.classifier, questions, hearing)
    if whole_test:
        write_submission(folder.path, task, answered.predictions[str(task.test)])
    return write_down(
        cell, folder, fitted, answered, task=task, splits=splits, run_name=run_name, model=model, keep=keep
    )


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
