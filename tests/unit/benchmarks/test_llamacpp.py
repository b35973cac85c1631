"""The peer's bookkeeping, with a stand-in for the library that computes with transformers and forgets as it does."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from benchmarks.answers import Material, largest_difference
from benchmarks.llamacpp import LlamaCpp
from benchmarks.ours import Ours, load_model, load_tokenizer

from beatingbert.engines.llm.wording import Asked


class StandIn:
    """Keeps ids where llama.cpp keeps keys and values; counts what it is given to read."""

    def __init__(self, model: Any) -> None:
        self.n_tokens = 0
        self.ctx = self
        self.read = 0
        self.logits: Any = None
        self._ids: list[int] = []
        self._model = model

    def n_vocab(self) -> int:
        return int(self._model.config.vocab_size)

    def eval(self, tokens: Sequence[int]) -> None:
        self._ids = [*self._ids[: self.n_tokens], *tokens]
        self.n_tokens = len(self._ids)
        self.read += len(tokens)
        with torch.inference_mode():
            values = self._model(torch.tensor([self._ids])).logits[0, -1].tolist()
        self.logits = (ctypes.c_float * len(values))(*values)


@pytest.fixture
def stand_in(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    model = StandIn(load_model(tiny_llama, "fp32", "cpu"))
    library: Any = ModuleType("llama_cpp")
    make: Callable[..., StandIn] = lambda **_: model  # noqa: E731
    library.Llama = make
    library.__version__ = "1.2.3"
    library.llama_get_logits_ith = lambda ctx, at: ctypes.cast(ctx.logits, ctypes.POINTER(ctypes.c_float))
    library.llama_print_system_info = lambda: b"CPU : SSE3 = 1 | AVX = 1 | AVX2 = 1 | AVX512 = 1 | OPENMP = 1 | "
    monkeypatch.setitem(sys.modules, "llama_cpp", library)
    return model


def material(tokenizer: Any) -> Material:
    texts = ("a good film\nSentiment:", "a good story, not bad\nSentiment:", "not great")
    answers = {"a": " positive", "b": " negative", "c": " not good"}
    assert len(tokenizer(" not good")["input_ids"]) > 1
    return Material(asked=[Asked(text, answers, 0) for text in texts], bos=[], opening=[], by_length=False)


def test_scores_are_ours_and_common_beginnings_are_read_once(stand_in: StandIn, tiny_llama: Path) -> None:
    tokenizer = load_tokenizer(tiny_llama)
    asked = material(tokenizer)
    ours = Ours(load_model(tiny_llama, "fp32", "cpu"), tokenizer, asked).answer()
    theirs = LlamaCpp(Path("x.gguf"), tokenizer, "cpu").answer(asked)
    assert ours.log_likelihoods is not None
    assert theirs.log_likelihoods is not None
    assert largest_difference(ours.log_likelihoods, theirs.log_likelihoods) < 1e-4
    assert theirs.labels == ours.labels
    every = sum(len(tokenizer(one.text)["input_ids"]) for one in asked.asked)
    assert stand_in.read < 2 * every  # warm-up included; every label anew would be five times that


def test_the_name_tells_with_what_it_was_compiled(stand_in: StandIn, tiny_llama: Path) -> None:
    peer = LlamaCpp(Path("x.gguf"), load_tokenizer(tiny_llama), "cpu")
    assert peer.name == "llama.cpp (llama-cpp-python 1.2.3, AVX512 kernels), quantised GGUF"
