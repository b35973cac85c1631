"""What is asked of a decision: what decides, under which limits, and what does not matter."""

from __future__ import annotations

from dataclasses import dataclass, field

from beatingbert.decision.limits import Limits
from beatingbert.decision.trials import Metric
from beatingbert.errors import SettingsError
from beatingbert.report.prices import Prices, read_prices


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is asked of a decision.

    Attributes:
        metric: what decides.
        limits: what an answer may take.
        margin: up to which a difference does not matter, as a fraction.
        seed: of every draw.
        prices: what costs are reckoned with.
    """

    metric: Metric = "macro_f1"
    limits: Limits = field(default_factory=Limits)
    margin: float = 0.01
    seed: int = 99
    prices: Prices = field(default_factory=read_prices)

    def __post_init__(self) -> None:
        if not 0 <= self.margin < 1:
            raise SettingsError(f"--margin is a fraction from 0 to below 1, e.g. 0.01 for one point; got {self.margin}")
