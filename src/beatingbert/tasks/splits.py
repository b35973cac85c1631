"""What is learnt from, what settings are chosen on, and what is reported, with a record of where each came from.

Nothing is chosen on the split that is reported, unless `select_on="validation"` asks for the common but optimistic
protocol, and then the record says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from beatingbert.errors import DataError, SettingsError, TooFewExamplesError
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.load import Source, open_source
from beatingbert.tasks.rows import MissingSplitError, Rows
from beatingbert.tasks.spec import Task
from beatingbert.tasks.subsample import carve_development, draw_stratified, draw_uniform, text_key

DEFAULT_SEED = 99


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """The rows of one run.

    Attributes:
        train: what is learnt from; empty in zero-shot runs.
        development: what settings, epochs and prompts are chosen on; empty where train is too small to carve from.
        evaluation: split name to the rows that are reported.
        provenance: plain JSON: source, revision, seed, and per split file, rows, sample and label counts. Holds no
            path of this machine.
    """

    train: list[Example]
    development: list[Example]
    evaluation: dict[str, list[Example]]
    provenance: dict[str, Any]


def load_splits(
    task: Task,
    *,
    data_dir: Path | None = None,
    train_size: int | None = None,
    eval_size: int | None = None,
    seed: int = DEFAULT_SEED,
    select_on: Literal["development", "validation"] = "development",
    need_train: bool = True,
    source: Source | None = None,
) -> Splits:
    """Read, sample and carve the rows of one run.

    Args:
        task: what to load.
        data_dir: see `open_source`.
        train_size: the labelled budget: drawn stratified first, then the development part is carved out of it.
            None, or more than there is, takes all.
        eval_size: rows drawn, stratified, from each evaluation split, the same ones for every seed; None takes all.
        seed: of the draw from train and of the carving.
        select_on: "development" carves 10 % of train (at most 2,000 rows); "validation" carves nothing and hands out
            the first evaluation split as development, which makes what is reported on it optimistic.
        need_train: False for zero-shot runs: train is not even read, and without train nothing is carved.
        source: where to read from; None opens it.

    Raises:
        SettingsError: a size below 1, or an unknown `select_on`.
        DataError: a split that is missing, unreadable or without labels.
        TooFewExamplesError: a label of the task has no training row.
        UnreachableError: the rows would have to be downloaded, and the hub or the package index does not answer.
    """
    if select_on not in ("development", "validation"):
        raise SettingsError(f"select_on is 'development' or 'validation', got {select_on!r}")
    _require_positive(train_size=train_size, eval_size=eval_size)
    source = source or open_source(task, data_dir=data_dir)
    records: dict[str, Any] = {}
    train: list[Example] = []
    development: list[Example] = []
    if need_train:
        train, records[str(task.train)] = _draw_train(task, source, train_size, seed)
        if select_on == "development":
            train, development = carve_development(train, seed=seed)
    seen = {text_key(example.question) for example in (*train, *development)}
    evaluation: dict[str, list[Example]] = {}
    for split in task.evaluation:
        evaluation[split], records[split] = _draw_evaluation(task, source, split, eval_size, seen)
    if select_on == "validation":
        development = evaluation[task.evaluation[0]]
    provenance = {
        "task": task.name,
        "source": source.kind,
        "revision": source.revision(),
        "seed": seed,
        "select_on": select_on,
        "optimistic": select_on == "validation",
        "train_rows": len(train),
        "development_rows": len(development),
        "splits": records,
    }
    return Splits(train=train, development=development, evaluation=evaluation, provenance=provenance)


def load_unlabelled(task: Task, *, data_dir: Path | None = None, size: int | None = None) -> list[Question]:
    """The test split's questions, in the order of the file; a label that it has is left behind.

    Args:
        task: what to load.
        data_dir: see `open_source`.
        size: rows to draw with the default seed, not the first ones, since files may be sorted; None takes all.

    Raises:
        SettingsError: size is below 1.
        DataError: the task has no test split, or it cannot be read.
    """
    return draw_unlabelled(load_test(task, data_dir=data_dir), size)


def load_test(task: Task, *, data_dir: Path | None = None, source: Source | None = None) -> Rows:
    """The whole test split as it is found.

    Raises:
        DataError: the task has no test split, or it cannot be read.
    """
    if task.test is None:
        raise DataError(f"task {task.name!r} has no test split; its evaluation splits: {', '.join(task.evaluation)}")
    return (source or open_source(task, data_dir=data_dir)).read(task.test)


def draw_unlabelled(rows: Rows, size: int | None) -> list[Question]:
    """Questions as `load_unlabelled` draws them, in the order of the file."""
    _require_positive(size=size)
    return rows.questions if size is None else draw_uniform(rows.questions, size, seed=DEFAULT_SEED)


def _require_positive(**sizes: int | None) -> None:
    for name, size in sizes.items():
        if size is not None and size < 1:
            raise SettingsError(f"{name} must be at least 1, got {size}. Leave it out to take every row.")


def _draw_train(task: Task, source: Source, size: int | None, seed: int) -> tuple[list[Example], dict[str, Any]]:
    """The labelled budget, and its record."""
    rows = _read_train(task, source)
    budget = rows.labelled if size is None else draw_stratified(rows.labelled, size, seed=seed)
    _require_every_label(task, rows, budget)
    return budget, _record(rows, budget)


def _read_train(task: Task, source: Source) -> Rows:
    way_out = (
        "Without training rows a task can still be asked zero-shot (an llm engine with 0 shots). To train, add a "
        f"{task.train or 'train'} file to the data directory, or unset --data_dir and BEATINGBERT_DATA to use the hub."
    )
    if task.train is None:
        raise DataError(f"task {task.name!r} declares no train split. {way_out}")
    try:
        rows = source.read(task.train)
    except MissingSplitError as error:
        raise DataError(f"{error} {way_out}") from error
    if not rows.labelled:
        count = len(rows.unlabelled)
        raise DataError(f"task {task.name!r}: train ({rows.file}) has {count} rows and no label. {way_out}")
    return rows


def _draw_evaluation(
    task: Task, source: Source, split: str, size: int | None, seen: Container[object]
) -> tuple[list[Example], dict[str, Any]]:
    """The rows of a split that are reported, and their record; `seen` are the keys of train's texts."""
    rows = source.read(split)
    if not rows.labelled:
        raise DataError(
            f"task {task.name!r}: split {split!r} ({rows.file}) has {len(rows.unlabelled)} rows and no label, "
            f"so nothing can be scored on it. Put a labelled {split} split in its place."
        )
    # The same rows whatever the seed: training varies from seed to seed, what it is measured on does not.
    used = rows.labelled if size is None else draw_stratified(rows.labelled, size, seed=DEFAULT_SEED)
    repeated = sum(text_key(example.question) in seen for example in used)
    return used, _record(rows, used) | {"texts_also_in_train": repeated}


def _require_every_label(task: Task, rows: Rows, budget: Sequence[Example]) -> None:
    present = {example.label for example in budget}
    missing = [label for label in task.labels if label not in present]
    if not missing:
        return
    in_file = {example.label for example in rows.labelled}
    if set(missing) & in_file:
        way_out = f"Raise train_size to at least {len(in_file)}."
    else:
        way_out = f"Add rows of it to the file, or declare the task without it (labels now: {', '.join(task.labels)})."
    raise TooFewExamplesError(
        f"task {task.name!r}: no row of label {', '.join(map(repr, missing))} among the {len(budget)} training rows "
        f"taken from {rows.file}; a classifier cannot learn a label it never sees. {way_out}"
    )


def _record(rows: Rows, used: Sequence[Example]) -> dict[str, Any]:
    """One split in the provenance; `rows` is what the file holds, `used` what the run takes."""
    return {
        "file": rows.file,
        "sha256": rows.sha256,
        "rows": len(rows.questions),
        "labelled": len(rows.labelled),
        "unlabelled": len(rows.unlabelled),  # kept out of every score
        "partial": rows.partial,
        "used": len(used),
        "labels": dict(sorted(Counter(example.label for example in used).items())),
    }
