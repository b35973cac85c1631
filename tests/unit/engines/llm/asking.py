"""Prompts with answers to score, and the independent way to score them: one full forward pass per answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from beatingbert.engines.hush import hushed
from beatingbert.engines.llm.likelihood import Scored, Scorer
from beatingbert.engines.llm.wording import Asked


def load(folder: Path) -> tuple[Any, Any]:
    """Model in fp32 and tokenizer."""
    with hushed():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model.eval(), AutoTokenizer.from_pretrained(folder)


def ask(text: str, *answers: str) -> Asked:
    """A prompt; its answers' labels are a, b, c, ..."""
    return Asked(text, dict(zip("abcdef", answers, strict=False)), 0)


def ask_apart(answer: str, *contexts: str) -> Asked:
    """One answer after each of several prompts; the prompts' labels are a, b, c, ..."""
    named = dict(zip("abcdef", contexts, strict=False))
    return Asked(contexts[0], dict.fromkeys(named, answer), 0, named)


def score(model: Any, tokenizer: Any, asked: Sequence[Asked], *, bos: Sequence[int], **options: Any) -> list[Scored]:
    """What the engine's scorer gives."""
    return Scorer(model, tokenizer, bos=bos, **options).score(asked)


@torch.no_grad()
def naive_log_likelihood(model: Any, context: Sequence[int], continuation: Sequence[int]) -> float:
    """log P(continuation | context) from all logits of one unpadded sequence."""
    ids = torch.tensor([[*context, *continuation]])
    log_probabilities = torch.log_softmax(model(ids).logits[0].float(), dim=-1)
    predicted_by = range(len(context) - 1, ids.shape[1] - 1)
    return sum(float(log_probabilities[at, ids[0, at + 1]]) for at in predicted_by)
