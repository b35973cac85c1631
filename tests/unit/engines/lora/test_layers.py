from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft.tuners.lora import Linear
from transformers import AutoTokenizer

from beatingbert.engines.lora.layers import LeanLinear, adapt, adapted_names, attention_projections, folded, settle
from beatingbert.engines.lora.settings import LoraSettings
from beatingbert.errors import CheckpointError
from engines.llm.asking import load
from engines.llm.test_families import PACKED, PLAIN, build
from engines.lora.adapting import scramble

IDS = torch.tensor([[5, 9, 30, 31, 32, 33, 40, 41, 42]])


def adapted(folder: Path, **settings: Any) -> Any:
    model = adapt(load(folder)[0], LoraSettings(checkpoint="x", **{"rank": 4, **settings}), seed=99)
    scramble(model)
    return model


@pytest.mark.parametrize(
    ("fixture", "names"),
    [
        ("tiny_llama", ["q_proj", "k_proj", "v_proj", "o_proj"]),
        ("tiny_gemma", ["q_proj", "k_proj", "v_proj", "o_proj"]),
        ("tiny_qwen", ["q_proj", "k_proj", "v_proj", "o_proj"]),
        ("tiny_gpt2", ["c_attn", "c_proj"]),  # the feed-forward layers have a c_proj too
    ],
)
def test_the_attentions_projections_are_adapted_and_nothing_else(
    request: pytest.FixtureRequest, fixture: str, names: list[str]
) -> None:
    model = adapted(request.getfixturevalue(fixture))
    assert adapted_names(model) == sorted(names)
    trained = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert len(trained) == 2 * 2 * len(names)  # two layers, two factors
    assert all(".attn." in name or ".self_attn." in name for name in trained)


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("gpt_neox", ["attention.dense", "attention.query_key_value"]),
        ("opt", ["self_attn.k_proj", "self_attn.out_proj", "self_attn.q_proj", "self_attn.v_proj"]),
        ("phi", ["self_attn.dense", "self_attn.k_proj", "self_attn.q_proj", "self_attn.v_proj"]),
        ("bloom", ["self_attention.dense", "self_attention.query_key_value"]),
        ("falcon", ["self_attention.dense", "self_attention.query_key_value"]),
        ("mpt", ["attn.Wqkv", "attn.out_proj"]),
    ],
)
def test_families_have_their_own_names_for_them(family: str, names: list[str], tiny_llama: Path) -> None:
    model = build(family, (PACKED | PLAIN)[family], len(AutoTokenizer.from_pretrained(tiny_llama)))
    assert attention_projections(model) == names


def test_a_model_without_attention_is_told_what_to_do(tiny_llama: Path) -> None:
    model = build("mamba", PLAIN["mamba"], len(AutoTokenizer.from_pretrained(tiny_llama)))
    with pytest.raises(CheckpointError, match=r"'mamba' model; use --lora_targets all-linear"):
        attention_projections(model)


def test_all_linear_layers_but_the_last_are_adapted_where_asked(tiny_llama: Path) -> None:
    names = adapted_names(adapted(tiny_llama, target_modules="all-linear"))
    assert names == ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]


def test_rank_and_alpha_reach_the_layers(tiny_llama: Path) -> None:
    layers = [module for module in adapted(tiny_llama, rank=3, alpha=12).modules() if isinstance(module, LeanLinear)]
    assert len(layers) == 8
    for layer in layers:
        assert layer.lora_A["default"].weight.shape[0] == layer.lora_B["default"].weight.shape[1] == 3
        assert layer.scaling["default"] == 4.0


def test_fresh_adapters_change_nothing_and_are_the_same_for_a_seed(tiny_llama: Path) -> None:
    plain, _ = load(tiny_llama)
    drawn = []
    for seed in (1, 1, 2):
        model = adapt(load(tiny_llama)[0], LoraSettings(checkpoint="x"), seed=seed).eval()
        assert torch.equal(model(IDS).logits, plain(IDS).logits)
        drawn.append(torch.cat([weight.flatten() for name, weight in model.named_parameters() if "lora_A" in name]))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_short_way_through_a_layer_leads_where_pefts_own_does(tiny_qwen: Path, dtype: torch.dtype) -> None:
    model = adapted(tiny_qwen).eval()
    for layer in [module for module in model.modules() if isinstance(module, LeanLinear)]:
        layer.base_layer.to(dtype)
        x = torch.randn(2, 7, layer.in_features, dtype=dtype, requires_grad=True)
        found, expected = layer(x), Linear.forward(layer, x)
        assert found.dtype == expected.dtype == dtype
        rounding = {"rtol": 2**-7, "atol": 2**-9} if dtype == torch.bfloat16 else {}
        torch.testing.assert_close(found, expected, **rounding)
        factors = [x, layer.lora_A["default"].weight, layer.lora_B["default"].weight]
        gradients = [torch.autograd.grad(output.float().square().sum(), factors) for output in (found, expected)]
        for one, other in zip(*gradients, strict=True):
            assert one.dtype == other.dtype
            rounding = {"rtol": 0.05, "atol": 0.02 * float(other.abs().max())} if dtype == torch.bfloat16 else {}
            torch.testing.assert_close(one, other, **rounding)


def test_the_factors_stay_in_fp32_whatever_the_model_computes_in(tiny_llama: Path) -> None:
    model = adapt(load(tiny_llama)[0].to(torch.bfloat16), LoraSettings(checkpoint="x"), seed=99)
    formats = {weight.requires_grad: weight.dtype for weight in model.parameters()}
    assert formats == {True: torch.float32, False: torch.bfloat16}


def test_inputs_are_dropped_in_training_only(tiny_llama: Path) -> None:
    model = adapted(tiny_llama, dropout=0.5)
    layer = next(module for module in model.modules() if isinstance(module, LeanLinear))
    x = torch.randn(1, 400, layer.in_features)
    update = {}
    for training in (True, False):
        layer.train(training)
        torch.manual_seed(5)
        update[training] = layer(x) - layer.base_layer(x)
    assert not torch.allclose(update[True], update[False], atol=1e-3)
    # What is left is scaled, so that the mean stays: here to within its chance error.
    torch.testing.assert_close(update[True].mean(dim=1), update[False].mean(dim=1), rtol=0, atol=0.15)
    layer.train()
    assert not torch.equal(layer(x), layer(x))


def test_settled_factors_change_no_answer(tiny_llama: Path) -> None:
    model = adapted(tiny_llama).eval()
    model.get_base_model().to(torch.bfloat16)
    for name, weight in model.named_parameters():
        weight.data = weight.data.float() if ".lora_" in name else weight.data
    before = model(IDS).logits
    settle(model)
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert torch.equal(model(IDS).logits, before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("fixture", ["tiny_llama", "tiny_gpt2"])
def test_folded_weights_give_the_same_answers_and_are_put_back_to_the_bit(
    request: pytest.FixtureRequest, fixture: str, dtype: torch.dtype
) -> None:
    model = adapted(request.getfixturevalue(fixture)).eval()
    model.get_base_model().to(dtype)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    expected = model(IDS).logits
    with folded(model) as whole:
        changed = [name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])]
        assert changed == [name for name in before if ".base_layer.weight" in name]
        close = {"rtol": 0.1, "atol": 0.5} if dtype == torch.bfloat16 else {"rtol": 1e-4, "atol": 1e-4}
        torch.testing.assert_close(whole(IDS).logits, expected, **close)
    for name, weight in model.named_parameters():
        assert torch.equal(weight, before[name])
    assert torch.equal(model(IDS).logits, expected)
