"""What an adapted LLM must know before it sees data."""

from __future__ import annotations

from dataclasses import dataclass, fields

from beatingbert.engines.llm.settings import LLMSettings
from beatingbert.errors import SettingsError

VERSION = 2  # attention by plain products; where oneDNN pays, products are summed in another order
TARGETS = ("qkvo", "all-linear")
METRICS = ("accuracy", "macro_f1", "mcc")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSettings(LLMSettings):
    """Settings of one adaptation, and of how the adapted model is asked, which are those of the llm engine.

    The learning rate, the linear schedule, the batch size and the weight decay are those with which Hu et al. (2021),
    LoRA, tables 11 and 12, adapt GPT-2 and GPT-3 (2e-4 for both, 8 examples and 0.01 for GPT-2). Dettmers et al.
    (2023), QLoRA, table 9, keep 2e-4 up to 13 B parameters.

    Attributes:
        rank: of the update's two factors.
        alpha: the update is scaled by alpha / rank; None becomes twice the rank.
        dropout: share of the adapters' inputs that is left out in training.
        target_modules: "qkvo" adapts the attention's projections under whatever names the family has for them,
            "all-linear" every linear layer but the output layer.
        learning_rate: peak of the linear schedule, reached after warm-up.
        train_batch_size: examples per forward pass in training; `batch_size` is for answering.
        gradient_accumulation_steps: forward passes per optimiser step.
        epochs: passes over train; the best one on the development part answers.
        metric_for_best: what that is told by: "accuracy", "macro_f1" or "mcc".
        warmup_share: share of all steps in which the learning rate rises.
        weight_decay: on the adapters' weights, the only ones that are trained.
        gradient_checkpointing: compute each layer twice instead of keeping what it computed: less memory, more time.
        adapter: folder of an adapter that has been trained already; nothing is trained then.
        merge: whether to write the adapted model as a checkpoint of its own.
    """

    rank: int = 16
    alpha: int | None = None
    dropout: float = 0.05
    target_modules: str = "qkvo"
    learning_rate: float = 2e-4
    train_batch_size: int = 8
    gradient_accumulation_steps: int = 1
    epochs: int = 3
    metric_for_best: str = "accuracy"
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    gradient_checkpointing: bool = False
    adapter: str | None = None
    merge: bool = False

    def __post_init__(self) -> None:
        LLMSettings.__post_init__(self)
        if self.alpha is None:
            object.__setattr__(self, "alpha", 2 * self.rank)
        for name in ("rank", "alpha", "train_batch_size", "gradient_accumulation_steps", "epochs"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("dropout", "warmup_share"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingsError(f"{name} must lie in [0, 1), got {getattr(self, name)}")
        if not 0 < self.learning_rate < 1:
            raise SettingsError(f"learning_rate must lie between 0 and 1, got {self.learning_rate}")
        if self.weight_decay < 0:
            raise SettingsError(f"weight_decay must not be negative, got {self.weight_decay}")
        if self.metric_for_best not in METRICS:
            raise SettingsError(f"metric_for_best must be one of {', '.join(METRICS)}, got {self.metric_for_best!r}")
        if self.target_modules not in TARGETS:
            raise SettingsError(f"lora_targets must be one of {', '.join(TARGETS)}, got {self.target_modules!r}")
        if self.shots > 0:
            raise SettingsError(
                f"an adapted model is asked without demonstrations, got {self.shots}: what they would show is learnt"
            )
        if self.calibration != "none":
            raise SettingsError(
                f"calibration {self.calibration!r} takes out a bias that training takes out already; leave it out"
            )

    def asking(self) -> LLMSettings:
        """How the adapted model is asked."""
        return LLMSettings(**{field.name: getattr(self, field.name) for field in fields(LLMSettings)})
