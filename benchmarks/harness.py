"""lm-evaluation-harness as a peer, through its own Python API: its `hf` backend in fp32, at its best batch size.

It reads the same prompts from a local JSON file. Only its `loglikelihood` is timed, neither loading nor bookkeeping.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
from transformers import AutoConfig

from beatingbert.engines.hush import hushed
from beatingbert.engines.llm.wording import opening_tokens
from benchmarks.answers import Answers, Material, most_likely
from benchmarks.ours import load_tokenizer

PINNED = "lm-eval==0.4.13"
BATCH_SIZES = (1, 8, 32, 64)
TASK = "beatingbert_rows"
WARM_UP = 2  # questions
SAMPLE = (8, 64)  # questions, fewest and most, on which batch sizes are tried; between them a quarter of all
FINALISTS = 2  # batch sizes that answer everything, since so small a sample may mislead


def missing() -> str | None:
    """Why it cannot run here; None if it can."""
    if importlib.util.find_spec("lm_eval") is None:
        return f"lm-evaluation-harness is not installed: pip install -c constraints.txt {PINNED}"
    return None


def open(reference: str, folder: Path, device: str) -> Harness:
    """Load the checkpoint into the harness's own model class."""
    return Harness(folder, device)


class Harness:
    """The harness with one checkpoint.

    Args:
        folder: config.json, tokenizer and safetensors.
        device: "cpu", "cuda" or "mps".
    """

    def __init__(self, folder: Path, device: str) -> None:
        logging.getLogger("lm_eval").setLevel(logging.ERROR)
        from lm_eval.models.huggingface import HFLM

        config = AutoConfig.from_pretrained(folder)
        bos = opening_tokens(load_tokenizer(folder), config.model_type)
        with hushed():
            self._model: Any = HFLM(
                pretrained=str(folder),
                dtype="float32",
                device=device,
                batch_size=1,
                add_bos_token=True if bos else None,  # None leaves it to the tokenizer, which then adds nothing
            )

    @property
    def name(self) -> str:
        """Version and precision."""
        return f"lm-evaluation-harness {metadata.version('lm-eval')}, fp32"

    def answer(self, material: Material) -> Answers:
        """Warm up, find the two best batch sizes on a few questions, answer everything with both; the faster counts."""
        self.score(material, WARM_UP, 1)
        count = max(SAMPLE[0], min(SAMPLE[1], len(material.asked) // 4))
        tried = {size: self.score(material, count, size)[0] for size in self._sizes(material, count)}
        runs = {
            size: self.score(material, len(material.asked), size)
            for size in sorted(tried, key=tried.__getitem__)[:FINALISTS]
        }
        best = min(runs, key=lambda size: runs[size][0])
        seconds, found = runs[best]
        return Answers(
            seconds=seconds,
            labels=most_likely(material, found),
            log_likelihoods=found,
            how=f"batch size {best}",
        )

    def _sizes(self, material: Material, count: int) -> list[int]:
        """Batch sizes worth trying: whose logits fit into memory, the first that holds the whole sample being last."""
        longest = max(len(self._model.tok_encode(one.text)) for one in material.asked)
        # It holds the logits of all positions, and their logarithms of probabilities, in fp32.
        bytes_per_row = longest * self._model.model.config.get_text_config().vocab_size * 4 * 2
        room = psutil.virtual_memory().available / 2
        requests = sum(len(one.answers) for one in material.asked[:count])
        fitting = [size for size in BATCH_SIZES if size == 1 or size * bytes_per_row <= room]
        return [size for at, size in enumerate(fitting) if at == 0 or fitting[at - 1] < requests]

    def score(self, material: Material, count: int, batch_size: int) -> tuple[float, list[dict[str, float]]]:
        """Seconds in `loglikelihood`, and each of the first `count` questions' label to log-likelihood."""
        from lm_eval.evaluator import evaluate

        self._model.batch_size_per_gpu = batch_size
        part = replace(material, asked=material.asked[:count])
        clock = _Clock(self._model)
        with tempfile.TemporaryDirectory(prefix="bench-harness-") as scratch, clock:
            results = evaluate(clock.model, load_task(part, Path(scratch)), bootstrap_iters=0)
        return clock.seconds, read_samples(part, results["samples"][TASK])


def load_task(material: Material, scratch: Path) -> dict[str, Any]:
    """The material as a task of the harness: prompts and choices taken word for word from the columns of a file."""
    from lm_eval.tasks import TaskManager

    rows = [{"prompt": one.text, "choices": list(one.answers.values()), "gold": 0} for one in material.asked]
    file = scratch / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    config = {
        "task": TASK,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(file)}, "cache_dir": str(scratch / "cache")},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "prompt",
        "doc_to_choice": "choices",
        "doc_to_target": "gold",  # no matter which: right answers are not what is compared
        "target_delimiter": "",  # the choices bring their blank
    }
    tasks: dict[str, Any] = TaskManager(include_defaults=False).load(config)
    return tasks


def read_samples(material: Material, samples: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """Each question's label to log-likelihood, from what the harness logs; its prompts must be ours.

    Raises:
        ValueError: it asked something else.
    """
    found = []
    for one, sample in zip(material.asked, sorted(samples, key=lambda sample: int(sample["doc_id"])), strict=True):
        if [tuple(pair) for pair in sample["arguments"]] != [(one.text, words) for words in one.answers.values()]:
            raise ValueError(f"the harness asked {sample['arguments']!r} instead of {one!r}")
        values = [float(answers[0][0]) for answers in sample["resps"]]
        found.append(dict(zip(one.answers, values, strict=True)))
    return found


class _Clock:
    """While it is open, sums the time that a model spends in `loglikelihood`."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.seconds = 0.0

    def __enter__(self) -> None:
        inner = self.model.loglikelihood

        def loglikelihood(requests: Any) -> Any:
            start = time.perf_counter()
            try:
                return inner(requests, disable_tqdm=True)
            finally:
                self.seconds += time.perf_counter() - start

        self.model.loglikelihood = loglikelihood

    def __exit__(self, *_: object) -> None:
        del self.model.loglikelihood  # the class's own is found again
