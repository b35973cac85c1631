"""Layers that are packed for oneDNN give the numbers of those they replace."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from beatingbert.engines import onednn

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
FORMATS = {torch.float32: 1e-5, torch.bfloat16: 2e-2}
IDS = torch.tensor([[5, 9, 3, 17, 2, 8], [1, 4, 4, 7, 30, 11]])


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 24), (7, 24), (2, 5, 24)])
def test_a_packed_layer_answers_as_torch_does(dtype: torch.dtype, bias: bool, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    plain = torch.nn.Linear(24, 40, bias=bias).to(dtype)
    x = torch.randn(shape).to(dtype)
    with torch.inference_mode():
        packed = onednn.PackedLinear(plain.weight, plain.bias)
        torch.testing.assert_close(packed(x), plain(x), rtol=FORMATS[dtype], atol=FORMATS[dtype])
        assert torch.equal(packed.weight, plain.weight)


def test_a_packed_layer_takes_its_input_to_its_own_format_as_autocast_does() -> None:
    plain = torch.nn.Linear(16, 8)
    x = torch.randn(3, 16)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        expected = plain(x)
    packed = onednn.PackedLinear(plain.weight.to(torch.bfloat16), plain.bias)
    assert packed(x).dtype == torch.bfloat16
    torch.testing.assert_close(packed(x), expected, rtol=2e-2, atol=2e-2)


def test_gpt2s_layers_which_lie_the_other_way_round_are_packed_too() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(Conv1D(12, 8))
    x = torch.randn(4, 8)
    expected = model(x)
    assert onednn.pack(model) == 1
    assert isinstance(model[0], onednn.PackedLinear)
    torch.testing.assert_close(model(x), expected)


@pytest.mark.parametrize("family", ["tiny_llama", "tiny_gemma", "tiny_qwen", "tiny_gpt2"])
@pytest.mark.parametrize("dtype", FORMATS)
def test_a_packed_model_answers_as_before(family: str, dtype: torch.dtype, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(family)
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    packed = copy.deepcopy(plain)
    assert onednn.pack(packed) > 0
    assert packed.get_output_embeddings().weight.shape == plain.get_output_embeddings().weight.shape
    with torch.inference_mode():
        torch.testing.assert_close(
            packed(IDS).logits, plain(IDS).logits, rtol=10 * FORMATS[dtype], atol=10 * FORMATS[dtype]
        )


@pytest.mark.parametrize("family", ["tiny_llama", "tiny_gemma", "tiny_qwen"])
def test_gated_feed_forward_parts_are_joined_with_the_models_own_activation(
    family: str, request: pytest.FixtureRequest
) -> None:
    model = AutoModelForCausalLM.from_pretrained(request.getfixturevalue(family)).eval()
    onednn.pack(model)
    joined = [module for module in model.modules() if isinstance(module, onednn.GatedMlp)]
    assert len(joined) == model.config.num_hidden_layers
    expected = ("gelu", "tanh") if family == "tiny_gemma" else ("swish", "")
    assert {one._activation for one in joined} == {expected}


def test_a_part_that_only_looks_like_a_gated_one_stays_as_it_is() -> None:
    class Otherwise(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate_proj, self.up_proj = torch.nn.Linear(8, 16), torch.nn.Linear(8, 16)
            self.down_proj, self.act_fn = torch.nn.Linear(16, 8), torch.nn.SiLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.down_proj(self.act_fn(self.gate_proj(x)) + self.up_proj(x))  # a sum
            return answer

    model = torch.nn.Sequential(Otherwise())
    x = torch.randn(3, 8)
    expected = model(x)
    assert onednn.pack(model) == 3
    assert type(model[0]) is Otherwise
    torch.testing.assert_close(model(x), expected)


def test_layers_that_are_named_are_left_alone() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
    assert onednn.pack(model, but=[model[1]]) == 1
    assert type(model[1]) is torch.nn.Linear


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"avx512_f": True, "amx_tile": False}, True),
        ({"avx512_f": True, "amx_tile": True}, False),
        ({"avx512_f": False}, False),
        ({}, False),
    ],
)
def test_it_is_the_processor_that_decides(
    features: dict[str, bool], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    assert onednn.pays.__wrapped__("cpu") is expected
    assert onednn.pays.__wrapped__("cuda") is False
