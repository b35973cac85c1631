"""The two seams that every engine shares.

Fitting and answering are two objects, so an unfitted classifier cannot exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from beatingbert.engines.shelf import Shelf
from beatingbert.progress import Progress, silent
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """How a long training is kept and watched. Nothing here changes what is learnt, so it is no part of the cell.

    Attributes:
        resume: go on from what an earlier, interrupted run has left in the folder.
        checkpoint_steps: optimiser steps between checkpoints within an epoch; None keeps one at the end of each.
        report_to: who is told how the training goes: "none", "tensorboard", "wandb" or "mlflow".
    """

    resume: bool = False
    checkpoint_steps: int | None = None
    report_to: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """What an engine is told besides its settings.

    Attributes:
        task: the task whose questions will come.
        folder: where the engine may keep what it makes (models, prompts); it exists.
        prompt_dir: folder whose prompt files replace the shipped ones; a place, so no part of the settings, which hold
            the same on every machine. What the files say is covered by the cell's prompt hash.
        progress: called while work is done.
        upkeep: how a training is kept and watched.
        shelf: where a checkpoint lies that an earlier run has loaded, and where this one leaves its own.
    """

    task: Task
    folder: Path
    prompt_dir: Path | None = None
    progress: Progress = silent
    upkeep: Upkeep = Upkeep()
    shelf: Shelf = field(default_factory=Shelf)


@dataclass(slots=True, kw_only=True)
class EngineFacts:
    """What an engine tells of itself for the record; filled while it works.

    Attributes:
        load_seconds: from files on disk to a model in memory.
        train_seconds: the training loop alone, with its evaluations on the development part.
        parameters: number of weights, 0 for a baseline without a checkpoint.
        disk_bytes: size of the weights on disk.
        checkpoint: reference, revision and hash of the weights.
        device, precision: where and in which number format answers are computed.
        history: one entry per epoch, for `history.json`.
        template: name, text and hash of the prompt template, where prompts are used.
        notes: anything else a reader of the record must know.
    """

    load_seconds: float = 0.0
    train_seconds: float = 0.0
    parameters: int = 0
    disk_bytes: int = 0
    checkpoint: dict[str, str] = field(default_factory=dict)
    device: str = "cpu"
    precision: str = "fp32"
    history: list[dict[str, float]] = field(default_factory=list)
    template: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


class Classifier(Protocol):
    """Something that answers questions."""

    @property
    def facts(self) -> EngineFacts:
        """What there is to know about it for the record."""

    def predict(self, questions: Sequence[Question]) -> list[Prediction]:
        """One prediction per question, in the order given."""


class Engine(Protocol):
    """Something that becomes a classifier when it is shown examples."""

    def fit(self, train: Sequence[Example], *, development: Sequence[Example], seed: int) -> Classifier:
        """Learn from `train`; whatever has to be selected is selected on `development`, never on what is reported."""
