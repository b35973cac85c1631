"""Trees read as plain rows, padded on the right: slower than packs, but any causal model can do it.

Each label's path is a row of its own; rows that are the same are read once. A causal model never looks at what comes
later, so padding on the right cannot change a score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from beatingbert.engines.llm.tree import Reading, Tree


class PaddedReader:
    """Reads trees with one model, through its ordinary forward pass.

    Args:
        model: a causal language model in evaluation mode.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._device = next(model.parameters()).device

    @torch.inference_mode()
    def score(self, trees: Sequence[Tree]) -> list[list[float]]:
        """The log-probability of every reading of every tree, over the whole vocabulary, in fp32."""
        rows: dict[tuple[int, ...], list[tuple[int, int, int, int]]] = {}
        for number, tree in enumerate(trees):
            for at, (path, place, one) in enumerate(_paths(tree)):
                rows.setdefault(path, []).append((number, at, place, one.token))
        values = [[0.0] * len(tree.readings) for tree in trees]
        width = max(map(len, rows))
        ids = torch.zeros((len(rows), width), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, path in enumerate(rows):
            ids[row, : len(path)] = torch.tensor(path)
            mask[row, : len(path)] = 1
        wanted = [(row, *one) for row, group in enumerate(rows.values()) for one in group]
        places = sorted({place for _, _, _, place, _ in wanted})
        logits = self._model(
            input_ids=ids.to(self._device),
            attention_mask=mask.to(self._device),
            logits_to_keep=torch.tensor(places, device=self._device),
            use_cache=False,
        ).logits
        kept = logits.shape[1] == len(places)  # some models keep all of them, whatever they are asked
        columns = {place: column if kept else place for column, place in enumerate(places)}
        row_of = torch.tensor([row for row, *_ in wanted], device=self._device)
        column_of = torch.tensor([columns[place] for _, _, _, place, _ in wanted], device=self._device)
        token_of = torch.tensor([token for *_, token in wanted], device=self._device)
        found = torch.log_softmax(logits[row_of, column_of].float(), dim=-1).gather(1, token_of[:, None])[:, 0]
        for (_, number, at, _, _), value in zip(wanted, found.tolist(), strict=True):
            values[number][at] = value
        return values


def _paths(tree: Tree) -> list[tuple[tuple[int, ...], int, Reading]]:
    """For each reading, the longest row that contains it, its place in that row, and itself."""
    deepest: dict[int, int] = {}
    for one in tree.readings:
        deepest[one.label] = max(one.place, deepest.get(one.label, 0))  # children come after their parents
    paths = {label: _ancestors(tree, place) for label, place in deepest.items()}
    return [
        (tuple(tree.tokens[place] for place in paths[one.label]), paths[one.label].index(one.place), one)
        for one in tree.readings
    ]


def _ancestors(tree: Tree, place: int) -> list[int]:
    """Places from the first token to this one."""
    path = []
    while place >= 0:
        path.append(place)
        place = tree.parents[place]
    return path[::-1]
