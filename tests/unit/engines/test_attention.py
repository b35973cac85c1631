"""Attention by plain products gives the numbers of torch's fused function, and their gradients."""

from __future__ import annotations

import pytest
import torch

from beatingbert.engines import attention, onednn
from beatingbert.engines.attention import mix


def draw(
    *, rows: int = 3, heads: int = 6, key_heads: int = 2, tokens: int = 7, seen: int = 11
) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    query, (key, value) = torch.randn(rows, heads, tokens, 8), torch.randn(2, rows, key_heads, seen, 8)
    hidden = torch.rand(rows, 1, tokens, seen) < 0.4
    hidden[..., 0] = False
    return query, key, value, torch.zeros(hidden.shape).masked_fill_(hidden, -torch.inf)


def fused(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    return torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, scale=0.3, enable_gqa=True
    )


@pytest.fixture(params=[True, False], ids=["plain", "fused"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(onednn, "pays", lambda device: request.param)
    return bool(request.param)


@pytest.mark.parametrize("masked", [True, False])
def test_answers_are_those_of_the_fused_function(way: bool, masked: bool) -> None:
    query, key, value, mask = draw()
    seen = mask if masked else None
    with torch.inference_mode():
        torch.testing.assert_close(mix(query, key, value, seen, scale=0.3), fused(query, key, value, seen))


@pytest.mark.parametrize("one_mask", [True, False])
def test_many_rows_are_done_in_parts_to_the_same_numbers(one_mask: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onednn, "pays", lambda device: True)
    monkeypatch.setattr(attention, "MOST_SCORES", 6 * 7 * 11 * 2)  # two of the three rows
    query, key, value, mask = draw()
    mask = mask[:1] if one_mask else mask
    with torch.inference_mode():
        torch.testing.assert_close(mix(query, key, value, mask, scale=0.3), fused(query, key, value, mask))


def test_gradients_are_those_of_the_fused_function() -> None:
    *tensors, mask = draw()
    found, expected = [], []
    for grown, way_through in ((found, lambda *given: mix(*given, scale=0.3)), (expected, fused)):
        inputs = [tensor.clone().requires_grad_() for tensor in tensors]
        way_through(*inputs, mask).square().sum().backward()
        grown += [one.grad for one in inputs]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_softcap_bends_the_scores_before_the_softmax() -> None:
    query, key, value, mask = draw(key_heads=6)
    scores = 5 * torch.tanh(query @ key.transpose(2, 3) * 0.3 / 5) + mask
    with torch.inference_mode():
        torch.testing.assert_close(mix(query, key, value, mask, scale=0.3, softcap=5.0), scores.softmax(-1) @ value)


def test_values_may_be_of_another_width_than_keys() -> None:
    query, key, value, mask = draw()
    wide = torch.cat([value, value], dim=-1)
    with torch.inference_mode():
        mixed = mix(query, key, wide, mask, scale=0.3, softcap=50.0)
    assert mixed.shape == (3, 6, 7, 16)


def test_dropout_keeps_the_mean_and_drops_some() -> None:
    query, key, value, mask = draw(rows=64)
    torch.manual_seed(1)
    plain, dropped = fused(query, key, value, mask), mix(query, key, value, mask, scale=0.3, dropout=0.5)
    assert not torch.allclose(plain, dropped)
    assert float((plain - dropped).mean().abs()) < 0.05


def test_bf16_is_as_near_to_fp32_as_the_fused_function_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onednn, "pays", lambda device: True)
    query, key, value, mask = draw(rows=16)
    half = [tensor.to(torch.bfloat16) for tensor in (query, key, value, mask)]
    with torch.inference_mode():
        exact = fused(query, key, value, mask)
        ours, theirs = mix(*half, scale=0.3), fused(*half)
    assert torch.dist(ours.float(), exact) < 1.5 * torch.dist(theirs.float(), exact)
