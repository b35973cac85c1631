from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.flops import Load, count_flops, count_load, count_matrix_weights, windows
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from beatingbert.engines.hush import hushed


def test_a_prefix_that_all_share_counts_once() -> None:
    rows = [([1, 2, 3], {"a": [7], "b": [8]}), ([1, 2, 4], {"a": [7], "b": [8]})]
    load = count_load(rows)
    assert load.depths == {0: 1, 1: 1, 2: 2}
    assert load.tokens == 4
    assert load.outputs == 2  # both labels of a question are read at one place


def test_the_last_token_of_a_label_is_predicted_but_not_read() -> None:
    load = count_load([([1], {"a": [5, 6, 7], "b": [5, 8], "c": [9]})])
    assert load.depths == {0: 1, 1: 1, 2: 1}  # 1, 5 and 6
    assert load.outputs == 3


def test_the_same_question_twice_is_work_for_one() -> None:
    row = ([1, 2, 3], {"a": [4, 5]})
    assert count_load([row, row]) == count_load([row])


def test_a_token_sees_itself_and_all_before_it_within_the_window() -> None:
    load = Load({0: 1, 1: 1, 2: 1, 3: 2}, outputs=1)
    assert load.pairs() == 1 + 2 + 3 + 4 + 4
    assert load.pairs(window=2) == 1 + 2 + 2 + 2 + 2


def test_operations_of_a_tiny_model_are_those_worked_out_by_hand() -> None:
    config = LlamaConfig(
        vocab_size=10,
        hidden_size=4,
        intermediate_size=6,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config)
    # q and o: 4 x 4 each; k and v: 4 x 2 each; gate, up and down: 4 x 6 each
    assert count_matrix_weights(model.base_model) == 2 * 16 + 2 * 8 + 3 * 24
    # 3 tokens that see 1 + 2 + 3 of them; 2 heads of width 2; a distribution over 10 words at 2 places
    load = Load({0: 1, 1: 1, 2: 1}, outputs=2)
    assert count_flops(model, load) == 2 * 120 * 3 + 4 * 2 * 2 * 6 + 2 * 4 * 10 * 2


@pytest.mark.parametrize("name", ["tiny_llama", "tiny_qwen", "tiny_gemma", "tiny_gpt2"])
def test_operations_are_those_that_torch_counts(name: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(name)
    with hushed():
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    length = 12  # within every window
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(torch.arange(length)[None], use_cache=False)
    # Eager attention multiplies what is masked as well: every token is charged for all, as if each were the last.
    everywhere = Load({length - 1: length}, outputs=length)
    counted = count_flops(model, everywhere)
    # Rotary positions are a matrix product too; a few hundred operations that the count leaves out on purpose.
    assert counted == pytest.approx(counter.get_total_flops(), rel=0.005)
    assert counted <= counter.get_total_flops()


def test_sliding_layers_have_their_window(tiny_gemma: Path, tiny_llama: Path) -> None:
    with hushed():
        gemma = AutoModelForCausalLM.from_pretrained(tiny_gemma)
        llama = AutoModelForCausalLM.from_pretrained(tiny_llama)
    assert windows(gemma.config) == [16, None]
    assert windows(llama.config) == [None, None]
