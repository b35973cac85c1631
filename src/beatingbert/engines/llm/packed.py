"""Many trees in one forward pass, without padding and after a prefix that is read only once.

The tokens of all trees lie one after another in a single row, so that every linear layer works on real tokens only.
Inside attention alone they are laid out by tree, where each token sees the shared prefix and its own ancestors. The
prefix's keys and values are kept once, whatever the number of trees.

It works for every model that takes its attention from transformers' registry and its positions as an argument. Whether
it gives the model's own numbers is not assumed but tried: see `Scorer._agrees`.

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

from beatingbert.engines.attention import mix
from beatingbert.engines.llm.tree import Tree

NAME = "beatingbert_packed"
ROUND_TO = 32  # tokens; few different shapes mean few kernels to prepare
KeysValues = dict[int, tuple[torch.Tensor, torch.Tensor]]


@dataclass(slots=True)
class Prefix:
    """Tokens that were read once for all.

    Attributes:
        tokens: their ids.
        layers: layer to its keys and values, each of shape (tokens, key heads, width).
    """

    tokens: tuple[int, ...] = ()
    layers: KeysValues = field(default_factory=dict)


@dataclass(slots=True)
class _Layout:
    """Where the tokens of one pack lie.

    Attributes:
        gather: shape (trees, longest), for each place of each tree the index of its token in the pack.
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
    routes: dict[tuple[int, int], tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    def route(self, heads: int, key_heads: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Where each token's row of each head goes, so that rows move once, straight to where they are needed.

        Returns:
            For queries, shape (trees * heads * longest,), indices into rows ordered by token, then head; for keys and
            values, (trees * key heads * (prefix + longest),), the same with the prefix's rows before the pack's; and
            back, (tokens * heads,), indices into rows ordered by tree, head, place.
        """
        if (heads, key_heads) not in self.routes:
            device, longest, length = self.gather.device, self.gather.shape[1], len(self.prefix.tokens)
            before = torch.arange(length, device=device).expand(len(self.gather), length)
            seen = torch.cat([before, self.gather + length], dim=1)
            own, others = torch.arange(heads, device=device), torch.arange(key_heads, device=device)
            there = self.gather[:, None, :] * heads + own[:, None]
            keys = seen[:, None, :] * key_heads + others[:, None]
            tree, place = self.scatter // longest, self.scatter % longest
            back = (tree[:, None] * heads + own) * longest + place[:, None]
            self.routes[heads, key_heads] = there.flatten(), keys.flatten(), back.flatten()
        return self.routes[heads, key_heads]

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
    (heads, tokens, width), key_heads = query.shape[1:], key.shape[1]
    query, key, value = (tensor[0].transpose(0, 1) for tensor in (query, key, value))  # token, head, width
    if layout.record is not None:
        layout.record[module.layer_idx] = (key, value)
    if layout.prefix.tokens:
        before = layout.prefix.layers[module.layer_idx]
        key, value = torch.cat([before[0], key]), torch.cat([before[1], value])
    there, keys, back = layout.route(heads, key_heads)
    count, longest = layout.depths.shape
    query = query.reshape(-1, width).index_select(0, there).view(count, heads, longest, width)
    key, value = (
        rows.reshape(-1, rows.shape[-1]).index_select(0, keys).view(count, key_heads, -1, rows.shape[-1])
        for rows in (key, value)
    )
    scale = width**-0.5 if scaling is None else scaling
    mixed = mix(query, key, value, layout.mask(sliding_window), scale=scale, softcap=softcap)
    flat = mixed.reshape(-1, mixed.shape[-1]).index_select(0, back)
    return flat.view(1, tokens, heads, -1), None


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
            {at: (key[: len(tokens)], value[: len(tokens)]) for at, (key, value) in layers.items()},
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
        gather=gather.to(device),
        scatter=torch.tensor(scatter, device=device),
        seen=seen.to(device),
        depths=depths.to(device),
        dtype=dtype,
        prefix=prefix,
    )
