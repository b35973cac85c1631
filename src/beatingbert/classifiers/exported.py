"""A classifier's other form, `onnx/` within its folder: found, brought back, and made after it has proved itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from beatingbert.classifiers.kept import About, find_kept, identity_of, read_about, read_development, seal
from beatingbert.engines.catalog import export_classifier, restore_classifier
from beatingbert.engines.catalog import restore_exported as restore_from_catalog
from beatingbert.engines.protocol import Classifier, Workplace
from beatingbert.errors import BeatingBertError, DamagedRecordError, DataError, SettingsError, TooFewExamplesError
from beatingbert.progress import Progress, silent
from beatingbert.runs.checksums import CHECKSUMS, find_changed
from beatingbert.runs.files import write_json
from beatingbert.tasks.example import Example
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.rows import decode_rows
from beatingbert.tasks.spec import Task
from beatingbert.tasks.tables import read_table

FOLDER, VERDICT = "onnx", "comparison.json"
MIN_AGREEMENT = 0.98


@dataclass(frozen=True, slots=True)
class ExportedForm:
    """The folder of an exported form, and one hash of all that is in it."""

    folder: Path
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """An exported form beside the classifier that it was made from, on rows that neither was trained on.

    Attributes:
        rows: how many.
        agreement: share of rows that both answered alike.
        accuracy_before, accuracy_after: shares of right answers, of the classifier and of the exported form.
        largest_difference: of the probabilities of one label.
        bytes_before, bytes_after: of the weights on disk.
    """

    rows: int
    agreement: float
    accuracy_before: float
    accuracy_after: float
    largest_difference: float
    bytes_before: int
    bytes_after: int


def find_exported(folder: Path, *, wanted: str) -> ExportedForm | None:
    """The exported form that should answer; None for the engine itself.

    Args:
        folder: the classifier's.
        wanted: "auto" for the exported form where there is one, "own" for none, "onnx" to insist.

    Raises:
        SettingsError: there is none, and it was insisted on.
        DamagedRecordError: a file is not as it was written.
    """
    place = folder / FOLDER
    if wanted == "own":
        return None
    if not place.is_dir():
        if wanted == "onnx":
            raise SettingsError(f"{str(folder)!r} has no ONNX form; make one with: beatingbert export {folder}")
        return None
    damage = find_changed(place) if (place / CHECKSUMS).is_file() else f"{CHECKSUMS} is missing"
    if damage is not None:
        raise DamagedRecordError(f"exported form {str(place)!r} is damaged: {damage}; export it anew")
    return ExportedForm(place, identity_of(place))


def restore_exported(exported: ExportedForm, folder: Path, about: About, workplace: Workplace) -> Classifier:
    """The classifier that answers by it."""
    return restore_from_catalog(about.engine, folder, exported.folder, workplace)


def export_kept(
    path: Path,
    *,
    int8: bool,
    rows_file: Path | None = None,
    min_agreement: float = MIN_AGREEMENT,
    progress: Progress = silent,
) -> tuple[Path, Comparison]:
    """Export a classifier to ONNX beside itself, in place of an earlier export, if it answers as the classifier does.

    Args:
        path: the classifier's folder, or the run that holds it.
        int8: whether weights are rounded to 8 bits.
        rows_file: labelled rows to compare on; None for the development rows that were kept with it.
        min_agreement: smallest share of rows that both must answer alike.
        progress: called between the steps.

    Raises:
        NotAvailableError: the engine has no such form.
        TooFewExamplesError: there are no rows to compare on.
        BeatingBertError: it answers otherwise too often; nothing is left of it.
    """
    folder = find_kept(path)
    about = read_about(folder)
    compared = read_development(folder) if rows_file is None else _labelled(rows_file, about.task)
    if not compared:
        raise TooFewExamplesError(
            f"{str(folder)!r} has kept no development rows to compare its exported form on; give labelled rows with "
            "--rows FILE"
        )
    if not 0 <= min_agreement <= 1:
        raise SettingsError(f"--min_agreement is a share from 0 to 1, got {min_agreement}")
    beside = folder / f"{FOLDER}.part"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        progress("exporting", 0, 3)
        export_classifier(
            about.engine, folder, beside, about.settings, Workplace(task=about.task, folder=folder), int8=int8
        )
        comparison = _compare(folder, beside, about, compared, progress)
        if comparison.agreement < min_agreement:
            raise BeatingBertError(
                f"the exported form answers {comparison.agreement:.1%} of {comparison.rows} rows as the classifier "
                f"does, fewer than the {min_agreement:.1%} asked for (accuracy {comparison.accuracy_after:.1%}, was "
                f"{comparison.accuracy_before:.1%}), so it was not kept; export without --int8, or lower "
                "--min_agreement"
            )
        write_json(beside / VERDICT, asdict(comparison))
        seal(beside)
        shutil.rmtree(folder / FOLDER, ignore_errors=True)
        beside.rename(folder / FOLDER)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    progress("exporting", 3, 3)
    return folder / FOLDER, comparison


def _labelled(path: Path, task: Task) -> list[Example]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: expected a readable file, found: {error.strerror or error}") from error
    return decode_rows(task, read_table(data, str(path)), file=path.name, source=str(path)).labelled


def _compare(folder: Path, target: Path, about: About, rows: Sequence[Example], progress: Progress) -> Comparison:
    workplace = Workplace(task=about.task, folder=folder)
    questions = [one.question for one in rows]
    answers: list[list[Prediction]] = []
    sizes: list[int] = []
    for step, made in enumerate(
        (
            lambda: restore_classifier(about.engine, folder, about.settings, workplace, seed=about.seed),
            lambda: restore_from_catalog(about.engine, folder, target, workplace),
        ),
        start=1,
    ):
        progress("exporting", step, 3)
        classifier = made()
        answers.append(classifier.predict(questions))
        sizes.append(classifier.facts.disk_bytes or 0)
    before, after = answers
    return Comparison(
        rows=len(rows),
        agreement=_share(one.label == other.label for one, other in zip(before, after, strict=True)),
        accuracy_before=_share(one.label == row.label for one, row in zip(before, rows, strict=True)),
        accuracy_after=_share(one.label == row.label for one, row in zip(after, rows, strict=True)),
        largest_difference=max(_difference(one, other) for one, other in zip(before, after, strict=True)),
        bytes_before=sizes[0],
        bytes_after=sizes[1],
    )


def _share(right: Iterable[bool]) -> float:
    found = list(right)
    return sum(found) / len(found)


def _difference(one: Prediction, other: Prediction) -> float:
    first, second = one.probabilities or {}, other.probabilities or {}
    return max((abs(first[label] - second.get(label, 0.0)) for label in first), default=0.0)
