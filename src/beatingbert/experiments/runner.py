"""From what a user asks for to a record on disk."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from beatingbert.checkpoints.reference import short_name
from beatingbert.experiments import company
from beatingbert.experiments.config import RunConfig
from beatingbert.experiments.kept import Kept
from beatingbert.experiments.planning import plan_cell
from beatingbert.experiments.run_cell import help_fit, run_cell
from beatingbert.progress import Progress, silent
from beatingbert.runs.record import RunRecord
from beatingbert.runs.resume import find_unfinished, kept_name, require_unfinished
from beatingbert.runs.store import RESULTS, RunFolder, RunStore, read_record

RESULTS_DIR = Path("results")


def run(config: RunConfig, *, progress: Progress = silent, kept: Kept | None = None) -> RunRecord:
    """Do one run and keep it.

    Args:
        config: a `BERTConfig`, `LLMConfig` (also called `GemmaConfig`), `LinearConfig` or `MajorityConfig`.
        progress: called while work is done.
        kept: what an earlier run has left in this process, and where this one leaves its own; None for nothing.

    Returns:
        The record, as `results.json` in `record.folder` holds it.

    Raises:
        UsageError: what was asked for cannot be done as asked; nothing is left behind that looks like a result.
        UnreachableError: data or weights would have to be downloaded, and nobody answers.
    """
    if company.size() > 1:
        company.require_training(config)
        company.join()
    if not company.is_main():
        return _help(config)
    run_name, folder = _place(config)
    with folder:
        cell = plan_cell(config)
        folder.write_config({"run_name": run_name, "config": _plain(config), "cell": cell.to_json()})
        company.tell(folder.path)
        return run_cell(
            cell,
            folder,
            run_name=run_name,
            model=short_name(config.model) if config.model != config.engine else config.engine,
            data_dir=config.data_dir,
            prompt_dir=config.prompt_folder,
            needs_train=config.needs_train,
            progress=progress,
            upkeep=config.upkeep,
            kept=kept,
            access=config.access,
            keep=config.keep_classifier,
        )


def _help(config: RunConfig) -> RunRecord:
    """The part of a process that trains with others: the main one's record, once it is there."""
    cell = plan_cell(config)
    folder = company.hear()
    help_fit(
        cell,
        folder,
        data_dir=config.data_dir,
        prompt_dir=config.prompt_folder,
        needs_train=config.needs_train,
        upkeep=config.upkeep,
    )
    return read_record(company.await_results(folder))


def default_run_name(config: RunConfig, now: datetime) -> str:
    """As the study names its runs: {model}_{task}_{time}, {model}_zero_shot_{task}_{time}, ..."""
    parts = [_model_part(config.model), config.run_kind, config.task, now.strftime("%Y%m%d_%H%M%S")]
    return "_".join(filter(None, parts)).lstrip("_")


def _model_part(reference: str) -> str:
    """A hub id with its owner, as the study writes it (google_gemma-3-1b-it); anything else by its short name."""
    is_hub_id = re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", reference) and not Path(reference).exists()
    return reference.replace("/", "_") if is_hub_id and not reference.endswith(".gguf") else short_name(reference)


def _place(config: RunConfig) -> tuple[str, RunFolder]:
    """The run's name and folder: the one that was asked for, else results/{run name}."""
    store = RunStore(RESULTS_DIR)
    if config.upkeep.resume:
        return _place_to_resume(config, store)
    wanted = default_run_name(config, datetime.now().astimezone())
    if config.output_dir is not None:
        return wanted if config.run_name is None else config.run_name, RunFolder(config.output_dir)
    run_name = store.fresh_name(wanted) if config.run_name is None else config.run_name
    return run_name, store.folder(run_name)


def _place_to_resume(config: RunConfig, store: RunStore) -> tuple[str, RunFolder]:
    """The folder of the interrupted run: the one that was named, else the latest of the same cell."""
    cell = plan_cell(config)
    if config.output_dir is not None:
        folder = config.output_dir
    else:
        folder = find_unfinished(store.root, cell) if config.run_name is None else store.folder(config.run_name).path
    if not (folder / RESULTS).exists():  # else the folder itself says that it is finished
        require_unfinished(folder, cell)
    return config.run_name or kept_name(folder), RunFolder(folder, goes_on=True)


def _plain(config: RunConfig) -> dict[str, Any]:
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
