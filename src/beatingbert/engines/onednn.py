"""A model's linear layers as oneDNN multiplies fastest, for answering on processors where that is worth it.

torch gives fp32 products to MKL, which takes a slow path on processors that are not Intel's, and oneDNN rearranges
plain weights anew in every call. Here they are rearranged once. On an AMD EPYC with AVX-512 that is twice as fast in
fp32; in bf16 it is a fifth faster on many tokens and more than twice as fast on few. With AMX less is to be had
(docs/LOG.md), and there the layers stay as they are. The numbers are the same but for the order of summation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache, partial
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

ACTIVATIONS: dict[tuple[str, str], Callable[[torch.Tensor], torch.Tensor]] = {
    ("swish", ""): nn.functional.silu,
    ("gelu", "tanh"): partial(nn.functional.gelu, approximate="tanh"),
    ("gelu", "none"): nn.functional.gelu,
}
"""What oneDNN can apply to a product before it is written down, and what that is."""


def linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """`torch.nn.functional.linear` for weights that are not packed, because only some of their rows are needed."""
    if weight.dtype == torch.float32 and torch.is_inference_mode_enabled() and pays(weight.device.type):
        answer: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return answer
    return nn.functional.linear(x, weight, bias)


class PackedLinear(nn.Module):
    """A linear layer for answering: its weights cannot be trained.

    Args:
        weight: shape (out_features, in_features), fp32 or bf16, on the processor.
        bias: shape (out_features,), or None.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self._packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), None)
        self._bias = None if bias is None else bias.detach().to(weight.dtype)

    @property
    def weight(self) -> torch.Tensor:
        """The weights as they were, unpacked for whoever asks; a copy."""
        plain: torch.Tensor = self._packed.to_dense()
        return plain

    @property
    def dtype(self) -> torch.dtype:
        """What the layer computes in."""
        dtype: torch.dtype = self._packed.dtype
        return dtype

    @property
    def bias(self) -> torch.Tensor | None:
        """The bias as it was."""
        return self._bias

    def forward(self, x: torch.Tensor, activation: tuple[str, str] = ("none", "")) -> torch.Tensor:
        """The layer's answer, shape (..., out_features), in the weights' format, as under autocast.

        Args:
            x: shape (..., in_features).
            activation: one of `ACTIVATIONS`, applied on the way.
        """
        name, kind = activation
        x = x.to(self._packed.dtype)
        answer: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, self._packed, self._bias, name, [], kind)
        return answer

    def times(self, x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """The layer's answer multiplied with another tensor of its shape on the way."""
        x = x.to(self._packed.dtype)
        answer: torch.Tensor = torch.ops.mkldnn._linear_pointwise.binary(x, other, self._packed, self._bias, "mul")
        return answer


class GatedMlp(nn.Module):
    """The feed-forward part of Llama's, Qwen's and Gemma's layers, its element-wise steps done inside the products.

    Source: Shazeer (2020), GLU Variants Improve Transformer, section 2.
    """

    def __init__(self, mlp: Any, activation: tuple[str, str]) -> None:
        super().__init__()
        self.gate_proj, self.up_proj, self.down_proj = mlp.gate_proj, mlp.up_proj, mlp.down_proj
        self._activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The same as the part it replaces, rounded less often."""
        answer: torch.Tensor = self.down_proj(self.up_proj.times(x, self.gate_proj(x, self._activation)))
        return answer


@cache
def pays(device: str) -> bool:
    """Whether packing makes layers faster on this device; a matter of the processor alone, so that runs repeat."""
    if device != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    if not hasattr(torch.ops.mkldnn, "_reorder_linear_weight"):  # not a public operation, so it may be gone one day
        return False
    features = torch.cpu.get_capabilities()
    return bool(features.get("avx512_f")) and not features.get("amx_tile")


def pack(model: nn.Module, dtype: torch.dtype | None = None, *, but: Collection[nn.Module] = ()) -> int:
    """Replace every linear layer but the one that gives the vocabulary's logits, which is read by rows.

    Each layer's plain weights are let go before the next one is packed, and the file that they are mapped from at last.

    Args:
        model: in evaluation mode; it cannot be trained or saved afterwards.
        dtype: what the layers are to compute in, fp32 or bf16. Default: what their weights lie in.
        but: layers to leave as they are.

    Returns:
        How many layers were replaced.
    """
    kept = {id(layer) for layer in (*but, getattr(model, "get_output_embeddings", lambda: None)())}
    found: list[tuple[nn.Module, str, Any]] = [
        (parent, name, layer)
        for parent in model.modules()
        for name, layer in parent.named_children()
        if type(layer) in (nn.Linear, Conv1D) and id(layer) not in kept
    ]
    count = 0
    while found:  # a list that still held the layers would hold their weights
        parent, name, layer = found.pop()
        weight = layer.weight if dtype is None else layer.weight.to(dtype)
        if weight.dtype in (torch.float32, torch.bfloat16):
            plain = weight.t().contiguous() if isinstance(layer, Conv1D) else weight
            setattr(parent, name, PackedLinear(plain, layer.bias))
            count += 1
    if count:
        for weights in model.parameters():  # parts of a file that is mapped whole, as long as any of them is in use
            weights.data = weights.data.clone()
    for parent in model.modules():
        for name, part in parent.named_children():
            joined = _join(part)
            if joined is not None:
                setattr(parent, name, joined)
    return count


@torch.inference_mode()
def _join(mlp: nn.Module) -> GatedMlp | None:
    """The feed-forward part in one piece, if it is of the kind that we know: tried on numbers, not told by its name."""
    activation, first = getattr(mlp, "act_fn", None), getattr(mlp, "gate_proj", None)
    others = (getattr(mlp, "up_proj", None), getattr(mlp, "down_proj", None))
    if (
        activation is None
        or not isinstance(first, PackedLinear)
        or any(type(one) is not PackedLinear for one in others)
    ):
        return None
    line = torch.linspace(-6, 6, 193)
    for known, function in ACTIVATIONS.items():
        if torch.allclose(activation(line), function(line), atol=1e-6):
            joined = GatedMlp(mlp, known)
            x = torch.randn((4, first.in_features), generator=torch.Generator().manual_seed(0)).to(first.dtype)
            before, after = mlp(x).float(), joined(x).float()
            exact = first.dtype == torch.float32
            close = torch.dist(before, after) <= (1e-4 if exact else 3e-2) * before.norm()
            return joined if close else None
    return None
