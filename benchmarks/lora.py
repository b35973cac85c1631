"""LoRA against PEFT with transformers' Trainer and the usual loss over the whole sequence: speed and peak memory.

Each side trains in a process of its own, so that its peak is its own.
"""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import torch

from beatingbert.checkpoints.device import set_threads
from beatingbert.checkpoints.reference import resolve
from beatingbert.cli.console import quiet_libraries
from beatingbert.engines.hush import hushed
from beatingbert.engines.llm.engine import LlmEngine
from beatingbert.engines.llm.settings import LLMSettings
from beatingbert.engines.lora.engine import LoraEngine
from beatingbert.engines.lora.settings import LoraSettings
from beatingbert.engines.protocol import Workplace
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Example
from beatingbert.tasks.splits import load_splits
from benchmarks.answers import timed
from benchmarks.material import Place
from benchmarks.work import GEMMA, SMOLLM2, Figure

RANK = 16
BATCH_SIZE = 8
SEED = 99
WARM_UP = 2 * BATCH_SIZE  # examples, trained on once before the clock starts
MIB = 2**20
MODELS = (("SmolLM2", SMOLLM2, 2.5, None), ("Gemma-3-270M", GEMMA, 5.0, 2.0))  # aims for speed and memory
Tell = Callable[[str], None]
Given = TypeVar("Given")
Result = TypeVar("Result")
Outcome = tuple[float, float]
"""Seconds of the training loop, and the process's peak in MiB."""


def bench_lora(place: Place, tell: Tell) -> Iterator[Figure]:
    """Examples per second and peak memory of one epoch on SST-2, rank 16, batches of 8."""
    for name, checkpoint, speed_aim, memory_aim in MODELS:
        tell(f"{name} LoRA on SST-2, against PEFT and Trainer")
        train = _draw(place.data_dir, place.rows)
        ours_seconds, ours_peak = _in_own_process(train_ours, checkpoint, train)
        texts = _in_own_process(write_texts, checkpoint, train)
        peer_seconds, peer_peak = _in_own_process(train_peer, checkpoint, texts)
        work, peer = f"{name} LoRA r={RANK} on SST-2", "PEFT + Trainer, fp32, padded, loss over the whole sequence"
        yield Figure(
            work=work,
            ours=place.rows / ours_seconds,
            peer=place.rows / peer_seconds,
            unit="examples/s",
            ratio=peer_seconds / ours_seconds,
            target=speed_aim,
            peer_name=peer,
            rows=place.rows,
        )
        yield Figure(
            work=f"{work}, peak of the process in batches of {BATCH_SIZE}",
            ours=ours_peak,
            peer=peer_peak,
            unit="MiB",
            ratio=peer_peak / ours_peak,
            target=memory_aim,
            peer_name=peer,
            rows=place.rows,
        )


def _in_own_process(work: Callable[[str, Given], Result], checkpoint: str, given: Given) -> Result:
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as room:
        return room.submit(work, checkpoint, given).result()


def _draw(data_dir: Path, rows: int) -> list[Example]:
    splits = load_splits(find_task("sst2"), data_dir=data_dir, train_size=2 * rows + 2 * WARM_UP, eval_size=8)
    return list(splits.train)[: rows + WARM_UP]


def train_ours(checkpoint: str, train: list[Example]) -> Outcome:
    """The lora engine."""
    quiet_libraries()
    settings = LoraSettings(checkpoint=checkpoint, rank=RANK, train_batch_size=BATCH_SIZE, epochs=1)

    def fit(part: list[Example]) -> float:
        home = Path(tempfile.mkdtemp(prefix="bench-lora-"))
        place = Workplace(task=find_task("sst2"), folder=home)
        return LoraEngine(settings, place).fit(part, development=[], seed=SEED).facts.train_seconds

    fit(train[:WARM_UP])
    return fit(train[WARM_UP:]), _peak()


def train_peer(checkpoint: str, texts: list[str]) -> Outcome:
    """PEFT's own layers and transformers' own loss, on the same prompts and answers."""
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        DataCollatorForSeq2Seq,
        PrinterCallback,
        Trainer,
        TrainingArguments,
    )

    quiet_libraries()
    set_threads()
    folder = resolve(checkpoint).path
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    ids = tokenizer(texts)["input_ids"]
    encoded = [{"input_ids": one, "labels": list(one)} for one in ids]
    with hushed():
        base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    lora = LoraConfig(
        task_type="CAUSAL_LM",
        r=RANK,
        lora_alpha=2 * RANK,
        lora_dropout=0.05,
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
    )
    model = get_peft_model(base, lora)

    def fit(part: list[dict[str, list[int]]]) -> float:
        with tempfile.TemporaryDirectory(prefix="bench-lora-") as scratch, hushed():
            trainer = Trainer(
                model=model,
                args=TrainingArguments(
                    output_dir=scratch,
                    per_device_train_batch_size=BATCH_SIZE,
                    num_train_epochs=1,
                    learning_rate=2e-4,
                    report_to="none",
                    disable_tqdm=True,
                    save_strategy="no",
                    logging_strategy="no",
                    seed=SEED,
                    use_cpu=not torch.cuda.is_available(),
                ),
                train_dataset=part,
                data_collator=DataCollatorForSeq2Seq(tokenizer),
            )
            trainer.remove_callback(PrinterCallback)
            return timed(trainer.train)[0]

    fit(encoded[:WARM_UP])
    return fit(encoded[WARM_UP:]), _peak()


def write_texts(checkpoint: str, train: list[Example]) -> list[str]:
    """Prompt and answer as the lora engine words them."""
    quiet_libraries()
    place = Workplace(task=find_task("sst2"), folder=Path(tempfile.mkdtemp(prefix="bench-lora-")))
    wording = LlmEngine(LLMSettings(checkpoint=checkpoint), place).fit([], development=[], seed=SEED).wording
    asked = [wording.ask(one.question) for one in train]
    return [prompt.text + prompt.answers[one.label] for prompt, one in zip(asked, train, strict=True)]


def _peak() -> float:
    """The most memory that this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB
