"""What a run of a baseline without a checkpoint is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from beatingbert.experiments.config.run import RunConfig


@dataclass(frozen=True, kw_only=True)
class LinearConfig(RunConfig):
    """Train the baseline everyone forgets: TF-IDF with logistic regression.

    Attributes:
        max_ngram: Longest word sequence that counts as a feature.
        min_count: Train rows in which a feature must occur.
    """

    max_ngram: int = 2
    min_count: int = 1

    @property
    def engine(self) -> str:
        """Always the same."""
        return "linear"

    @property
    def model(self) -> str:
        """The engine's name: there is no checkpoint."""
        return "linear"

    def engine_settings(self) -> dict[str, Any]:
        """As `LinearSettings` wants them."""
        return {"max_ngram": self.max_ngram, "min_count": self.min_count}


@dataclass(frozen=True, kw_only=True)
class MajorityConfig(RunConfig):
    """Answer everything with the most frequent label of train: the floor."""

    @property
    def engine(self) -> str:
        """Always the same."""
        return "majority"

    @property
    def model(self) -> str:
        """The engine's name: there is no checkpoint."""
        return "majority"

    def engine_settings(self) -> dict[str, Any]:
        """There is nothing to set."""
        return {}
