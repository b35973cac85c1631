"""Fine-tuning by the Hugging Face Trainer, with the best epoch chosen on the development part.

Weights stay in fp32; bf16 or fp16 only come in by autocast, whatever format the checkpoint was saved in.
"""

from __future__ import annotations

import copy
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from beatingbert.engines.encoder.batches import Encoded, pad
from beatingbert.engines.encoder.dropout import quicken
from beatingbert.engines.encoder.settings import EncoderSettings
from beatingbert.engines.encoder.vocabulary import restore, trim, whole_vocabulary
from beatingbert.errors import BeatingBertError
from beatingbert.progress import Progress


class EncodedRows(Dataset[dict[str, Any]]):
    """Encoded questions with their label numbers, as Trainer wants them."""

    def __init__(self, rows: Sequence[Encoded], labels: Sequence[int]) -> None:
        self._rows = rows
        self._labels = labels

    def __len__(self) -> int:
        """How many questions."""
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One question; Trainer groups by the length of `input_ids`, here those of the longest row."""
        row = self._rows[index]
        longest = max(row.rows, key=lambda one: len(one["input_ids"]))
        return {"encoded": row, "labels": self._labels[index], "input_ids": longest["input_ids"]}

    def __iter__(self) -> Any:
        """Every question in order."""
        return (self[index] for index in range(len(self)))

    def token_ids(self) -> set[int]:
        """Every id that occurs."""
        return {token for one in self._rows for row in one.rows for token in row["input_ids"]}


@dataclass(slots=True)
class Collator:
    """Pads a batch to its own longest row."""

    pad_id: int
    choice: bool

    def __call__(self, features: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Tensors of one batch, with `labels` of shape (questions,)."""
        batch = pad([feature["encoded"] for feature in features], pad_id=self.pad_id, choice=self.choice)
        return {**batch, "labels": torch.tensor([feature["labels"] for feature in features])}


class ClassificationTrainer(Trainer):  # type: ignore[misc]
    """Trainer whose loss leaves out choices that a question does not have."""

    def compute_loss(self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, **_: Any) -> Any:
        """Mean cross-entropy of the batch."""
        labels = inputs.pop("labels")
        logits = masked_logits(model, inputs)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        return (loss, {"loss": loss, "logits": logits}) if return_outputs else loss


def masked_logits(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Logits of shape (questions, labels or choices), minus infinity where there is no such choice."""
    real = inputs.pop("choice_mask", None)
    logits: torch.Tensor = model(**inputs).logits
    return logits if real is None else logits.masked_fill(~real, float("-inf"))


class KeepBest(TrainerCallback):  # type: ignore[misc]
    """Reports progress, writes down each epoch and keeps the weights of the best one on the development part."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self.history: list[dict[str, float]] = []
        self.best_epoch = 0
        self._folder = folder
        self._progress = progress
        self._best_accuracy = -math.inf
        self._loss = math.nan

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Tell how far the training is."""
        self._progress("training", state.global_step, state.max_steps)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """Remember the training loss; stop where it is no number any more."""
        if logs and "loss" in logs:
            self._loss = float(logs["loss"])
            if not math.isfinite(self._loss):
                raise BeatingBertError(
                    f"the training loss became {self._loss} at step {state.global_step}: lower --lr, or use --no_fp16"
                )

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float], model: Any = None, **_: Any
    ) -> None:
        """Write the epoch down; keep it if it is better than all before (the earlier one wins a tie)."""
        epoch = {"epoch": round(float(state.epoch), 3), "train_loss": self._loss}
        epoch |= {
            name.removeprefix("eval_"): float(value)
            for name, value in metrics.items()
            if name in ("eval_loss", "eval_accuracy", "eval_macro_f1")
        }
        self.history.append(epoch)
        if epoch["accuracy"] > self._best_accuracy:
            self._best_accuracy = epoch["accuracy"]
            self.best_epoch = len(self.history)
            with whole_vocabulary(model):
                model.save_pretrained(self._folder)


def development_metrics(output: Any) -> dict[str, float]:
    """Accuracy and macro-F1 from logits of shape (questions, labels) and label numbers of shape (questions,)."""
    from sklearn.metrics import f1_score

    chosen = np.argmax(output.predictions, axis=-1)
    return {
        "accuracy": float(np.mean(chosen == output.label_ids)),
        "macro_f1": float(f1_score(output.label_ids, chosen, average="macro", zero_division=0.0)),
    }


def fine_tune(
    model: Any,
    collator: Collator,
    train: EncodedRows,
    development: EncodedRows | None,
    settings: EncoderSettings,
    *,
    precision: str,
    folder: Path,
    seed: int,
    progress: Progress,
) -> tuple[list[dict[str, float]], int]:
    """Train `model` in place; leave `best_model/` and `final_model/` in `folder` and the best weights in the model.

    Returns:
        The history, one entry per epoch, and the number of the best epoch (the last where nothing was held out).
    """
    steps = math.ceil(math.ceil(len(train) / settings.batch_size) / settings.gradient_accumulation_steps)
    keeper = KeepBest(folder / "best_model", progress)
    scratch = folder / "trainer"  # Trainer insists on a folder, though nothing is kept there
    quicken(model)
    trim(model, {collator.pad_id} | train.token_ids() | (development.token_ids() if development else set()))
    trainer = ClassificationTrainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(scratch),
            per_device_train_batch_size=settings.batch_size,
            per_device_eval_batch_size=max(32, settings.batch_size),
            gradient_accumulation_steps=settings.gradient_accumulation_steps,
            num_train_epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            warmup_steps=math.ceil(settings.warmup_share * steps * settings.epochs),
            weight_decay=settings.weight_decay,
            optim="adamw_torch_fused",
            bf16=precision == "bf16",
            fp16=precision == "fp16",
            train_sampling_strategy="group_by_length",
            remove_unused_columns=False,
            label_names=["labels"],
            eval_strategy="epoch" if development else "no",
            save_strategy="no",
            logging_strategy="epoch",
            logging_nan_inf_filter=False,  # a loss that is no number must be seen, not averaged away
            report_to="none",
            disable_tqdm=True,
            seed=seed,
            use_cpu=next(model.parameters()).device.type == "cpu",
            dataloader_pin_memory=next(model.parameters()).device.type == "cuda",
        ),
        train_dataset=train,
        eval_dataset=development,
        data_collator=collator,
        compute_metrics=development_metrics,
        callbacks=[keeper],
    )
    # The loss is a batch's mean, so Trainer must divide it by the batches of a step; models that could count the step's
    # questions themselves make it believe that this has been done.
    trainer.model_accepts_loss_kwargs = False
    trainer.remove_callback(PrinterCallback)  # progress has its own way to the user
    trainer.train()
    restore(model)
    shutil.rmtree(scratch, ignore_errors=True)
    model.save_pretrained(folder / "final_model")
    if not keeper.history:
        model.save_pretrained(folder / "best_model")
        return [{"epoch": float(settings.epochs), "train_loss": keeper._loss}], settings.epochs
    if keeper.best_epoch < len(keeper.history):
        best = type(model).from_pretrained(folder / "best_model", dtype=torch.float32)
        model.load_state_dict(copy.copy(best.state_dict()))
    return keeper.history, keeper.best_epoch
