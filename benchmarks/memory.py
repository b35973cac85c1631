"""How much memory scoring adds: with a hundred times the questions, and with larger budgets of tokens per pass.

Every figure comes from a process of its own, since memory that one run gave back may be reused by the next unseen.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.work import SMOLLM2, Figure

FEW, MANY = 1_000, 100_000  # questions
BUDGETS = (64, 256, 1024, 4096)  # tokens per pass
ENOUGH = 300  # questions that fill the largest budget
MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What one process needed.

    Attributes:
        added_mib: peak resident memory less what was there when scoring began, in MiB.
        answers_mib: what the answers themselves take, which must grow with their number.
    """

    added_mib: float
    answers_mib: float

    @property
    def working_mib(self) -> float:
        """What scoring needs besides its answers."""
        return max(0.0, self.added_mib - self.answers_mib)


def bench_memory(full: bool, tell: Callable[[str], None]) -> Iterator[Figure]:
    """Constant memory first, then budgets.

    Args:
        full: take the real model for the many questions too, which is hours; otherwise a tiny one with the same
            vocabulary and tokenizer, since what could grow with their number does not depend on the model.
        tell: told what is measured.
    """
    model = "SmolLM2" if full else "tiny Llama with SmolLM2's vocabulary"
    tell(f"memory of {FEW:,} and of {MANY:,} questions, {model}")
    few, many = (measure(questions=count, tiny=not full) for count in (FEW, MANY))
    yield Figure(
        work=f"{MANY:,} questions, {model}",
        ours=many.working_mib,
        peer=few.working_mib,
        unit="MiB",
        peer_name=f"{FEW:,} questions",
        rows=MANY,
        note=f"besides the answers: {many.answers_mib:.0f} and {few.answers_mib:.0f} MiB",
    )
    for precision in ("fp32", "bf16"):
        for budget in BUDGETS:
            tell(f"memory with {budget} tokens per pass, {precision}")
            found = measure(questions=ENOUGH, precision=precision, max_tokens=budget)
            name = f"SmolLM2 {precision}, {budget} tokens per pass"
            yield Figure(work=name, ours=found.added_mib, unit="MiB", rows=ENOUGH)


def measure(*, questions: int, tiny: bool = False, precision: str = "bf16", max_tokens: int | None = None) -> Growth:
    """Score so many short questions in a process of its own.

    Raises:
        CalledProcessError: it failed.
    """
    job = {"questions": questions, "tiny": tiny, "precision": precision, "max_tokens": max_tokens}
    root = str(Path(__file__).resolve().parents[1])
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", json.dumps(job)],
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Growth(**json.loads(done.stdout.splitlines()[-1]))


def _score_here(*, questions: int, tiny: bool, precision: str, max_tokens: int | None) -> Growth:
    """The child's part."""
    from beatingbert.checkpoints.device import set_threads
    from beatingbert.checkpoints.reference import resolve
    from beatingbert.engines.llm.likelihood import Scorer
    from beatingbert.engines.llm.wording import Asked
    from beatingbert.scoring.memory import PeakMemory
    from benchmarks.ours import load_model, load_tokenizer, quicken

    set_threads()
    folder = resolve(SMOLLM2).path
    tokenizer = load_tokenizer(folder)
    model = quicken(_tiny_model(len(tokenizer)) if tiny else load_model(folder, precision, "cpu"))
    opening = "Classify the sentiment of the movie review.\n\nReview:"
    answers = {"negative": " negative", "positive": " positive"}
    asked = [Asked(f"{opening} film number {at} was moving\nSentiment:", answers, 0) for at in range(questions)]
    ids = tokenizer(opening, add_special_tokens=False)["input_ids"]
    scorer = Scorer(model, tokenizer, bos=[], opening=ids, max_tokens=max_tokens)
    scorer.score(asked[:8])
    with PeakMemory() as peak:
        scored = scorer.score(asked)
    added = peak.result.process_mib - peak.result.process_at_start_mib
    return Growth(added_mib=added, answers_mib=_size_of(scored) / MIB)


def _tiny_model(vocabulary: int) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    return LlamaForCausalLM(config).eval()


def _size_of(scored: Sequence[Any]) -> int:
    """Bytes of a list of answers, whose labels' names are shared and cost nothing."""
    one = scored[0]
    parts = [one, one.log_likelihood, *one.log_likelihood.values(), one.tokens]
    return len(scored) * (8 + sum(map(sys.getsizeof, parts)))


if __name__ == "__main__":
    found = _score_here(**json.loads(sys.argv[1]))
    sys.stdout.write(json.dumps({"added_mib": found.added_mib, "answers_mib": found.answers_mib}) + "\n")
