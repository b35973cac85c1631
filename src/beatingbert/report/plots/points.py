"""What a picture shows of one contender: plain numbers with a name and a look."""

from __future__ import annotations

from dataclasses import dataclass

from beatingbert.report.plots.style import Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One contender's score, and what it costs.

    Attributes:
        name: of the contender.
        look: of its kind.
        value, low, high: the score with its interval, in the unit of the axis.
        seeds: the score of each seed, where there are several.
        milliseconds: latency of one question; None where it is not known or not above 0.
    """

    name: str
    look: Look
    value: float
    low: float
    high: float
    seeds: tuple[float, ...] = ()
    milliseconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One way of training at several sizes of the train set.

    Attributes:
        name: of the way.
        look: of its kind.
        sizes: train rows, ascending.
        scores: per size, the score of each seed.
    """

    name: str
    look: Look
    sizes: tuple[int, ...]
    scores: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Someone whose score does not depend on what is across: it is drawn as a line."""

    name: str
    look: Look
    value: float
