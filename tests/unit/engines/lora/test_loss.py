from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from beatingbert.engines import attention as attention_module
from beatingbert.engines.lora import loss as loss_module
from beatingbert.engines.lora.loss import AnswerLoss
from beatingbert.engines.lora.pack import make_pack
from beatingbert.engines.lora.rows import Row
from engines.llm.asking import load
from engines.llm.test_families import PACKED, PLAIN, build
from engines.lora.adapting import BEGINNING, ROWS, gradients_of, own_loss, with_plain_adapters

MODELS = ("tiny_llama", "tiny_gemma", "tiny_qwen", "tiny_gpt2")


@pytest.fixture(params=MODELS)
def adapted(request: pytest.FixtureRequest) -> Any:
    """A model with adapters that already say something."""
    return with_plain_adapters(load(request.getfixturevalue(request.param))[0])


def ours(model: Any, rows: list[Row]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    answer_loss = AnswerLoss(model.get_base_model(), rows)
    assert answer_loss.is_packed
    with answer_loss.attention():
        loss = answer_loss(rows)
        return loss.detach(), gradients_of(loss, model)


def test_the_loss_is_transformers_own_with_all_other_tokens_left_out(adapted: Any) -> None:
    found, gradients = ours(adapted, ROWS)
    expected = own_loss(adapted, ROWS)
    assert float(found) == pytest.approx(float(expected.detach()), rel=1e-5)
    wanted = gradients_of(expected, adapted)
    assert gradients.keys() == wanted.keys()
    assert max(float(gradient.abs().max()) for gradient in wanted.values()) > 1e-2
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, wanted[name], rtol=1e-4, atol=1e-5)


def test_the_loss_of_one_example_is_that_of_its_whole_answer(adapted: Any) -> None:
    rows = ROWS[1:2]
    found, _ = ours(adapted, rows)
    logits = adapted(torch.tensor([[*rows[0].context, *rows[0].answer]])).logits[0].log_softmax(dim=-1).detach()
    at = len(rows[0].context) - 1
    expected = -sum(float(logits[at + number, token]) for number, token in enumerate(rows[0].answer))
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("family", PACKED)
def test_every_family_that_can_be_packed_has_its_own_loss(family: str, tiny_llama: Path) -> None:
    model = with_plain_adapters(build(family, PACKED[family], len(AutoTokenizer.from_pretrained(tiny_llama))))
    found, gradients = ours(model, ROWS)
    expected = own_loss(model, ROWS)
    assert float(found) == pytest.approx(float(expected.detach()), rel=1e-4)
    for name, gradient in gradients_of(expected, model).items():
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-3, atol=1e-4)


def test_want_of_memory_is_no_reason_to_go_the_slow_way(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: AnswerLoss, rows: Any) -> torch.Tensor:
        raise torch.cuda.OutOfMemoryError("full")

    monkeypatch.setattr(AnswerLoss, "_packed", full)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        AnswerLoss(load(tiny_llama)[0], ROWS)


@pytest.mark.parametrize("family", PLAIN)
def test_a_family_that_cannot_be_packed_goes_its_own_way(family: str, tiny_llama: Path) -> None:
    model = build(family, PLAIN[family], len(AutoTokenizer.from_pretrained(tiny_llama)))
    answer_loss = AnswerLoss(model, ROWS)
    assert not answer_loss.is_packed
    with answer_loss.attention():
        found = answer_loss(ROWS)
    expected = []
    for row in ROWS:
        logits = model(torch.tensor([row.read])).logits[0].log_softmax(dim=-1).detach()
        at = len(row.context) - 1
        expected.append(-sum(float(logits[at + number, token]) for number, token in enumerate(row.answer)))
    assert float(found.detach()) == pytest.approx(sum(expected) / len(expected), rel=1e-4)


def test_what_all_rows_begin_with_is_read_once() -> None:
    pack = make_pack(ROWS)
    assert pack.shared == len(BEGINNING)
    assert pack.ids.shape[1] == len(BEGINNING) + sum(len(row.read) - len(BEGINNING) for row in ROWS)
    assert pack.ids[0, : len(BEGINNING)].tolist() == list(BEGINNING)
    assert make_pack(ROWS, share=False).ids.shape[1] == sum(len(row.read) for row in ROWS)


def test_rows_that_are_all_the_same_keep_a_token_of_their_own(adapted: Any) -> None:
    rows = [ROWS[0], ROWS[0]]
    assert make_pack(rows).shared == len(ROWS[0].context) - 1
    assert float(ours(adapted, rows)[0]) == pytest.approx(float(ours(adapted, rows[:1])[0]), rel=1e-5)


