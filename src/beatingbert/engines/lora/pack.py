"""A batch in one row of tokens without padding, in which what all examples begin with stands only once.

The adapters change at every step, so nothing can be kept from one step to the next. Within a step, though, the words
that all prompts of a batch begin with are the same text before the same weights: they are read once, and the gradients
of all examples meet there. Every linear layer works on real tokens only; inside attention alone the examples are laid
out apart, each after the common beginning.

It works for every family that takes its attention from transformers' registry and its positions as an argument; whether
it gives the model's own numbers is tried before training (`AnswerLoss._agrees`).

Source: shared-prefix attention after Juravsky et al. (2024), Hydragen, here with gradients.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface

from beatingbert.engines.attention import mix
from beatingbert.engines.lora.rows import Row

NAME = "beatingbert_shared_beginning"


@dataclass(slots=True)
class Pack:
    """One batch.

    Attributes:
        ids, positions: shape (1, tokens): the common beginning, then what is left of each example.
        shared: tokens of the common beginning.
        gather: shape (examples, longest), the index in the pack of each place of each example; filled up with the index
            of a token that is read but never looked at.
        scatter: shape (tokens - shared,), the place of each token after the beginning among all places.
        read_at: shape (scored tokens,), after which token of the pack each scored one is predicted.
        targets: shape (scored tokens,), their ids.
        examples: how many.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    shared: int
    gather: torch.Tensor
    scatter: torch.Tensor
    read_at: torch.Tensor
    targets: torch.Tensor
    examples: int
    masks: dict[int | None, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    def to(self, device: torch.device) -> Pack:
        """The same on a device."""
        tensors = ("ids", "positions", "gather", "scatter", "read_at", "targets")
        return replace(self, masks={}, **{name: getattr(self, name).to(device) for name in tensors})

    def mask(self, window: int | None, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        """What may be seen, given a sliding window of so many tokens: 0, and minus infinity for what may not.

        Returns:
            For the common beginning, shape (1, 1, shared, shared), and for what comes after it,
            (1, 1, longest, shared + longest).
        """
        if window not in self.masks:
            whole = self.shared + self.gather.shape[1]
            seen = torch.ones((whole, whole), dtype=torch.bool, device=self.ids.device).tril_()
            if window is not None:
                seen = seen.triu_(1 - window)
            hidden = torch.zeros((1, 1, whole, whole), dtype=dtype, device=seen.device).masked_fill_(~seen, -torch.inf)
            self.masks[window] = hidden[:, :, : self.shared, : self.shared], hidden[:, :, self.shared :]
        return self.masks[window]


def make_pack(rows: Sequence[Row], *, share: bool = True) -> Pack:
    """Lay a batch out, on the processor.

    Args:
        rows: the batch.
        share: whether the common beginning is read only once.
    """
    shared = _common_beginning(rows) if share else 0
    rests = [row.read[shared:] for row in rows]
    starts = list(itertools.accumulate(map(len, rests), initial=shared))
    longest = max(map(len, rests))
    gather = torch.full((len(rows), longest), shared, dtype=torch.long)
    scatter: list[int] = []
    read_at: list[int] = []
    for number, (row, rest, start) in enumerate(zip(rows, rests, starts, strict=False)):
        gather[number, : len(rest)] = torch.arange(start, start + len(rest))
        scatter += range(number * longest, number * longest + len(rest))
        first = start + len(row.context) - shared - 1
        read_at += range(first, first + len(row.answer))
    ids = [*rows[0].read[:shared], *itertools.chain.from_iterable(rests)]
    positions = [*range(shared), *(shared + at for rest in rests for at in range(len(rest)))]
    return Pack(
        ids=torch.tensor([ids]),
        positions=torch.tensor([positions]),
        shared=shared,
        gather=gather,
        scatter=torch.tensor(scatter),
        read_at=torch.tensor(read_at),
        targets=torch.tensor([token for row in rows for token in row.answer]),
        examples=len(rows),
    )


def _common_beginning(rows: Sequence[Row]) -> int:
    """Tokens that all contexts begin with; the token after which an answer begins is always the example's own."""
    alike = itertools.takewhile(
        lambda column: all(token == column[0] for token in column),
        zip(*(row.context[:-1] for row in rows), strict=False),
    )
    return sum(1 for _ in alike)


_current: list[Pack] = []  # attention functions are called by transformers, not by us, so the pack waits here


@contextmanager
def shared_attention(model: Any) -> Iterator[None]:
    """Within it the model reads packs (`read`), also when layers are computed again for their gradients."""
    before = model.config._attn_implementation
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)
        _current.clear()


def read(model: Any, pack: Pack) -> torch.Tensor:
    """The last hidden states from which the scored tokens are predicted, shape (scored tokens, width)."""
    _current[:] = [pack]
    output = model.base_model(input_ids=pack.ids, position_ids=pack.positions, use_cache=False)
    hidden: torch.Tensor = output.last_hidden_state[0]
    return hidden[pack.read_at]


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of one layer over a pack; called by transformers with one row of shape (1, heads, tokens, width)."""
    pack = _current[0]
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    of_shared, of_rests = pack.mask(sliding_window, query.dtype)
    count = pack.examples
    own = [
        tensor[0].index_select(1, pack.gather.flatten()).unflatten(1, (count, -1)).transpose(0, 1)
        for tensor in (query, key, value)
    ]
    keys, values = (
        torch.cat([whole[:, :, : pack.shared].expand(count, -1, -1, -1), after], dim=2)
        for whole, after in ((key, own[1]), (value, own[2]))
    )
    mixed = mix(own[0], keys, values, of_rests, scale=scale, softcap=softcap, dropout=dropout)
    flat = mixed.transpose(1, 2).flatten(0, 1).index_select(0, pack.scatter)
    if pack.shared:
        query, key, value = (tensor[:, :, : pack.shared] for tensor in (query, key, value))
        first = mix(query, key, value, of_shared, scale=scale, softcap=softcap, dropout=dropout)
        flat = torch.cat([first[0].transpose(0, 1), flat])
    return flat[None], None


AttentionInterface.register(NAME, _attend)
AttentionMaskInterface.register(NAME, lambda *_, **__: None)  # the pack has the masks
