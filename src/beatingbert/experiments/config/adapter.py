"""What an LLM run is told about its adapter: how it is trained, or where one lies."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from beatingbert.engines.lora.settings import LoraSettings
from beatingbert.errors import SettingsError
from beatingbert.experiments.config.asking import AskingConfig, is_given
from beatingbert.experiments.config.run import Flag

# Fields that only lora mode knows, with their flags: for training an adapter, and for any adapter.
TRAINING_FLAGS = {
    "lora_rank": "--lora_rank",
    "lora_alpha": "--lora_alpha",
    "lora_dropout": "--lora_dropout",
    "lora_targets": "--lora_targets",
    "learning_rate": "--lr",
    "num_epochs": "--epochs",
    "gradient_accumulation_steps": "--gradient_accumulation_steps",
    "gradient_checkpointing": "--gradient_checkpointing",
}
ADAPTER_FLAGS = {"adapter_path": "--adapter_path", "merge": "--merge"}


@dataclass(frozen=True, kw_only=True)
class AdapterConfig(AskingConfig):
    """How an adapter is trained, or where one lies.

    Attributes:
        lora_rank: Rank of the adapter, in lora mode. Default: 16.
        lora_alpha: Scale of the adapter's update, divided by the rank, in lora mode. Default: twice the rank.
        lora_dropout: Share of the adapter's inputs left out in training, in lora mode. Default: 0.05.
        lora_targets: Layers that are adapted, in lora mode: the attention's projections ('qkvo') or all linear layers
            but the last. Default: qkvo.
        learning_rate: Peak learning rate, reached after a tenth of the steps, in lora mode. Default: 2e-4.
        num_epochs: Passes over train, in lora mode; the best one by the development part answers. Default: 3.
        gradient_accumulation_steps: Forward passes per optimiser step, in lora mode. Default: 1.
        gradient_checkpointing: Compute each layer twice to save memory, in lora mode.
        adapter_path: Folder of a trained adapter (a run's adapter/best_adapter) to evaluate, in lora mode; nothing is
            trained.
        merge: Write the adapted model as a checkpoint of its own (merged_model/), in lora mode.
    """

    lora_rank: int | None = None
    lora_alpha: int | None = None
    lora_dropout: float | None = None
    lora_targets: Literal["qkvo", "all-linear"] | None = None
    learning_rate: Annotated[float | None, Flag(name="lr")] = None
    num_epochs: Annotated[int | None, Flag(name="epochs")] = None
    gradient_accumulation_steps: int | None = None
    gradient_checkpointing: bool = False
    adapter_path: Path | None = None
    merge: bool = False

    def _refuse_what_no_training_knows(self) -> None:
        """Settings of lora mode in another mode, and settings of a training where nothing is trained."""
        values = {flag: getattr(self, name) for name, flag in (TRAINING_FLAGS | ADAPTER_FLAGS).items()}
        given = [flag for flag, value in values.items() if is_given(value)]
        if self.mode != "lora" and given:
            raise SettingsError(
                f"{', '.join(given)} would change nothing in --mode {self.mode}; leave it out, or use --mode lora"
            )
        idle = [flag for flag in given if flag in TRAINING_FLAGS.values()]
        idle += ["--batch_size"] if self.mode == "lora" and self.batch_size is not None else []
        if self.adapter_path is not None and idle:
            raise SettingsError(
                f"{', '.join(idle)} would change nothing, for with --adapter_path nothing is trained; leave it out"
            )

    def _adapter_settings(self) -> dict[str, Any]:
        """What was given for training, and the engine's own defaults for what was not."""
        given = {
            "rank": self.lora_rank,
            "alpha": self.lora_alpha,
            "dropout": self.lora_dropout,
            "target_modules": self.lora_targets,
            "learning_rate": self.learning_rate,
            "train_batch_size": self.batch_size,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
            "epochs": self.num_epochs,
            "gradient_checkpointing": self.gradient_checkpointing,
            "adapter": None if self.adapter_path is None else str(self.adapter_path),
            "merge": self.merge,
        }
        given = {name: value for name, value in given.items() if value is not None}
        told = dataclasses.asdict(LoraSettings(**(self._asking_settings() | {"batch_size": None} | given)))
        del told["shot_order"]  # an adapted model is shown no demonstrations
        del told["metric_for_best"]  # accuracy, as there is no flag for it
        return told
