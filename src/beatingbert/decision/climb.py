"""A climb of the ladder: its trials, who left it and why, who got to the top, and who hears of it meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field

from beatingbert.decision.candidates import Candidate
from beatingbert.decision.trials import Trial


class Watch:
    """Hears how the ladder is climbed; this one does nothing with it."""

    def begins(self, candidate: Candidate, rows: int, expected: float, left: float) -> None:
        """A trial begins that is expected to take so many seconds."""

    def ends(self, trial: Trial, score: float, *, kept: bool = True) -> None:
        """It has ended; one that is not kept was to be better than an earlier one, which stays."""

    def leaves(self, candidate: Candidate, reason: str) -> None:
        """A candidate takes no further part."""


@dataclass(frozen=True, slots=True)
class Left:
    """A candidate that takes no further part, and why."""

    candidate: Candidate
    reason: str


@dataclass(slots=True, kw_only=True)
class Climb:
    """What came of it.

    Attributes:
        sizes: rows of each rung.
        trials: in the order in which they were made.
        left: who left the ladder, or was never on it, and why.
        finalists: who got to its top, best first on the development part.
        stopped: whether it was interrupted.
    """

    sizes: tuple[int, ...]
    trials: list[Trial] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    finalists: list[Candidate] = field(default_factory=list)
    stopped: bool = False

    def latest(self, candidate: Candidate) -> Trial | None:
        """The candidate's last trial."""
        return next((one for one in reversed(self.trials) if one.candidate is candidate), None)
