"""From what a user asks for to the square of the grid, with the versions of engine, data and prompt written in.

Planning reads no row and loads no checkpoint.
"""

from __future__ import annotations

from pathlib import Path

from beatingbert.engines.catalog import check_settings, engine_version
from beatingbert.experiments.config import RunConfig
from beatingbert.prompts.template import load_template
from beatingbert.runs.cell import Cell
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.load import Source, open_source

PROMPTED = ("llm", "lora", "optimized", "served")


class Planner:
    """Plans cells; hashes of data and prompts are looked up once for each task and folder, so it plans thousands."""

    def __init__(self) -> None:
        self._sources: dict[tuple[str, Path | None], Source] = {}
        self._revisions: dict[tuple[str, Path | None], str] = {}
        self._prompts: dict[tuple[str, Path | None], str] = {}
        self._versions: dict[str, int] = {}

    def cell(self, config: RunConfig) -> Cell:
        """The square of the grid that is asked for.

        Raises:
            UsageError: settings that the engine refuses, or data or a prompt that is not there.
        """
        settings = config.engine_settings()
        check_settings(config.engine, settings)  # before anything slow
        return Cell(
            task=config.task,
            engine=config.engine,
            engine_version=self._version(config.engine),
            mode="predict" if config.predicts_only else "evaluate",
            settings=settings,
            train_size=config.max_samples if config.needs_train else None,
            eval_size=config.max_eval_samples,
            seed=config.seed,
            select_on=config.select_on,
            data_revision=self.data_revision(config),
            prompt_sha256=self._prompt(config) if config.engine in PROMPTED else "",
        )

    def source(self, config: RunConfig) -> Source:
        """Where the rows of its task come from."""
        key = (config.task, config.data_dir)
        if key not in self._sources:
            self._sources[key] = open_source(find_task(config.task), data_dir=config.data_dir)
        return self._sources[key]

    def data_revision(self, config: RunConfig) -> str:
        """Hash or commit of its task's data; "unknown" for a hub data set that is not on this machine yet."""
        key = (config.task, config.data_dir)
        if key not in self._revisions:
            self._revisions[key] = self.source(config).revision()
        return self._revisions[key]

    def _prompt(self, config: RunConfig) -> str:
        key = (config.task, config.prompt_folder)
        if key not in self._prompts:
            self._prompts[key] = load_template(find_task(config.task), config.prompt_folder).sha256
        return self._prompts[key]

    def _version(self, engine: str) -> int:
        if engine not in self._versions:
            self._versions[engine] = engine_version(engine)
        return self._versions[engine]


def plan_cell(config: RunConfig) -> Cell:
    """One cell, planned by itself; see `Planner.cell`."""
    return Planner().cell(config)
