"""Samples that keep the shares of the classes. Knows examples and a seed, nothing of files.

Every draw is built on `random.Random(<text>).random()`, the one sequence that Python promises to keep from version to
version (`shuffle` and `sample` may change), so a seed names the same rows on every machine. The text that seeds it
holds the purpose as well, so that drawing and carving with one seed are independent of each other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from random import Random
from typing import TypeVar

from beatingbert.errors import SettingsError
from beatingbert.tasks.example import Example, Question

Item = TypeVar("Item")

FEWEST_ROWS_TO_CARVE = 10


def text_key(question: Question) -> Hashable:
    """What makes two questions the same text: blanks collapsed, case folded, choices included."""
    return tuple(" ".join(text.split()).casefold() for text in (*question.texts.values(), *question.choices))


def draw_stratified(examples: Sequence[Example], size: int, *, seed: int) -> list[Example]:
    """A sample with the class shares of the whole.

    Args:
        examples: any order, sorted by class too.
        size: how many to draw. As many as there are, or more, returns all.
        seed: names the sample. With one seed a smaller sample lies wholly within a larger one, so that a learning curve
            tells of more rows, not of other rows.

    Returns:
        `size` examples in their original relative order (not shuffled: whoever trains shuffles by its own seed).
        Each class gets its share, and at least one example where `size` allows one for each; see `nested_quotas`.

    Raises:
        SettingsError: size is below 1.
    """
    if size < 1:
        raise SettingsError(f"a sample holds at least 1 example, got size {size}")
    if size >= len(examples):
        return list(examples)
    quotas = nested_quotas(Counter(example.label for example in examples), size)
    positions: dict[str, list[int]] = defaultdict(list)
    for position, example in enumerate(examples):
        positions[example.label].append(position)
    random = Random(f"draw {seed}")
    kept = [at for label in sorted(quotas) for at in _shuffled(positions[label], random)[: quotas[label]]]
    return [examples[position] for position in sorted(kept)]


def draw_uniform(items: Sequence[Item], size: int, *, seed: int) -> list[Item]:
    """A sample of rows that have no label, in their original relative order; all of them where `size` is enough.

    Raises:
        SettingsError: size is below 1.
    """
    if size < 1:
        raise SettingsError(f"a sample holds at least 1 row, got size {size}")
    kept = _shuffled(range(len(items)), Random(f"draw {seed}"))[:size]
    return [items[position] for position in sorted(kept)]


def carve_development(
    train: Sequence[Example], *, seed: int, share: float = 0.1, most: int = 2000
) -> tuple[list[Example], list[Example]]:
    """Split train into what is learnt from and what settings are chosen on.

    Args:
        train: the labelled budget.
        seed: names the part.
        share: part of train, above 0 and below 1, rounded to whole rows.
        most: upper limit in rows.

    Returns:
        (train, development), both in their original relative order, together exactly the rows given. The part is
        stratified. Rows of one text stay on one side, and rows whose text carries two labels stay in train. Every
        class stays in train. Under 10 rows development is empty: so few rows choose nothing.

    Raises:
        SettingsError: share or most is out of range.
    """
    if not 0 < share < 1:
        raise SettingsError(f"share must lie between 0 and 1, got {share}")
    if most < 1:
        raise SettingsError(f"most must be at least 1 row, got {most}")
    if len(train) < FEWEST_ROWS_TO_CARVE:
        return list(train), []
    return split_off(train, min(most, max(1, round(share * len(train)))), purpose=f"development {seed}")


def split_off(examples: Sequence[Example], size: int, *, purpose: str) -> tuple[list[Example], list[Example]]:
    """Take a stratified part away, never parting rows of one text.

    Args:
        examples: any order.
        size: how many rows to take. Fewer are taken where groups of equal texts do not fit, or where a class would
            lose its last text.
        purpose: seeds the draw.

    Returns:
        (kept, taken), both in their original relative order. No text is in both; every class is in `kept`.
    """
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for position, example in enumerate(examples):
        groups[text_key(example.question)].append(position)
    of_class: dict[str, list[list[int]]] = defaultdict(list)
    for group in groups.values():
        labels = {examples[position].label for position in group}
        if len(labels) == 1:  # a text with two labels would make a poor judge; it stays in `kept`
            of_class[labels.pop()].append(group)
    random = Random(purpose)
    taken: set[int] = set()
    counts = Counter(example.label for example in examples)
    for label, quota in sorted(share_out(counts, min(size, len(examples))).items()):
        candidates = _shuffled(of_class[label], random)
        for group in candidates[1:]:  # the first stays, so the class does
            if len(group) <= quota:
                taken.update(group)
                quota -= len(group)
    return (
        [example for position, example in enumerate(examples) if position not in taken],
        [examples[position] for position in sorted(taken)],
    )


def nested_quotas(counts: Mapping[str, int], size: int) -> dict[str, int]:
    """How many of `size` each class gets, so that no class ever gets fewer of a larger size.

    Largest remainders, as `share_out` takes them, do not promise that (the Alabama paradox). Here rows are given out
    one by one: first one to each class, the largest first, then each to the class of largest count / (2 * quota + 1),
    the method of Webster and Sainte-Lague (Balinski and Young, Fair Representation, 1982).

    Args:
        counts: class to how many there are, all positive.
        size: at most the sum of the counts.

    Returns:
        Class to quota; quotas sum to `size` and none exceeds its count. Ties go to the class whose name sorts first.
    """
    quotas = dict.fromkeys(sorted(counts), 0)
    for name in sorted(counts, key=lambda one: (-counts[one], one))[:size]:
        quotas[name] = 1
    # (-priority, name) of every class; for counts below 10**7 floats tie exactly where the true quotients do
    waiting = [(-counts[name] / 3, name) for name in counts if counts[name] > 1]
    heapify(waiting)
    for _ in range(size - sum(quotas.values())):
        _, name = heappop(waiting)
        quotas[name] += 1
        if quotas[name] < counts[name]:
            heappush(waiting, (-counts[name] / (2 * quotas[name] + 1), name))
    return quotas


def share_out(counts: Mapping[str, int], size: int) -> dict[str, int]:
    """How many of `size` each class gets: by largest remainder, at least one each where `size` allows.

    Args:
        counts: class to how many there are, all positive.
        size: at most the sum of the counts.

    Returns:
        Class to quota; quotas sum to `size` and none exceeds its count. Ties go to the class whose name sorts first.
    """
    total = sum(counts.values())
    names = sorted(counts)
    quotas = {name: size * counts[name] // total for name in names}
    by_remainder = sorted(names, key=lambda name: (-(size * counts[name] % total), name))
    for name in by_remainder[: size - sum(quotas.values())]:
        quotas[name] += 1
    if size >= len(names):
        for name in names:
            if quotas[name] == 0:
                richest = max(names, key=lambda other: quotas[other])
                quotas[richest] -= 1
                quotas[name] = 1
    return quotas


def _shuffled(items: Iterable[Item], random: Random) -> list[Item]:
    keyed = [(random.random(), position, item) for position, item in enumerate(items)]
    return [item for _, _, item in sorted(keyed, key=lambda entry: entry[:2])]
