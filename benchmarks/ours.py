"""Our own contestant: the scorer behind the llm engine, used as the engine uses it."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from beatingbert.engines import onednn
from beatingbert.engines.hush import hushed
from beatingbert.engines.llm.generate import drop_decoding_habits
from beatingbert.engines.llm.likelihood import Scorer
from benchmarks.answers import Answers, Material, most_likely, timed

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
WARM_UP = 8  # questions


def load_tokenizer(folder: Path) -> Any:
    """The checkpoint's tokenizer."""
    with hushed():
        return AutoTokenizer.from_pretrained(folder)


def load_model(folder: Path, precision: str, device: str) -> Any:
    """The checkpoint in evaluation mode, ready to score and to write, as transformers loads it."""
    with hushed():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=DTYPES[precision])
    drop_decoding_habits(model)
    return model.to(device).eval()


def quicken(model: Any) -> Any:
    """The same model as the llm engine has it answer."""
    if onednn.pays(model.device.type):
        onednn.pack(model)
    return model


class Ours:
    """Label scoring with one model, warm.

    Args:
        model: a causal language model in evaluation mode.
        tokenizer: its tokenizer.
        material: what will be asked.
        options: of the scorer, e.g. `max_tokens`.
    """

    def __init__(self, model: Any, tokenizer: Any, material: Material, **options: Any) -> None:
        self._material = material
        self._scorer = Scorer(model, tokenizer, bos=material.bos, opening=material.opening, **options)
        self._scorer.score(material.asked[:WARM_UP])

    def answer(self) -> Answers:
        """Answer everything and time it."""
        seconds, scored = timed(lambda: self._scorer.score(self._material.asked))
        found = [one.log_likelihood for one in scored]
        return Answers(seconds=seconds, labels=most_likely(self._material, found), log_likelihoods=found)


def forget() -> None:
    """Give back the memory of models that nobody holds any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
