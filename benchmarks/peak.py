"""How much of the machine's own matrix-multiply speed our scoring reaches."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from beatingbert.checkpoints.reference import resolve
from beatingbert.engines import onednn
from benchmarks.answers import whole_rows
from benchmarks.flops import count_flops, count_load
from benchmarks.material import Place, prepare
from benchmarks.ours import DTYPES, Ours, forget, load_model, load_tokenizer, quicken
from benchmarks.work import GEMMA, QWEN, SMOLLM2, Figure, Work

TARGET = 0.65  # of the peak
SQUARES = (1024, 2048, 4096)
TOKENS = 1024  # rows of a model-like product
SECONDS = 0.3  # to spend on one shape, at least
ROUNDS = 3

MODELS = {"SmolLM2": SMOLLM2, "Gemma-3-270M": GEMMA, "Qwen2.5-Coder-0.5B": QWEN}
WORKS = tuple(
    Work(name=f"{name} {how} SST-2", checkpoint=checkpoint, task="sst2", shots=shots, peer="matmul", targets={})
    for name, checkpoint in MODELS.items()
    for how, shots in (("zero-shot", 0), ("5-shot", 5))
)


@dataclass(frozen=True, slots=True, order=True)
class Peak:
    """The fastest matrix product.

    Attributes:
        per_second: floating-point operations.
        shape: (rows, inner, columns).
    """

    per_second: float
    shape: tuple[int, int, int]

    def __str__(self) -> str:
        """The shape as a reader knows it."""
        return f"matrix product {' x '.join(map(str, self.shape))}"


def measure_peak(shapes: Sequence[tuple[int, int, int]], dtype: torch.dtype, device: str) -> Peak:
    """The best of several shapes, each at its own best of several runs, by torch's own way and by packed weights."""
    ways = [False, True] if onednn.pays(device) else [False]
    return max(_time_product(shape, dtype, device, packed=packed) for shape in shapes for packed in ways)


@torch.inference_mode()
def _time_product(shape: tuple[int, int, int], dtype: torch.dtype, device: str, *, packed: bool) -> Peak:
    rows, inner, columns = shape
    left = torch.randn((rows, inner), device=device).to(dtype)
    right = torch.randn((columns, inner), device=device).to(dtype)  # laid out as a linear layer's weights are
    multiply = onednn.PackedLinear(right, None) if packed else partial(torch.nn.functional.linear, weight=right)
    wait: Callable[[], None] = torch.cuda.synchronize if device == "cuda" else lambda: None
    best, spent = float("inf"), 0.0
    for run in range(1000):
        wait()
        start = time.perf_counter()
        multiply(left)
        wait()
        seconds = time.perf_counter() - start
        if run > 1:  # the first ones prepare kernels
            best, spent = min(best, seconds), spent + seconds
        if spent > SECONDS:
            break
    return Peak(2 * rows * inner * columns / best, shape)


def shapes_like(config: Any) -> list[tuple[int, int, int]]:
    """Squares, and the products of the model's own layers on a batch of tokens."""
    hidden, wide = int(config.hidden_size), int(config.intermediate_size)
    inside = [(TOKENS, hidden, hidden), (TOKENS, hidden, wide), (TOKENS, wide, hidden)]
    return [(size, size, size) for size in SQUARES] + inside


def bench_peak(place: Place, tell: Callable[[str], None]) -> Iterator[Figure]:
    """Operations that the task needs, per second of ours, beside the peak measured before and after."""
    for name, checkpoint in MODELS.items():
        folder = resolve(checkpoint).path
        works = [one for one in WORKS if one.checkpoint == checkpoint]
        for precision, dtype in DTYPES.items():
            tell(f"share of the matrix-multiply peak, {name}, {precision}")
            yield from _shares(works, folder, precision, dtype, place)


def _shares(works: Sequence[Work], folder: Path, precision: str, dtype: torch.dtype, place: Place) -> Iterator[Figure]:
    tokenizer, model = load_tokenizer(folder), load_model(folder, precision, place.device)
    shapes = shapes_like(model.config.get_text_config())
    materials = [prepare(work, place, tokenizer, model.config.model_type) for work in works]
    needed = [count_flops(model, count_load(whole_rows(tokenizer, material))) for material in materials]
    quicken(model)
    for work, material, flops in zip(works, materials, needed, strict=True):
        before = measure_peak(shapes, dtype, place.device)
        ours = Ours(model, tokenizer, material)
        seconds = statistics.median(ours.answer().seconds for _ in range(ROUNDS))
        peak = max(before, measure_peak(shapes, dtype, place.device))
        yield Figure(
            work=f"{work.name}, {precision}",
            ours=flops / seconds / 1e9,
            peer=peak.per_second / 1e9,
            unit="GFLOP/s",
            ratio=flops / seconds / peak.per_second,
            target=TARGET,
            peer_name=str(peak),
            rows=len(material.asked),
        )
    del model
    forget()
