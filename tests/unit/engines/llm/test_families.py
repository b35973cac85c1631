"""Any causal model: every family's scores are those of its own full forward pass, whether packs suit it or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from beatingbert.engines.hush import hushed
from beatingbert.engines.llm.likelihood import Scorer
from engines.llm.asking import ask, naive_log_likelihood

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
}
SLIDING = {"sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]}
PACKED: dict[str, dict[str, Any]] = {
    "cohere": {"logit_scale": 0.5},  # parallel layers
    "gemma2": {"head_dim": 16, "attn_logit_softcapping": 5.0, "final_logit_softcapping": 3.0, **SLIDING},
    "gpt_neox": {"rotary_pct": 0.5},  # rotates a part of each head
    "granite": {"logits_scaling": 2.0, "attention_multiplier": 0.2},
    "mistral": {"sliding_window": 8},
    "olmo2": {},
    "opt": {"ffn_dim": 64, "word_embed_proj_dim": 32},  # learned positions that begin at 2
    "phi": {"partial_rotary_factor": 0.5},
    "qwen2": {},
    "qwen3": {"head_dim": 16},
    "smollm3": {"no_rope_layers": [1, 0], "pad_token_id": None},
    "stablelm": {},
}
PLAIN: dict[str, dict[str, Any]] = {
    "bloom": {"n_layer": 2, "n_head": 2},  # ALiBi
    "falcon": {"alibi": True},
    "mamba": {"state_size": 4},  # recurrent
    "mpt": {"d_model": 32, "n_heads": 2, "n_layers": 2, "max_seq_len": 256},  # ALiBi
    "xlstm": {"num_heads": 2, "num_blocks": 2, "use_cache": False},  # keeps all logits, whatever it is asked to keep
}
OPENING = "Classify the sentiment of the movie review."
ASKED = [
    ask(f"{OPENING}\n\nReview: a good film\nSentiment:", " positive", " negative"),
    ask(f"{OPENING}\n\nReview: bad and boring\nSentiment:", " maybe not", " maybe", " no"),
    ask(f"{OPENING} {'plain, ' * 9}\nSentiment:", " positive", " negative"),  # past any sliding window
]


def build(family: str, more: dict[str, Any], vocabulary: int) -> Any:
    torch.manual_seed(99)
    with hushed():
        config = AutoConfig.for_model(family, vocab_size=vocabulary, **{**SIZES, **more})
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


def largest_difference(model: Any, tokenizer: Any, scorer: Scorer) -> float:
    differences = []
    for one, scored in zip(ASKED, scorer.score(ASKED), strict=True):
        context = tokenizer(one.text)["input_ids"]
        for label, answer in one.answers.items():
            whole = tokenizer(one.text + answer)["input_ids"]
            expected = naive_log_likelihood(model, context, whole[len(context) :])
            differences.append(abs(scored.log_likelihood[label] - expected))
    return max(differences)


@pytest.mark.parametrize("family", PACKED)
def test_shared_work_is_done_once_and_gives_the_models_own_numbers(family: str, tiny_llama: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    model = build(family, PACKED[family], len(tokenizer))
    scorer = Scorer(model, tokenizer, bos=[], opening=tokenizer(OPENING)["input_ids"])
    assert scorer.is_packed
    assert largest_difference(model, tokenizer, scorer) < 1e-4


@pytest.mark.parametrize("family", PLAIN)
def test_a_model_that_cannot_be_packed_is_read_in_its_own_way(family: str, tiny_llama: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    model = build(family, PLAIN[family], len(tokenizer))
    scorer = Scorer(model, tokenizer, bos=[], opening=tokenizer(OPENING)["input_ids"])
    assert not scorer.is_packed
    assert largest_difference(model, tokenizer, scorer) < 1e-4
