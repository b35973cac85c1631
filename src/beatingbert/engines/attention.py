"""Attention over rows of tokens, the way that is fastest where it runs: by plain products or by torch's fused function.

On a processor the fused function is made for long rows. On short ones plain products are several times as fast, and so
are their gradients; where bf16 goes a slow path inside it (see `onednn.pays`), they are faster on long ones too.
"""

from __future__ import annotations

import torch

from beatingbert.engines import onednn
from beatingbert.engines.dropout import drop

LONGEST_PLAIN = 128  # tokens; from about here the fused function is as fast in fp32 and needs less memory in training
MOST_SCORES = 1 << 21  # held at once while answering, so that memory does not grow with the rows and caches are kept


def mix(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    *,
    scale: float,
    softcap: float | None = None,
    dropout: float = 0.0,
) -> torch.Tensor:
    """Values mixed by how well their keys answer the queries.

    Args:
        query: shape (rows, heads, tokens, width).
        key: shape (rows, key heads, seen tokens, width); heads are a multiple of key heads.
        value: the same.
        mask: shape (rows or 1, 1, tokens or 1, seen tokens), in the queries' format: 0 where a token may be seen, minus
            infinity elsewhere. Every token sees at least one. None: all are seen.
        scale: factor of the scores.
        softcap: bends scores towards +-softcap before the softmax, as in Gemma 2.
        dropout: share of the mixing weights to be dropped.

    Returns:
        Shape (rows, heads, tokens, width).
    """
    if softcap is None and not _plain_is_faster(query, dropout):
        return torch.nn.functional.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask,
            scale=scale,
            dropout_p=dropout,
            enable_gqa=query.shape[1] != key.shape[1],
        )
    if torch.is_grad_enabled():
        return _mix_plainly(query, key, value, mask, scale, softcap, dropout)
    at_once = max(1, MOST_SCORES // (query.shape[1] * query.shape[2] * key.shape[2]))
    if at_once >= len(query):
        return _mix_plainly(query, key, value, mask, scale, softcap, dropout)
    parts = []
    for start in range(0, len(query), at_once):
        part = slice(start, start + at_once)
        seen = mask if mask is None or len(mask) == 1 else mask[part]
        parts.append(_mix_plainly(query[part], key[part], value[part], seen, scale, softcap, dropout))
    return torch.cat(parts)


def _plain_is_faster(query: torch.Tensor, dropout: float) -> bool:
    short = query.shape[2] <= LONGEST_PLAIN
    if dropout and query.device.type == "cpu":
        return True  # the fused function would do the same, more slowly
    if torch.is_grad_enabled():
        return short
    return onednn.pays(query.device.type) and (short or query.dtype == torch.bfloat16)


def _mix_plainly(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float,
    softcap: float | None,
    dropout: float,
) -> torch.Tensor:
    rows, heads, tokens, width = query.shape
    key_heads, seen = key.shape[1:3]
    groups = heads // key_heads  # queries that share keys are one tall matrix, so that no key is repeated
    stack, tall = rows * key_heads, groups * tokens
    scores = torch.baddbmm(
        query.new_empty(()).expand(stack, tall, seen),  # is not read: beta is 0
        query.reshape(stack, tall, width),
        key.reshape(stack, seen, width).transpose(1, 2),
        beta=0,
        alpha=scale,
    ).view(rows, key_heads, groups, tokens, seen)
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    if mask is not None:
        scores = scores.add_(mask[:, :, None])
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(
        value.dtype
    )  # torch's own in bf16 takes half as long again
    if dropout:
        on_processor = weights.device.type == "cpu" and dropout < 1
        weights = drop(weights, dropout) if on_processor else torch.nn.functional.dropout(weights, dropout)
    mixed = torch.bmm(weights.view(stack, tall, seen), value.reshape(stack, seen, -1))
    return mixed.view(rows, heads, tokens, -1)
