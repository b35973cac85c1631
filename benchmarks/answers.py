"""What a contestant hands back, and the seam behind which every peer stands."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from beatingbert.engines.llm.wording import Asked

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Exactly what is asked of one checkpoint, the same for all contestants.

    Attributes:
        asked: prompts with their answers.
        bos: ids before every prompt.
        opening: ids that prompts begin with, `bos` included.
        by_length: whether log-likelihoods are compared per byte of the answer, as for endings of different length.
    """

    asked: Sequence[Asked]
    bos: Sequence[int]
    opening: Sequence[int]
    by_length: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What came back for every question, in the order asked.

    Attributes:
        seconds: wall-clock time of the work itself.
        labels: the label chosen; None where a reply named none.
        log_likelihoods: label to the natural logarithm of its probability; None where the contestant has none.
        how: settings that a reader should know, e.g. the batch size.
    """

    seconds: float
    labels: Sequence[str | None]
    log_likelihoods: Sequence[Mapping[str, float]] | None = None
    how: str = ""


class Peer(Protocol):
    """One contestant with one checkpoint, loaded and ready."""

    @property
    def name(self) -> str:
        """Who it is, with version and precision."""

    def answer(self, material: Material) -> Answers:
        """Warm up, then answer everything and time it."""


class PeerFactory(Protocol):
    """How a peer is found and opened."""

    def missing(self) -> str | None:
        """Why it cannot run here and what to do about it; None if it can."""

    def open(self, reference: str, folder: Path, device: str) -> Peer:
        """Load it.

        Args:
            reference: the checkpoint as a user names it.
            folder: where it lies as safetensors.
            device: "cpu", "cuda" or "mps".
        """


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds and result of one call."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def most_likely(material: Material, log_likelihoods: Sequence[Mapping[str, float]]) -> list[str]:
    """The label of every question with the largest log-likelihood, per byte where the material says so."""
    chosen = []
    for one, scores in zip(material.asked, log_likelihoods, strict=True):
        size = {label: len(words.encode()) if material.by_length else 1 for label, words in one.answers.items()}
        chosen.append(max(scores, key=lambda label: scores[label] / size[label]))
    return chosen


def whole_rows(tokenizer: Any, material: Material) -> list[tuple[list[int], dict[str, list[int]]]]:
    """For every question its context and each label's own tokens, split where the token boundary falls."""
    rows = []
    for one in material.asked:
        texts = [one.text, *(one.text + words for words in one.answers.values())]
        prompt, *whole = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        shared = 0
        for column in zip(prompt, *whole, strict=False):
            if len(set(column)) > 1:
                break
            shared += 1
        shared = min(shared, min(map(len, whole)) - 1)
        own = {label: ids[shared:] for label, ids in zip(one.answers, whole, strict=True)}
        rows.append(([*material.bos, *prompt[:shared]], own))
    return rows


def agreement(one: Sequence[str | None], other: Sequence[str | None]) -> float:
    """Share of questions that were answered alike."""
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)


def largest_difference(one: Sequence[Mapping[str, float]], other: Sequence[Mapping[str, float]]) -> float:
    """The largest difference of two log-likelihoods of the same label of the same question, in nats."""
    return max(abs(a[label] - b[label]) for a, b in zip(one, other, strict=True) for label in a)
