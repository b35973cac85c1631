"""Cells that would fail after minutes of loading, refused while they are planned: no row is read, no weight loaded."""

from __future__ import annotations

from beatingbert.checkpoints.reference import known_role
from beatingbert.errors import SettingsError
from beatingbert.experiments.config import RunConfig
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.load import Source
from beatingbert.tasks.spec import Shape


def refuse_impossible(config: RunConfig, source: Source) -> None:
    """See that a cell could be done as far as can be told from its task, its data's files and its checkpoint's name.

    Raises:
        SettingsError: it could not; the message names the flag that stands in the way.
        UnknownNameError: a wheel checkpoint that does not exist.
    """
    task = find_task(config.task)
    if config.needs_train and (task.train is None or not source.has(task.train)):
        raise SettingsError(
            f"task {task.name!r} has no train rows there ({source.kind}), and {_what(config)} needs some; ask it "
            "zero-shot, give a --data_dir that has them, or exclude it"
        )
    asked = (task.test,) if config.predicts_only else task.evaluation
    for split in asked:
        if split is None or not source.has(split):
            raise SettingsError(f"task {task.name!r} has no rows for split {split!r} there ({source.kind}); exclude it")
    if config.engine == "linear" and task.shape is Shape.CHOICE:
        raise SettingsError(
            f"task {task.name!r} is multiple choice, and the linear baseline classifies texts; exclude it"
        )
    role = known_role(config.model) if config.model != config.engine else None
    if config.engine in ("llm", "lora") and role == "encoder":
        raise SettingsError(
            f"--model {config.model} is an encoder, which does not continue a text, so {_what(config)} cannot use it; "
            "choose a causal language model, or 'engine: encoder'"
        )


def _what(config: RunConfig) -> str:
    """As a user says it: lora, few-shot, or the engine's name."""
    return str(getattr(config, "mode", config.engine)) if config.engine in ("llm", "lora") else config.engine
