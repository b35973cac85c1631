"""Dropout for processors, several times as fast as torch's.

torch draws one 32-bit number per element and turns it into a float; here one 64-bit number serves four elements, each
compared as 16 bits. The kept share is therefore a multiple of 1/65,536 (0.1 becomes 0.100006), and what is kept is
scaled by exactly that share. On short texts dropout is a tenth of a small encoder's training step, on long ones most of
it, since attention weights grow with the square of the length.

Source: Srivastava et al. (2014), section 4; scaled in training, as torch does.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

STEPS = 65_536
NAME = "beatingbert_dropout"


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, probability: float) -> torch.Tensor:
        mask = draw_mask(values.shape, probability, dtype=values.dtype)
        ctx.save_for_backward(mask)
        return values * mask

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradients[0] * ctx.saved_tensors[0], None


def draw_mask(shape: torch.Size, probability: float, *, dtype: torch.dtype) -> torch.Tensor:
    """A mask of zeros and of 1 / (1 - probability), from torch's global generator of the processor."""
    count, threshold = shape.numel(), round(probability * STEPS)
    bits = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    kept = bits.view(torch.int16)[:count].view(shape) >= threshold - STEPS // 2
    return kept.to(dtype).mul_(STEPS / (STEPS - threshold))


class QuickDropout(nn.Dropout):
    """nn.Dropout, in training on a processor by `draw_mask`."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """The values, some of them dropped in training."""
        if not self.training or self.p == 0 or self.p == 1 or input.device.type != "cpu":
            return super().forward(input)
        dropped: torch.Tensor = _Drop.apply(input, self.p)
        return dropped


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
    """Attention of one layer; called by transformers. Without dropout it is torch's own."""
    causal = options.get("is_causal", getattr(module, "is_causal", False)) and attention_mask is None
    if not 0 < dropout < 1 or query.device.type != "cpu" or key.shape[1] != query.shape[1] or causal:
        found: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options
        )
        return found
    scores = query @ key.transpose(2, 3) * (scaling or query.shape[-1] ** -0.5)
    if attention_mask is not None:
        hidden = attention_mask.dtype == torch.bool
        scores = scores.masked_fill(~attention_mask, -torch.inf) if hidden else scores + attention_mask
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype)
    mixed = _Drop.apply(weights, dropout) @ value
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
