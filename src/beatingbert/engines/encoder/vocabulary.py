"""Training with the rows of the embedding that the data use, which is exact and often halves the optimiser's work.

A token that no row of the data contains has no gradient, so all that AdamW does to it is to shrink it by the weight
decay. Its row need not take part: clearing, clipping and updating the gradients of 30,522 rows (BERT) or 128,100
(DeBERTa-v3) costs as much as a small model's whole backward pass, whatever the batch holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

WORTH = 0.75  # of the vocabulary; with more of it in use, nothing is gained


class TrimmedEmbedding(nn.Module):
    """The rows in use of an embedding, and one witness.

    The witness is a row of ones that no token reads. It goes through the optimiser like the others, so at any time it
    holds the factor by which weight decay has shrunk the rows that stayed away.

    Args:
        whole: the embedding to take rows from.
        used: the ids in use.
    """

    _places: torch.Tensor

    def __init__(self, whole: nn.Embedding, used: Iterable[int]) -> None:
        super().__init__()
        weights = whole.weight.detach()
        padding = [] if whole.padding_idx is None else [whole.padding_idx]
        ids = torch.tensor(sorted({*used, *padding}), device=weights.device)
        self.weight = nn.Parameter(torch.cat([weights[ids], torch.ones_like(weights[:1])]))
        self._whole = [whole]  # in a list, so that it is no part of the module
        self._ids = ids
        places = torch.full((len(weights),), -1, device=weights.device)
        places[ids] = torch.arange(len(ids), device=weights.device)
        self.register_buffer("_places", places, persistent=False)
        self.padding_idx = None if whole.padding_idx is None else int(places[whole.padding_idx])

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Rows for ids of any shape; an id that was not announced as used is an IndexError."""
        return nn.functional.embedding(self._places[ids], self.weight, padding_idx=self.padding_idx)

    @torch.no_grad()
    def whole(self) -> nn.Embedding:
        """The embedding as it would be had all rows been trained."""
        whole = self._whole[0]
        trained = nn.Embedding(
            whole.num_embeddings, whole.embedding_dim, padding_idx=whole.padding_idx, _weight=whole.weight.clone()
        )
        trained.weight *= self.weight[-1]
        trained.weight[self._ids] = self.weight[:-1]
        return trained.to(whole.weight.device)


def trim(model: Any, used: set[int]) -> None:
    """Train only the embedding rows of these ids from now on; does nothing where that is impossible or gains nothing.

    Args:
        model: with a plain embedding that no other layer shares.
        used: every id that the model will read until `restore`.
    """
    whole = model.get_input_embeddings()
    if type(whole) is not nn.Embedding or whole.max_norm is not None or not whole.weight.requires_grad:
        return
    names = [name for name, weights in model.named_parameters(remove_duplicate=False) if weights is whole.weight]
    if len(names) == 1 and len(used) <= WORTH * whole.num_embeddings:
        model.set_input_embeddings(TrimmedEmbedding(whole, used))


def restore(model: Any) -> None:
    """Give the model its whole embedding back."""
    trimmed = model.get_input_embeddings()
    if isinstance(trimmed, TrimmedEmbedding):
        model.set_input_embeddings(trimmed.whole())


@contextmanager
def whole_vocabulary(model: Any) -> Iterator[None]:
    """The model with its whole embedding, for as long as it takes to save it."""
    trimmed = model.get_input_embeddings()
    restore(model)
    try:
        yield
    finally:
        model.set_input_embeddings(trimmed)
