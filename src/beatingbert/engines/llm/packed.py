"""Many trees in one forward pass, without padding and after a prefix that is read only once.

The tokens of all trees lie one after another in a single row, so that every linear layer works on real tokens only.
Inside attention alone they are laid out by tree, where each token sees the shared prefix and its own ancestors. The
prefix's keys and values are kept once, whatever the number of trees.

It works for every model that takes its attention from transformers' registry and its positions as an argument. Whether
it gives the model's own numbers is not assumed but tried: see `agrees_with`.

Source: shared-prefix attention after Juravsky et al. (2024), Hydragen; tree attention after Miao et al. (2024),
SpecInfer, section 4.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface

from beatingbert.engines.llm.tree import Tree

NAME = "beatingbert_packed"
ROUND_TO = 32  # tokens; few different shapes mean few kernels to prepare
KeysValues = dict[int, tuple[torch.Tensor, torch.Tensor]]


@dataclass(slots=True)
class Prefix:
    """Tokens that were read once for all.

    Attributes:
        tokens: their ids.
        layers: layer to its keys and values, each of shape (1, key heads, tokens, width).
    """

    tokens: tuple[int, ...] = ()
    layers: KeysValues = field(default_factory=dict)


@dataclass(slots=True)
class _Layout:
    """Where the tokens of one pack lie.

    Attributes:
        gather: shape (trees * longest,), for each place of each tree the index of its token in the pack.
        scatter: shape (tokens,), the place of each token of the pack among the trees' places.
        seen: shape (trees, longest, longest), whether the token at a place sees that at another of its tree.
        dtype: of the scores that the mask is added to.
        depths: shape (trees, longest), position of each token in its text.
        prefix: what every tree comes after.
        record: whether the keys and values are to be kept as a new prefix.
    """

    gather: torch.Tensor
    scatter: torch.Tensor
    seen: torch.Tensor
    depths: torch.Tensor
    dtype: torch.dtype
    prefix: Prefix
    record: KeysValues | None = None
    masks: dict[int | None, torch.Tensor] = field(default_factory=dict)

    def mask(self, window: int | None) -> torch.Tensor:
        """What may be seen, given a sliding window of so many tokens; made once for all layers.

        Returns:
            Shape (trees, 1, longest, prefix + longest), 0 where a token may be seen and minus infinity elsewhere.
        """
        if window not in self.masks:
            count, longest = self.depths.shape
            length = len(self.prefix.tokens)
            before = torch.ones((count, longest, length), dtype=torch.bool, device=self.seen.device)
            mask = torch.cat([before, self.seen], dim=-1)
            if window is not None:
                places = torch.arange(length, device=self.seen.device).expand(count, length)
                depths = torch.cat([places, self.depths], dim=-1)
                mask = mask & (depths[:, None, :] > self.depths[:, :, None] - window)
            hidden = torch.zeros(mask.shape, dtype=self.dtype, device=mask.device).masked_fill_(~mask, -torch.inf)
            self.masks[window] = hidden[:, None]
        return self.masks[window]


_layouts: list[_Layout] = []  # the one in use is the last; attention functions are called by transformers, not by us


@contextmanager
def _using(layout: _Layout) -> Iterator[None]:
    _layouts.append(layout)
    try:
        yield
    finally:
        _layouts.pop()


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
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of one layer over a pack; called by transformers with one row of shape (1, heads, tokens, width)."""
    layout = _layouts[-1]
    if layout.record is not None:
        layout.record[module.layer_idx] = (key, value)
    count, longest = layout.depths.shape
    query, key, value = (
        tensor[0].index_select(1, layout.gather).unflatten(1, (count, longest)).transpose(0, 1)
        for tensor in (query, key, value)
    )
    if layout.prefix.tokens:
        before = [kept.expand(count, -1, -1, -1) for kept in layout.prefix.layers[module.layer_idx]]
        key, value = torch.cat([before[0], key], dim=2), torch.cat([before[1], value], dim=2)
    mask = layout.mask(sliding_window)
    if softcap is None:
        grouped = query.shape[1] != key.shape[1]
        mixed = torch.nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, scale=scaling, enable_gqa=grouped
        )
    else:
        mixed = _capped(query, key, value, mask, scaling, softcap)
    flat = mixed.transpose(1, 2).flatten(0, 1).index_select(0, layout.scatter)
    return flat[None], None


def _capped(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor,
    scaling: float | None,
    softcap: float,
) -> torch.Tensor:
    """Attention whose scores are bent towards +-softcap before the softmax, as in Gemma 2."""
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scores = query @ key.transpose(2, 3) * (scaling or query.shape[-1] ** -0.5)
    scores = softcap * torch.tanh(scores / softcap)
    weights = (scores + mask).softmax(dim=-1, dtype=torch.float32)
    return weights.to(query.dtype) @ value


