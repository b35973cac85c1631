"""Whether the answers depend on how the work is cut: token budgets, batch size, prefix sharing, threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from beatingbert.checkpoints.reference import resolve
from benchmarks.answers import Answers, Material, agreement, largest_difference
from benchmarks.material import Place, prepare
from benchmarks.ours import DTYPES, Ours, forget, load_model, load_tokenizer, quicken
from benchmarks.work import SMOLLM2, Figure, Work

WORK = Work(name="SmolLM2 zero-shot SST-2", checkpoint=SMOLLM2, task="sst2", shots=0, peer="itself", targets={})
LIMITS: tuple[Mapping[str, int], ...] = (
    {"batch_size": 1},
    {"max_tokens": 64},
    {"max_tokens": 256},
    {"max_tokens": 1024},
    {"max_tokens": 4096},
)
THREADS = (1, 2)


def bench_invariance(place: Place, tell: Callable[[str], None]) -> Iterator[Figure]:
    """For every precision, way of reading and number of threads, the worst over all limits against the default."""
    folder = resolve(SMOLLM2).path
    tokenizer = load_tokenizer(folder)
    for precision in DTYPES:
        tell(f"do answers depend on the batch, {precision}")
        model = quicken(load_model(folder, precision, place.device))
        material = prepare(WORK, place, tokenizer, model.config.model_type)
        default = Ours(model, tokenizer, material).answer()
        for share in (True, False):
            for threads in THREADS:
                tell(f"{precision}, {'shared prefix' if share else 'every prompt whole'}, {threads} thread(s)")
                with _threads(threads):
                    others = [Ours(model, tokenizer, material, share=share, **limit) for limit in LIMITS]
                    answers = [one.answer() for one in others]
                way = f"{'shared prefix read once' if share else 'every prompt read whole'}, {threads} thread(s)"
                yield compare(f"{precision}, {way}", material, default, answers)
        del model
        forget()


def compare(name: str, material: Material, default: Answers, others: list[Answers]) -> Figure:
    """The largest difference of any of them to the default, and the smallest share of equal answers."""
    assert default.log_likelihoods is not None
    worst = max(largest_difference(default.log_likelihoods, one.log_likelihoods or []) for one in others)
    shares = [agreement(default.labels, one.labels) for one in others]
    differing = round((1 - min(shares)) * len(material.asked))
    return Figure(
        work=name,
        ours=worst,
        unit="nats",
        agreement=min(shares),
        peer_name="default budget, shared prefix",
        rows=len(material.asked),
        largest_difference=worst,
        note=f"{differing} answers differ",
    )


class _threads:
    """Within it torch computes with so many threads."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __enter__(self) -> None:
        self._before = torch.get_num_threads()
        torch.set_num_threads(self._count)

    def __exit__(self, *_: Any) -> None:
        torch.set_num_threads(self._before)
