"""Answer a file of any size: every row once, in order, in bounded memory, and again after a kill from where it was.

The file is read three times, which costs little beside answering: once to see that every row can be answered, before
hours are spent; once to answer, a chunk at a time, into the journal; once to write all rows with their answers. What is
written lies beside and is renamed at the end, so that a file of the wanted name is whole.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from beatingbert.classifiers.journal import Answer, Journal
from beatingbert.classifiers.output import Names, write_table
from beatingbert.errors import DataError, RunBusyError, RunExistsError, SettingsError
from beatingbert.progress import Progress, silent
from beatingbert.tasks.example import Question
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.rows import StoredRow, decode_question
from beatingbert.tasks.spec import Task
from beatingbert.tasks.tables import ENDINGS, stream_table

CHUNK_ROWS = 256  # answered together; of more a kill would lose more, of fewer batches are less alike in length
COLUMNS = (("label", "probability"), ("predicted_label", "predicted_probability"))


class Answering(Protocol):
    """What answers; `KeptClassifier` is one."""

    @property
    def task(self) -> Task:
        """What it answers."""

    @property
    def identity(self) -> str:
        """One hash of all that its answers depend on."""

    def answers(self, questions: Sequence[Question]) -> list[Prediction]:
        """One per question, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What was done.

    Attributes:
        output: the file.
        rows: that it has.
        taken_up: rows whose answers an earlier, interrupted call had left.
        unanswered: rows for which the model named no label; their cells are empty.
        columns: names of the label's and the probability's column.
        counts: label to rows.
    """

    output: Path
    rows: int
    taken_up: int
    unanswered: int
    columns: Names
    counts: dict[str, int]


def predict_file(
    classifier: Answering,
    source: Path,
    output: Path,
    *,
    chunk_rows: int = CHUNK_ROWS,
    progress: Progress = silent,
) -> Summary:
    """Answer every row of a table.

    Args:
        classifier: who answers.
        source: .csv, .tsv, .jsonl (each also .gz) or .parquet, with the task's columns; others are kept as they are.
        output: of the same format. Its rows are the source's with two more columns, "label" and "probability", or
            "predicted_label" and "predicted_probability" where the source has one of those.
        chunk_rows: answered together.
        progress: called as ("checking" | "answering" | "writing", rows done, rows in all).

    Raises:
        DataError: a row that cannot be answered, named by its number and line before anything is answered, or a source
            that changes meanwhile.
        RunExistsError: there is such an output file already, or another process is making it.
        ResumeError: what an earlier call has left beside it belongs to another file or classifier.
    """
    require_places(source, output)
    journal_file = output.with_name(output.name + ".journal")
    lock_file = output.with_name(output.name + ".lock")
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunBusyError(f"another process is making {str(output)!r}; wait for it, or choose another file") from error
    try:
        require_places(source, output)  # it may have been finished in between
        before = _stamp(source)
        rows, names = _check(classifier.task, source, progress)
        job = {
            "format": 1,
            "file": _sha256(source),
            "classifier": classifier.identity,
            "chunk_rows": chunk_rows,
            "columns": list(names),
        }
        with Journal(journal_file, job) as journal:
            taken_up = journal.rows
            _answer(classifier, source, journal, rows, chunk_rows, progress)
            if _stamp(source) != before:
                raise DataError(
                    f"{source}: the file has changed while it was answered; remove {journal_file} and begin anew"
                )
            counts = _write(source, output, journal, rows, names, progress)
        journal_file.unlink()
    finally:
        with suppress(OSError):  # still held when it is removed, so that nobody locks a file that is gone
            lock_file.unlink()
        lock.release()
    unanswered = counts.pop(None, 0)
    named = {str(label): count for label, count in counts.items()}
    return Summary(output=output, rows=rows, taken_up=taken_up, unanswered=unanswered, columns=names, counts=named)


def require_places(source: Path, output: Path) -> None:
    """See that the file is there and that the output may be made.

    Raises:
        UsageError: of the kind that `predict_file` tells.
    """
    if not source.is_file():
        raise DataError(f"{str(source)!r} is no file; expected one that ends in {', '.join(ENDINGS)}")
    kinds = [next((one for one in ENDINGS if path.name.endswith(one)), None) for path in (source, output)]
    if kinds[0] is None:
        raise DataError(f"{str(source)!r}: expected a file that ends in {', '.join(ENDINGS)}")
    if kinds[1] is None or kinds[1].removesuffix(".gz") != kinds[0].removesuffix(".gz"):
        wanted = kinds[0].removesuffix(".gz")
        packed = "" if wanted == ".parquet" else f" or {wanted}.gz"
        raise SettingsError(
            f"rows are written back in their own format, so the output must end in {wanted}{packed}, "
            f"got {output.name!r}"
        )
    if output.exists():
        raise RunExistsError(
            f"{str(output)!r} is there already and is never overwritten; choose another -o, or remove it"
        )
    if not output.parent.is_dir():
        raise SettingsError(f"folder {str(output.parent)!r} does not exist; make it first")


def _check(task: Task, source: Path, progress: Progress) -> tuple[int, Names]:
    """How many rows there are and what the two columns are called, once every row has been seen to be answerable."""
    if ".tsv" in source.suffixes and any(set(label) & set("\t\r\n") for label in task.labels):
        raise SettingsError(f"a label of {task.name!r} holds a tab or line end, which a .tsv file cannot; use .csv")
    taken: set[str] = set()
    rows = 0
    for row in _rows(source):
        decode_question(task, row, source=str(source))
        taken.update(name for pair in COLUMNS for name in pair if name in row.cells)
        rows += 1
        if rows % CHUNK_ROWS == 0:
            progress("checking", rows, rows)
    if not rows:
        raise DataError(f"{source} holds no rows; expected at least one with {', '.join(task.text_fields)}")
    progress("checking", rows, rows)
    free = [names for names in COLUMNS if not taken & set(names)]
    if not free:
        raise DataError(
            f"{source}: columns {', '.join(sorted(taken))} are where the answers would go; rename or remove them"
        )
    return rows, free[0]


def _answer(
    classifier: Answering, source: Path, journal: Journal, rows: int, chunk_rows: int, progress: Progress
) -> None:
    """Answer what the journal does not have yet."""
    progress("answering", journal.rows, rows)
    left = islice(_rows(source), journal.rows, None)
    while chunk := list(islice(left, chunk_rows)):
        questions = [decode_question(classifier.task, row, source=str(source)) for row in chunk]
        journal.append([_answer_of(one) for one in classifier.answers(questions)])
        progress("answering", journal.rows, rows)


def _answer_of(prediction: Prediction) -> Answer:
    label, probabilities = prediction.label, prediction.probabilities
    return label, None if label is None or probabilities is None else probabilities[label]


def _write(
    source: Path, output: Path, journal: Journal, rows: int, names: Names, progress: Progress
) -> dict[str | None, int]:
    """Write the output beside and rename it; returns label to rows."""
    counts: dict[str | None, int] = {}

    def counted() -> Iterator[Answer]:
        for done, answer in enumerate(journal.answers(), start=1):
            counts[answer[0]] = counts.get(answer[0], 0) + 1
            if done % CHUNK_ROWS == 0 or done == rows:
                progress("writing", done, rows)
            yield answer

    beside = output.with_name(output.name + ".part")
    try:
        with beside.open("wb") as file:
            write_table(source, file, counted(), names, packed=output.suffix == ".gz")
            file.flush()
            os.fsync(file.fileno())
        beside.rename(output)
    finally:
        beside.unlink(missing_ok=True)
    return counts


def _rows(source: Path) -> Iterator[StoredRow]:
    with source.open("rb") as file:
        yield from stream_table(file, str(source))


def _stamp(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_size, about.st_mtime_ns


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