AttentionInterface.register(NAME, _attend)
AttentionMaskInterface.register(NAME, lambda *_, **__: None)  # the layout has the mask


class PackedReader:
    """Reads trees with one model.

    Args:
        model: a causal language model in evaluation mode.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._device = next(model.parameters()).device
        self._last_mlp = _last_mlp(model)

    @torch.inference_mode()
    def read_prefix(self, tokens: Sequence[int]) -> Prefix:
        """Read tokens that many trees will come after."""
        chain = Tree(list(tokens), list(range(-1, len(tokens) - 1)), list(range(len(tokens))), trunk=len(tokens))
        layers: KeysValues = {}
        self._forward([chain], Prefix(), [0], record=layers)
        return Prefix(
            tuple(tokens),
            {at: (key[:, :, : len(tokens)], value[:, :, : len(tokens)]) for at, (key, value) in layers.items()},
        )

    @torch.inference_mode()
    def read(self, trees: Sequence[Tree], prefix: Prefix, places: Sequence[int]) -> torch.Tensor:
        """The last hidden states at some places of all trees' tokens, one tree after another; shape (places, width)."""
        return self._forward(trees, prefix, places, record=None)

    def _forward(
        self, trees: Sequence[Tree], prefix: Prefix, places: Sequence[int], *, record: KeysValues | None
    ) -> torch.Tensor:
        tokens = [token for tree in trees for token in tree.tokens]
        depths = [depth for tree in trees for depth in tree.depths]
        filling = -len(tokens) % ROUND_TO
        ids = torch.tensor([tokens + [0] * filling], device=self._device)
        positions = torch.tensor([depths + [0] * filling], device=self._device)
        layout = _lay_out(trees, prefix, filling, self._device, self._model.dtype)
        layout.record = record
        before = self._model.config._attn_implementation
        self._model.set_attn_implementation(NAME)
        try:
            rows = torch.tensor(places, device=self._device)
            with _using(layout), _only_at(rows, self._last_mlp):
                output = self._model.base_model(input_ids=ids, position_ids=positions, use_cache=False)
        finally:
            self._model.set_attn_implementation(before)
        hidden: torch.Tensor = output.last_hidden_state
        return hidden[0, rows]


def _last_mlp(model: Any) -> torch.nn.Module | None:
    """The last layer's feed-forward part, where it goes by the usual name."""
    count = getattr(model.config.get_text_config(), "num_hidden_layers", None)
    stacks = [one for one in model.base_model.modules() if isinstance(one, torch.nn.ModuleList) and len(one) == count]
    found = getattr(stacks[0][-1], "mlp", None) if stacks else None
    return found if isinstance(found, torch.nn.Module) else None


@contextmanager
def _only_at(rows: torch.Tensor, mlp: torch.nn.Module | None) -> Iterator[None]:
    """Within it a feed-forward part answers for these tokens of the pack only, and 0 for the others.

    In the last layer nobody asks for the others; it is two thirds of the layer.
    """
    if mlp is None:
        yield
        return
    whole = mlp.forward

    def forward(hidden: torch.Tensor) -> torch.Tensor:
        answer = torch.zeros_like(hidden)
        answer[:, rows] = whole(hidden[:, rows])
        return answer

    mlp.forward = forward
    try:
        yield
    finally:
        del mlp.forward  # the class's own is found again


def _lay_out(trees: Sequence[Tree], prefix: Prefix, filling: int, device: torch.device, dtype: torch.dtype) -> _Layout:
    longest = max(map(len, trees))
    gather = torch.zeros((len(trees), longest), dtype=torch.long)
    depths = torch.zeros((len(trees), longest), dtype=torch.long)
    seen = torch.ones((longest, longest), dtype=torch.bool).tril_().repeat(len(trees), 1, 1)
    scatter: list[int] = []
    start = 0
    for row, tree in enumerate(trees):
        gather[row, : len(tree)] = torch.arange(start, start + len(tree))
        depths[row, : len(tree)] = torch.tensor(tree.depths)
        scatter += range(row * longest, row * longest + len(tree))
        for place in range(tree.trunk, len(tree)):  # a branch sees its ancestors, not its elder cousins
            parent = tree.parents[place]
            seen[row, place] = seen[row, parent] if parent >= 0 else False
            seen[row, place, place] = True
        start += len(tree)
    scatter += [0] * filling  # tokens that only fill up the shape may be given any answer
    return _Layout(
        gather=gather.flatten().to(device),
        scatter=torch.tensor(scatter, device=device),
        seen=seen.to(device),
        depths=depths.to(device),
        dtype=dtype,
        prefix=prefix,
    )
