from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from beatingbert.engines.dropout import draw_mask
from beatingbert.engines.encoder.dropout import NAME, QuickDropout, quicken
from beatingbert.engines.hush import hushed

IDS = torch.tensor([[2, 5, 6, 7, 3], [2, 40, 3, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


def load(folder: Path) -> Any:
    torch.manual_seed(3)
    with hushed():
        return AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_so_many_are_dropped_and_the_mean_is_kept(probability: float) -> None:
    torch.manual_seed(1)
    mask = draw_mask(torch.Size([1000, 401]), probability, dtype=torch.float64)
    count, dropped = mask.numel(), int((mask == 0).sum())
    assert abs(dropped - probability * count) < 5 * (probability * (1 - probability) * count) ** 0.5
    assert mask.mean().item() == pytest.approx(1, abs=0.02)
    assert mask.unique().tolist() == pytest.approx([0, 1 / (1 - probability)], rel=1e-4)


def test_neighbours_are_dropped_independently() -> None:
    torch.manual_seed(1)
    dropped = (draw_mask(torch.Size([200_000]), 0.3, dtype=torch.float32) == 0).double()
    for apart in range(1, 9):
        both = (dropped[apart:] * dropped[:-apart]).mean().item()
        assert both == pytest.approx(0.09, abs=0.005)


def test_the_same_seed_drops_the_same() -> None:
    layer = QuickDropout(0.3)
    found = []
    for _ in range(2):
        torch.manual_seed(7)
        found.append(layer(torch.ones(3, 5, 7)))
    assert torch.equal(*found)
    assert not torch.equal(found[0], layer(torch.ones(3, 5, 7)))


def test_gradients_flow_through_what_was_kept() -> None:
    values = torch.randn(50, 3, requires_grad=True)
    dropped = QuickDropout(0.4)(values)
    dropped.sum().backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad * values, dropped)


def test_nothing_is_dropped_when_answering() -> None:
    values = torch.randn(5, 3)
    assert torch.equal(QuickDropout(0.4).eval()(values), values)


@pytest.mark.parametrize("fixture", ["tiny_bert", "tiny_distilbert"])
def test_a_quickened_model_answers_and_learns_as_before(request: pytest.FixtureRequest, fixture: str) -> None:
    """Without chance there is nothing to tell them apart, neither in the logits nor in the gradients."""
    plain, quick = load(request.getfixturevalue(fixture)), load(request.getfixturevalue(fixture))
    quicken(quick)
    assert quick.config._attn_implementation == NAME
    assert any(type(module) is QuickDropout for module in quick.modules())
    for model in (plain, quick):
        model.eval()
        model(input_ids=IDS, attention_mask=MASK, labels=torch.tensor([0, 1])).loss.backward()
    for (name, one), (_, two) in zip(plain.named_parameters(), quick.named_parameters(), strict=True):
        torch.testing.assert_close(one.grad, two.grad, msg=name, rtol=1e-4, atol=1e-6)


def test_attention_drops_as_torchs_own_does_in_the_mean(tiny_bert: Path) -> None:
    plain, quick = load(tiny_bert), load(tiny_bert)
    quicken(quick)
    means = []
    for model in (plain, quick):
        model.train()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        for layer in model.bert.encoder.layer:
            layer.attention.self.dropout.p = 0.2
        torch.manual_seed(5)
        with torch.no_grad():
            many = model.bert(IDS.repeat(2000, 1), MASK.repeat(2000, 1)).last_hidden_state.unflatten(0, (2000, 2))
        means.append((many.mean(0), many.std(0)))
    (first, spread), (second, other_spread) = means
    assert spread[0].mean() > 0.01  # something was dropped
    torch.testing.assert_close(first[0], second[0], rtol=0, atol=5 * float(spread[0].max()) / 2000**0.5)
    torch.testing.assert_close(spread[0], other_spread[0], rtol=0.15, atol=0.01)
