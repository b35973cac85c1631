"""What a run of a small LLM is told: how it is asked, its adapter, its compiled prompt and its server, in one.

The fields lie with those four, in modules of their own; their order here is that of the help page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from beatingbert.engines.llm.calibration import refuse_positions
from beatingbert.engines.llm.settings import check_choice_settings
from beatingbert.engines.served.settings import is_served
from beatingbert.errors import SettingsError
from beatingbert.experiments.config.adapter import AdapterConfig
from beatingbert.experiments.config.program import ProgramConfig
from beatingbert.experiments.config.server import ServerConfig
from beatingbert.tasks.catalog import find_task


@dataclass(frozen=True, kw_only=True)
class LLMConfig(ServerConfig, ProgramConfig, AdapterConfig):
    """Ask a small decoder LLM, adapt it to train by LoRA, or optimise its prompt with DSPy."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._refuse_what_no_training_knows()
        if self.mode == "dspy":
            self._refuse_what_no_program_knows(priced=self.price_in is not None)
            self.engine_settings()  # refuses what the engine does
        else:
            self._refuse_what_only_programs_know()
        if is_served(self.model_name):
            self._refuse_what_no_server_knows()
        else:
            self._refuse_what_only_servers_know()
        if self.choice_by is not None or (not is_served(self.model_name) and self.mode != "dspy"):
            check_choice_settings(find_task(self.task), self.choice_by or "ending", self.normalise_by)
        if self.mode == "few-shot" and self.num_few_shot < 1:
            raise SettingsError(
                f"--mode few-shot needs at least one demonstration, got --num_few_shot {self.num_few_shot}; "
                "use --mode zero-shot for none"
            )
        if self.shot_order != "mixed" and (self.mode != "few-shot" or not find_task(self.task).labels):
            raise SettingsError(
                f"--shot_order {self.shot_order} sorts demonstrations, and --mode {self.mode} on {self.task!r} shows "
                "none that have labels; leave it out, or use --mode few-shot on a task with labels of its own"
            )
        refuse_positions(self.calibration, find_task(self.task))
        if self.calibration == "batch" and self.select_on == "validation":
            raise SettingsError(
                "--calibration batch with --select_on validation would be estimated on the rows that are reported; "
                "leave --select_on out, so that a development part is carved from train"
            )

    @property
    def engine(self) -> str:
        """By what the mode needs."""
        if self.mode == "dspy":
            return "optimized"
        if is_served(self.model_name):
            return "served"
        return "lora" if self.mode == "lora" else "llm"

    @property
    def run_kind(self) -> str:
        """As the study names its runs: zero_shot, few_shot_k with the demonstrations, lora_r with the rank, dspy_k."""
        if self.mode == "dspy":
            return f"dspy_k{self.num_few_shot}" if self.program_path is None else "dspy_eval"
        if self.mode == "lora":
            return f"lora_r{self.engine_settings()['rank']}" if self.adapter_path is None else "lora_eval"
        return f"few_shot_k{self.shots}" if self.mode == "few-shot" else "zero_shot"

    @property
    def needs_train(self) -> bool:
        """To train on, to draw demonstrations, and unlabelled questions for batch calibration."""
        trains = self.mode == "lora" and self.adapter_path is None
        trains = trains or (self.mode == "dspy" and self.program_path is None)
        return trains or self.shots > 0 or self.calibration == "batch"

    def engine_settings(self) -> dict[str, Any]:
        """As `LLMSettings`, `LoraSettings`, `OptimizedSettings` or `ServedSettings` wants them."""
        if self.mode == "dspy":
            return self._program_settings(self.server_url if is_served(self.model_name) else None)
        if is_served(self.model_name):
            return self._served_settings()
        if self.mode == "lora":
            return self._adapter_settings()
        return self._asking_settings()


GemmaConfig = LLMConfig  # the study's name for it
