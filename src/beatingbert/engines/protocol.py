"""The two seams that every engine shares.

Fitting and answering are two objects, so an unfitted classifier cannot exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from beatingbert.engines.shelf import Shelf
from beatingbert.errors import SettingsError
from beatingbert.progress import Progress, silent
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """How a long training is kept and watched; no part of the cell.

    Nothing here changes what is learnt,
    but for a deadline that is missed, and then the record says so.

    Attributes:
        resume: go on from what an earlier, interrupted run has left in the folder.
        checkpoint_steps: optimiser steps between checkpoints within an epoch; None keeps one at the end of each.
        report_to: who is told how the training goes: "none", "tensorboard", "wandb" or "mlflow".
        deadline: moment of `time.monotonic` after which a training takes no further step, and answers with what it has
            learnt till then, which the record says. None for a training that takes what it takes.
    """

    resume: bool = False
    checkpoint_steps: int | None = None
    report_to: str = "none"
    deadline: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a model behind a server is reached and what it may cost; no part of the cell, for it changes no answer.

    Attributes:
        concurrency: requests that are on their way at once.
        timeout_seconds: after which an attempt is given up.
        max_retries: further attempts after a refusal for load, a server's error, a lost connection or a time-out.
        max_requests: that are sent at most; answers kept from earlier runs do not count.
        max_cost: that is spent at most, in the currency of the prices.
        price_in, price_out: of a million tokens read and written.
        ask_again: send every request, also where an earlier run's answer has been kept.
        pull: let Ollama fetch a model that it does not have.
        key_variable: the environment variable that holds the server's key; the key itself is never passed on.
    """

    concurrency: int = 8
    timeout_seconds: float = 60.0
    max_retries: int = 5
    max_requests: int | None = None
    max_cost: float | None = None
    price_in: float | None = None
    price_out: float | None = None
    ask_again: bool = False
    pull: bool = False
    key_variable: str | None = None

    def __post_init__(self) -> None:
        for flag, value, least in (
            ("concurrency", self.concurrency, 1),
            ("max_retries", self.max_retries, 0),
            ("max_requests", self.max_requests, 1),
        ):
            if value is not None and value < least:
                raise SettingsError(f"--{flag} must be at least {least}, got {value}")
        if not self.timeout_seconds > 0:
            raise SettingsError(f"--timeout must be more than 0 seconds, got {self.timeout_seconds}")
        for flag in ("max_cost", "price_in", "price_out"):
            amount = getattr(self, flag)
            if amount is not None and not 0 <= amount < float("inf"):
                raise SettingsError(f"--{flag} must be a number from 0 on, got {amount}")
        if (self.price_in is None) != (self.price_out is None):
            raise SettingsError("--price_in and --price_out go together: what a million tokens read and written cost")
        if self.max_cost is not None and self.price_in is None:
            raise SettingsError(
                f"--max_cost {self.max_cost:g} needs --price_in and --price_out, what a million tokens read and "
                "written cost; or set --max_requests"
            )


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
        access: how a model behind a server is reached.
    """

    task: Task
    folder: Path
    prompt_dir: Path | None = None
    progress: Progress = silent
    upkeep: Upkeep = Upkeep()
    shelf: Shelf = field(default_factory=Shelf)
    access: Access = Access()


@dataclass(slots=True, kw_only=True)
class EngineFacts:
    """What an engine tells of itself for the record; filled while it works.

    Attributes:
        load_seconds: from files on disk to a model in memory.
        train_seconds: the training loop alone, with its evaluations on the development part.
        parameters: number of weights, 0 for a baseline without a checkpoint, None where a server does not tell.
        disk_bytes: size of the weights on disk, None where a server does not tell.
        checkpoint: reference, revision and hash of the weights.
        device, precision: where and in which number format answers are computed.
        history: one entry per epoch, or per prompt that was tried, for `history.json`.
        template: name, text and hash of the prompt template, where prompts are used.
        notes: anything else a reader of the record must know.
        memory_unknown: why the memory that answering takes cannot be measured; empty where it can.
    """

    load_seconds: float = 0.0
    train_seconds: float = 0.0
    parameters: int | None = 0
    disk_bytes: int | None = 0
    checkpoint: dict[str, str] = field(default_factory=dict)
    device: str = "cpu"
    precision: str = "fp32"
    history: list[dict[str, Any]] = field(default_factory=list)
    template: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    memory_unknown: str = ""


class Classifier(Protocol):
    """Something that answers questions."""

    @property
    def facts(self) -> EngineFacts:
        """What there is to know about it for the record."""

    def predict(self, questions: Sequence[Question]) -> list[Prediction]:
        """One prediction per question, in the order given."""

    def keep(self, folder: Path) -> None:
        """Write what the engine's `restore` needs besides task, settings and seed, as data and never as code.

        Args:
            folder: empty, and the classifier's alone.
        """


@runtime_checkable
class KeepsAnswers(Protocol):
    """A classifier that keeps answers from run to run, and so knows better than a clock outside what they took."""

    def seconds_alone(self, question: Question) -> float:
        """How long the question takes, or took when it was asked, with nothing else on its way."""

    def seconds_together(self, questions: Sequence[Question]) -> float:
        """How long these answers take, or took, in one call at the chosen concurrency."""


class Engine(Protocol):
    """Something that becomes a classifier when it is shown examples."""

    def fit(self, train: Sequence[Example], *, development: Sequence[Example], seed: int) -> Classifier:
        """Learn from `train`; whatever has to be selected is selected on `development`, never on what is reported."""
