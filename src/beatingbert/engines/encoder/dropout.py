"""An encoder's dropout, in its layers and in its attention, several times as fast on a processor as torch's.

On short texts dropout is a tenth of a small encoder's training step, on long ones most of it, since attention weights
grow with the square of the length.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from beatingbert.engines.attention import mix
from beatingbert.engines.dropout import drop

NAME = "beatingbert_dropout"


class QuickDropout(nn.Dropout):
    """nn.Dropout, in training on a processor by `drop`."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """The values, some of them dropped in training."""
        if not self.training or self.p == 0 or self.p == 1 or input.device.type != "cpu":
            return super().forward(input)
        return drop(input, self.p)


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of one layer; called by transformers. What it is not made for goes to transformers' own way."""
    causal = options.get("is_causal", getattr(module, "is_causal", False)) and attention_mask is None
    if query.device.type != "cpu" or causal:
        found: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options
        )
        return found
    if attention_mask is not None and attention_mask.dtype == torch.bool:
        hidden = torch.zeros(attention_mask.shape, dtype=query.dtype)
        # Not infinity: a place that only fills a row up may see nothing at all, and must not become NaN.
        attention_mask = hidden.masked_fill_(~attention_mask, torch.finfo(query.dtype).min / 2)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    mixed = mix(query, key, value, attention_mask, scale=scale, dropout=dropout)
    return mixed.transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)


def quicken(model: Any) -> None:
    """Make a model on a processor drop quickly: its dropout layers, and its attention where that is torch's."""
    if next(model.parameters()).device.type != "cpu":
        return
    for module in model.modules():
        if type(module) is nn.Dropout:
            module.__class__ = QuickDropout
    if model.config._attn_implementation == "sdpa":
        model.set_attn_implementation(NAME)
