"""Whether what makes our training fast costs accuracy: the same hyper-parameters as run_glue.py, over several seeds."""

from __future__ import annotations

import statistics
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
    set_seed,
)

from beatingbert.checkpoints.reference import resolve
from beatingbert.engines.encoder.engine import EncoderEngine
from beatingbert.engines.encoder.settings import EncoderSettings
from beatingbert.engines.hush import hushed
from beatingbert.engines.protocol import Workplace
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Example
from beatingbert.tasks.spec import Task
from beatingbert.tasks.splits import load_splits
from benchmarks.material import Place
from benchmarks.training import BATCH_SIZE, CHECKPOINT, PADDED_TO, PEAK_LR, text_of
from benchmarks.work import Figure

EPOCHS = 2
SEEDS = (99, 100, 101)
LEVEL = 0.95


def bench_seeds(place: Place, tell: Callable[[str], None]) -> Iterator[Figure]:
    """Accuracy on the SST-2 validation split, mean over the seeds, and the interval of the difference."""
    task = find_task("sst2")
    splits = load_splits(task, data_dir=place.data_dir, train_size=place.rows)
    train, validation = splits.train, splits.evaluation["validation"]
    ours, theirs = [], []
    for seed in SEEDS:
        tell(f"MiniLM-L6 fine-tuning on SST-2, seed {seed}, ours and run_glue.py's recipe")
        ours.append(train_ours(task, train, validation, seed))
        theirs.append(train_by_recipe(task, train, validation, seed))
    low, high = difference(ours, theirs)
    gap = statistics.mean(ours) - statistics.mean(theirs)
    yield Figure(
        work=f"MiniLM-L6 on SST-2, {EPOCHS} epochs, accuracy over {len(SEEDS)} seeds",
        note=f"{100 * gap:+.1f} points, {100 * LEVEL:.0f} % interval {100 * low:+.1f} to {100 * high:+.1f} over seeds",
        ours=100 * statistics.mean(ours),
        peer=100 * statistics.mean(theirs),
        unit="% right",
        peer_name="run_glue.py's recipe: fp32, rows in random order, the same rate and decay",
        rows=len(train),
    )


def difference(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """Bounds of the difference of two means over seeds.

    Source: Welch (1947), for unequal variances.
    """
    from scipy.stats import ttest_ind

    bounds = ttest_ind(first, second, equal_var=False).confidence_interval(LEVEL)
    return float(bounds.low), float(bounds.high)


def train_ours(task: Task, train: Sequence[Example], validation: Sequence[Example], seed: int) -> float:
    """Accuracy of our training without warm-up, weight decay and development part, which run_glue.py has not either."""
    settings = EncoderSettings(
        checkpoint=CHECKPOINT,
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        learning_rate=PEAK_LR,
        warmup_share=0.0,
        weight_decay=0.0,
    )
    with tempfile.TemporaryDirectory(prefix="bench-seeds-") as home:
        engine = EncoderEngine(settings, Workplace(task=task, folder=Path(home)))
        classifier = engine.fit(train, development=[], seed=seed)
        answers = classifier.predict([one.question for one in validation])
    return statistics.mean(one.label == gold.label for one, gold in zip(answers, validation, strict=True))


def train_by_recipe(task: Task, train: Sequence[Example], validation: Sequence[Example], seed: int) -> float:
    """Accuracy of Trainer as run_glue.py sets it up, with `--pad_to_max_length False`, which changes no number."""
    folder = resolve(CHECKPOINT).path
    tokenizer = AutoTokenizer.from_pretrained(folder)
    set_seed(seed)
    with hushed():
        model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    rows: list[list[dict[str, Any]]] = [
        [
            {
                **tokenizer(text_of(one), truncation=True, max_length=PADDED_TO),
                "labels": task.labels.index(one.label),
            }
            for one in part
        ]
        for part in (train, validation)
    ]
    with tempfile.TemporaryDirectory(prefix="bench-seeds-") as scratch:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=scratch,
                per_device_train_batch_size=BATCH_SIZE,
                num_train_epochs=EPOCHS,
                learning_rate=PEAK_LR,
                report_to="none",
                disable_tqdm=True,
                save_strategy="no",
                logging_strategy="no",
                seed=seed,
                use_cpu=not torch.cuda.is_available(),
            ),
            train_dataset=rows[0],
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        output = trainer.predict(rows[1])
    return float((output.predictions.argmax(axis=-1) == output.label_ids).mean())
