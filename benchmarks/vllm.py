"""vLLM as a peer on a GPU, where it is installed: all labels of all questions in one call, with prefix caching.

Labels of one token are read from the distribution of the next token, as somebody in a hurry would; longer ones from the
log-probabilities of the prompt.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.answers import Answers, Material, most_likely, timed, whole_rows
from benchmarks.ours import load_tokenizer

WARM_UP = 8  # questions
SHARE_OF_MEMORY = 0.4  # of the GPU's; ours is loaded as well
WINDOW = 2048  # tokens
Row = tuple[list[int], dict[str, list[int]]]


def missing() -> str | None:
    """Why it cannot run here; None if it can."""
    import torch

    if not torch.cuda.is_available():
        return "vLLM is measured on a GPU only, and there is none"
    if importlib.util.find_spec("vllm") is None:
        return "vLLM is not installed: pip install vllm, in an environment of its own if its torch is another"
    return None


def open(reference: str, folder: Path, device: str) -> Vllm:
    """Load the checkpoint in bf16."""
    return Vllm(folder)


class Vllm:
    """vLLM's engine in this process.

    Args:
        folder: config.json, tokenizer and safetensors.
    """

    def __init__(self, folder: Path) -> None:
        from vllm import LLM

        self._tokenizer = load_tokenizer(folder)
        self._model: Any = LLM(
            model=str(folder),
            dtype="bfloat16",
            max_model_len=WINDOW,
            gpu_memory_utilization=SHARE_OF_MEMORY,
            enable_prefix_caching=True,
        )

    @property
    def name(self) -> str:
        """Version and precision."""
        return f"vLLM {metadata.version('vllm')}, bf16"

    def answer(self, material: Material) -> Answers:
        """Score every label of every question."""
        rows = whole_rows(self._tokenizer, material)  # its own tokeniser is not what is measured: left out of its time
        self._score(rows[:WARM_UP])
        seconds, found = timed(lambda: self._score(rows))
        return Answers(seconds=seconds, labels=most_likely(material, found), log_likelihoods=found)

    def _score(self, rows: Sequence[Row]) -> list[dict[str, float]]:
        if all(len(ids) == 1 for _, labels in rows for ids in labels.values()):
            return self._score_next_tokens(rows)
        return self._score_prompts(rows)

    def _score_next_tokens(self, rows: Sequence[Row]) -> list[dict[str, float]]:
        from vllm import SamplingParams

        # One call per question: the labels' log-probabilities are among those of the allowed tokens.
        parameters = [
            SamplingParams(
                max_tokens=1,
                temperature=0.0,
                logprobs=20,
                allowed_token_ids=[ids[0] for ids in labels.values()],
            )
            for _, labels in rows
        ]
        outputs = self._model.generate(
            [{"prompt_token_ids": context} for context, _ in rows], parameters, use_tqdm=False
        )
        found = []
        for (_, labels), output in zip(rows, outputs, strict=True):
            values = output.outputs[0].logprobs[0]
            found.append(
                {label: values[ids[0]].logprob if ids[0] in values else float("-inf") for label, ids in labels.items()}
            )
        return found

    def _score_prompts(self, rows: Sequence[Row]) -> list[dict[str, float]]:
        from vllm import SamplingParams

        whole = [(context, ids) for context, labels in rows for ids in labels.values()]
        outputs = self._model.generate(
            [{"prompt_token_ids": [*context, *ids]} for context, ids in whole],
            SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0),
            use_tqdm=False,
        )
        totals = iter(
            [
                sum(output.prompt_logprobs[len(context) + at][token].logprob for at, token in enumerate(ids))
                for (context, ids), output in zip(whole, outputs, strict=True)
            ]
        )
        return [{label: next(totals) for label in labels} for _, labels in rows]
