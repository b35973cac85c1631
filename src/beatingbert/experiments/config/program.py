"""What an LLM run is told about its compiled prompt: how it is searched, or where one lies."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from beatingbert.engines.optimized.settings import OptimizedSettings
from beatingbert.errors import SettingsError
from beatingbert.experiments.config.asking import AskingConfig, is_given

# Fields that only dspy mode knows, with the names that `OptimizedSettings` has for them; the first three go with any
# program, the others with a search.
DSPY_FIELDS = {
    "reasoning": "reasoning",
    "dspy_adapter": "adapter",
    "program_path": "program",
    "optimizer": "optimizer",
    "max_train_examples": "max_train_examples",
    "max_val_examples": "max_val_examples",
    "num_candidates": "num_candidates",
    "num_trials": "num_trials",
    "max_optimizer_calls": "max_calls",
    "max_optimizer_tokens": "max_tokens",
    "max_optimizer_seconds": "max_seconds",
    "max_optimizer_cost": "max_cost",
}
SEARCH_FLAGS = [name for name in DSPY_FIELDS if name not in ("reasoning", "dspy_adapter", "program_path")]
# Those of other modes that a compiled program leaves no room for.
NOT_FOR_PROGRAMS = ("temperature", "answer_by", "constrained", "rank_only", "normalise_by", "calibration")


@dataclass(frozen=True, kw_only=True)
class ProgramConfig(AskingConfig):
    """How a prompt is compiled, or where one lies.

    Attributes:
        optimizer: How the prompt is searched, in dspy mode: demonstrations that the model gets right ('bootstrap', or
            several sets of them), instructions that it writes as well ('miprov2'), or that it rewrites from its
            mistakes ('gepa'). Default: bootstrap.
        dspy_adapter: Words around the fields, in dspy mode: those of the prompt file ('template'), or DSPy's own with a
            marker before each field ('chat'). Default: template; chat with --reasoning, which needs the markers.
        reasoning: Let the model write a reason before its label, in dspy mode; without, labels come by likelihood.
        max_train_examples: Train rows that the prompt optimiser sees at most, in dspy mode. Default: 300.
        max_val_examples: Development rows that it scores candidates on at most, in dspy mode. Default: 100.
        num_candidates: Sets of demonstrations, and instructions, to make, in dspy mode. Default: 6.
        num_trials: Combinations that miprov2 tries; for gepa answers, in passes over the development rows. Default: 10.
        max_optimizer_calls: Calls of the model that the optimiser makes at most, in dspy mode; it then ends with the
            best prompt so far, as it does on Ctrl-C.
        max_optimizer_tokens: The same for tokens read and written.
        max_optimizer_seconds: The same for seconds.
        max_optimizer_cost: The same for money, in the prices' currency.
        program_path: Folder of a compiled program (a run's dspy_optimized) to evaluate, in dspy mode; nothing is
            optimised.
    """

    optimizer: Literal["bootstrap", "bootstrap_random_search", "miprov2", "gepa"] | None = None
    dspy_adapter: Literal["template", "chat"] | None = None
    reasoning: bool = False
    max_train_examples: int | None = None
    max_val_examples: int | None = None
    num_candidates: int | None = None
    num_trials: int | None = None
    max_optimizer_calls: int | None = None
    max_optimizer_tokens: int | None = None
    max_optimizer_seconds: float | None = None
    max_optimizer_cost: float | None = None
    program_path: Path | None = None

    def _refuse_what_only_programs_know(self) -> None:
        given = [f"--{name}" for name in DSPY_FIELDS if is_given(getattr(self, name))]
        if given:
            raise SettingsError(
                f"{', '.join(given)} would change nothing in --mode {self.mode}; leave it out, or use --mode dspy"
            )

    def _refuse_what_no_program_knows(self, *, priced: bool) -> None:
        """Settings of other modes, a search that would see reported rows, and a limit on money without prices."""
        usual = {field.name: field.default for field in dataclasses.fields(self)}
        given = [f"--{name}" for name in NOT_FOR_PROGRAMS if getattr(self, name) != usual[name]]
        given += ["--choice_by"] if self.choice_by == "ending" else []
        if given:
            raise SettingsError(
                f"{', '.join(given)} does not go with --mode dspy: labels come by likelihood, choices by letter, or "
                "with --reasoning as they are written; leave it out"
            )
        idle = [f"--{name}" for name in SEARCH_FLAGS if getattr(self, name) is not None]
        if self.program_path is not None and idle:
            raise SettingsError(
                f"{', '.join(idle)} would change nothing, for with --program_path nothing is optimised; leave it out"
            )
        if self.select_on == "validation":
            raise SettingsError(
                "--mode dspy with --select_on validation would choose the prompt on the rows that are reported; leave "
                "--select_on out, so that a development part is carved from train"
            )
        if self.max_optimizer_cost is not None and not priced:
            raise SettingsError(
                f"--max_optimizer_cost {self.max_optimizer_cost:g} needs --price_in and --price_out, what a million "
                "tokens read and written cost; or set --max_optimizer_calls"
            )

    def _program_settings(self, base_url: str | None) -> dict[str, Any]:
        """What was given for a program, and the engine's own defaults for what was not.

        Raises:
            SettingsError: they contradict each other.
        """
        given: dict[str, Any] = {name: getattr(self, own) for own, name in DSPY_FIELDS.items()}
        given |= {
            "base_url": base_url,
            "batch_size": self.batch_size,
            "max_new_tokens": self.max_new_tokens,
            "program": None if self.program_path is None else str(self.program_path),
        }
        asking: dict[str, Any] = {
            "checkpoint": self.model_name,
            "shots": self.num_few_shot,
            "max_length": self.max_length,
            "full_precision": self.no_fp16,
            "chat_template": self.chat_template,
        }
        given = {name: value for name, value in given.items() if value is not None}
        return dataclasses.asdict(OptimizedSettings(**(asking | given)))