@pytest.mark.parametrize("window", [None, 4])
def test_what_is_seen_is_what_comes_before_within_the_window(window: int | None) -> None:
    pack = make_pack(ROWS)
    first, rest = (hidden[0, 0] == 0 for hidden in pack.mask(window, torch.float32))
    whole = torch.cat([torch.nn.functional.pad(first, (0, rest.shape[1] - len(first))), rest])
    for at, row in enumerate(whole):
        assert row.nonzero()[:, 0].tolist() == list(range(0 if window is None else max(0, at + 1 - window), at + 1))


def test_long_rows_take_the_fused_attention_to_the_same_numbers(adapted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = ours(adapted, ROWS)
    fused: list[int] = []
    attention = torch.nn.functional.scaled_dot_product_attention

    def spy(query: torch.Tensor, *others: Any, **options: Any) -> torch.Tensor:
        fused.append(query.shape[2])
        return attention(query, *others, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", spy)
    monkeypatch.setattr(attention_module, "LONGEST_PLAIN", 1)
    other = ours(adapted, ROWS)
    assert max(fused) > 1
    assert float(other[0]) == pytest.approx(float(plain[0]), rel=1e-5)
    for name, gradient in plain[1].items():
        torch.testing.assert_close(other[1][name], gradient, rtol=1e-4, atol=1e-5)


def test_many_answer_tokens_are_computed_in_parts_to_the_same_gradients(
    adapted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ours(adapted, ROWS)
    calls: list[int] = []
    surprise = AnswerLoss._surprise

    def spy(self: AnswerLoss, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        calls.append(len(hidden))
        return surprise(self, hidden, targets)

    monkeypatch.setattr(AnswerLoss, "_surprise", spy)
    monkeypatch.setattr(loss_module, "MOST_LOGITS", 2 * adapted.config.vocab_size)
    parts = ours(adapted, ROWS)
    assert max(calls) == 2
    assert float(parts[0]) == pytest.approx(float(whole[0]), rel=1e-6)
    for name, gradient in whole[1].items():
        torch.testing.assert_close(parts[1][name], gradient, rtol=1e-5, atol=1e-6)


def test_no_logits_are_computed_but_those_of_the_answers(adapted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    base = adapted.get_base_model()
    answer_loss = AnswerLoss(base, ROWS)
    widths: list[torch.Size] = []
    linear = torch.nn.functional.linear

    def spy(inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        if len(weight) == base.config.vocab_size:
            widths.append(inputs.shape)
        return linear(inputs, weight, bias)

    monkeypatch.setattr(torch.nn.functional, "linear", spy)
    with answer_loss.attention():
        answer_loss(ROWS)
    assert [shape[0] for shape in widths] == [sum(len(row.answer) for row in ROWS)]


def test_layers_computed_twice_give_the_same_gradients(tiny_llama: Path, tiny_gemma: Path) -> None:
    for folder in (tiny_llama, tiny_gemma):
        model = with_plain_adapters(load(folder)[0])
        once = ours(model, ROWS)
        base = model.get_base_model()
        enable: Callable[..., None] = getattr(
            base, "activation_checkpointing_enable", base.gradient_checkpointing_enable
        )
        enable({"use_reentrant": False})
        base.train()  # tiny models drop nothing, and layers are computed twice in training only
        twice = ours(model, ROWS)
        for name, gradient in once[1].items():
            torch.testing.assert_close(twice[1][name], gradient, rtol=1e-5, atol=1e-6)


def test_elsewhere_the_model_is_as_it_was(adapted: Any) -> None:
    base = adapted.get_base_model()
    before = base.config._attn_implementation
    expected = own_loss(adapted, ROWS)
    ours(adapted, ROWS)
    assert base.config._attn_implementation == before
    assert not adapted.training
    assert torch.equal(own_loss(adapted, ROWS), expected)


def test_half_precision_gives_nearly_the_same(tiny_llama: Path) -> None:
    model = with_plain_adapters(load(tiny_llama)[0])
    exact, _ = ours(model, ROWS)
    rough, gradients = ours(model.to(torch.bfloat16), ROWS)
    assert rough.dtype == torch.float32
    assert float(rough) == pytest.approx(float(exact), rel=0.02)
    assert all(torch.isfinite(gradient).all() for gradient in gradients.values())


def test_a_row_reads_all_but_the_answers_last_token() -> None:
    assert replace(ROWS[1], answer=(51,)).read == ROWS[1].context
    assert ROWS[1].read == (*ROWS[1].context, 51, 52)
