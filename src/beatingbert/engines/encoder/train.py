"""Fine-tuning by the Hugging Face Trainer, with the best epoch chosen on the development part.

Weights stay in fp32; bf16 or fp16 only come in by autocast, whatever format the checkpoint was saved in.
"""

from __future__ import annotations

import copy
import logging
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import PrinterCallback, Trainer, TrainingArguments

from beatingbert.engines.encoder import company
from beatingbert.engines.encoder.batches import Encoded, pad
from beatingbert.engines.encoder.checkpoints import drop_broken_checkpoints, last_checkpoint
from beatingbert.engines.encoder.dropout import quicken
from beatingbert.engines.encoder.epochs import KeepBest
from beatingbert.engines.encoder.order import LengthGroupedOrder
from beatingbert.engines.encoder.reporting import logs_in
from beatingbert.engines.encoder.settings import EncoderSettings
from beatingbert.engines.encoder.vocabulary import restore, trim
from beatingbert.engines.encoder.watch import LossWatch
from beatingbert.engines.protocol import Upkeep
from beatingbert.progress import Progress

logger = logging.getLogger("beatingbert.engines.encoder")


class EncodedRows(Dataset[dict[str, Any]]):
    """Encoded questions with their label numbers, as Trainer wants them."""

    def __init__(self, rows: Sequence[Encoded], labels: Sequence[int]) -> None:
        self._rows = rows
        self._labels = labels

    def __len__(self) -> int:
        """How many questions."""
        return len(self._rows)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each question's longest row."""
        return [row.length for row in self._rows]

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
    """Trainer whose loss leaves out choices that a question does not have, and is watched."""

    def __init__(self, order: LengthGroupedOrder, watch: LossWatch, **options: Any) -> None:
        self._order = order
        self._watch = watch
        super().__init__(**options)

    def _get_train_sampler(self, train_dataset: Any = None) -> LengthGroupedOrder:
        return self._order

    def training_step(self, *given: Any, **named: Any) -> torch.Tensor:
        """One forward and backward pass."""
        loss: torch.Tensor = super().training_step(*given, **named)
        self._watch.add(loss)
        return loss

    def _clip_grad_norm(self, model: Any) -> torch.Tensor:
        """The gradient's length; if it is too long, fused AdamW divides it on its way, which saves a pass over it.

        Trainer calls it. Where Trainer's steps change their name, or AdamW no longer divides, clipping is torch's own.
        """
        optimizer: Any = getattr(self.optimizer, "optimizer", self.optimizer)  # Accelerate wraps it
        if self.args.fp16 or not getattr(optimizer, "_step_supports_amp_scaling", False):
            length: torch.Tensor = super()._clip_grad_norm(model)
            return length
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        length = torch.nn.utils.get_total_norm(gradients)
        optimizer.grad_scale = ((length + 1e-6) / self.args.max_grad_norm).clamp(min=1.0)
        return length

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


def development_metrics(output: Any) -> dict[str, float]:
    """What an epoch is judged by, from logits of shape (questions, labels) and label numbers of shape (questions,).

    Returns:
        accuracy, macro_f1 and mcc, and predicted_classes, how many different answers there are.
    """
    from sklearn.metrics import f1_score, matthews_corrcoef

    chosen = np.argmax(output.predictions, axis=-1)
    return {
        "accuracy": float(np.mean(chosen == output.label_ids)),
        "macro_f1": float(f1_score(output.label_ids, chosen, average="macro", zero_division=0.0)),
        "mcc": float(matthews_corrcoef(output.label_ids, chosen)) if len(np.unique(output.label_ids)) > 1 else 0.0,
        "predicted_classes": float(len(np.unique(chosen))),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a training leaves besides the weights.

    Attributes:
        history: one entry per epoch.
        best_epoch: its number, from 1; the last one where nothing was held out.
        seconds: the whole training with its evaluations, also in processes before an interruption.
        out_of_time: whether the deadline ended it.
    """

    history: list[dict[str, float]]
    best_epoch: int
    seconds: float
    out_of_time: bool = False


def fine_tune(
    model: Any,
    collator: Collator,
    train: EncodedRows,
    development: EncodedRows | None,
    settings: EncoderSettings,
    *,
    precision: str,
    folder: Path,
    scratch: Path,
    seed: int,
    progress: Progress,
    upkeep: Upkeep,
) -> Trained:
    """Train `model` in place; leave `best_model/` and `final_model/` in `folder` and the best weights in the model.

    Args:
        model: with its fresh head.
        collator: makes batches.
        train: rows to learn from.
        development: rows to choose the best epoch on, or None.
        settings: how to train.
        precision: number format of the computation.
        folder: where the two models go.
        scratch: where checkpoints are kept meanwhile; whoever calls removes it.
        seed: of order and dropout.
        progress: told after each step.
        upkeep: whether to go on from the newest whole checkpoint in `scratch`, and the like.

    Raises:
        TrainingError: the loss is no number any more.
    """
    quicken(model)
    trim(model, {collator.pad_id} | train.token_ids() | (development.token_ids() if development else set()))
    order = LengthGroupedOrder(train.lengths, settings.batch_size * settings.gradient_accumulation_steps, seed)
    watch = LossWatch()
    keeper = KeepBest(
        scratch,
        settings,
        order,
        watch,
        progress,
        checkpoint_steps=upkeep.checkpoint_steps,
        questions=len(train),
        main=company.is_main(),
        deadline=upkeep.deadline,
    )
    with logs_in(scratch.parent, upkeep.report_to):
        trainer = ClassificationTrainer(
            order,
            watch,
            model=model,
            args=_arguments(model, settings, len(train), development, precision, scratch, seed, upkeep),
            train_dataset=train,
            eval_dataset=development,
            data_collator=collator,
            compute_metrics=development_metrics,
            callbacks=[keeper],
        )
        # The loss is a batch's mean, so Trainer must divide it by the batches of a step; models that could count the
        # step's questions themselves make it believe that this has been done.
        trainer.model_accepts_loss_kwargs = False
        trainer.remove_callback(PrinterCallback)  # progress has its own way to the user
        whole = last_checkpoint(scratch, company.size()) if upkeep.resume else None
        if company.is_main():
            drop_broken_checkpoints(scratch, whole)
        if whole is not None:
            logger.info("going on from %s", whole.name)
        trainer.train(resume_from_checkpoint=None if whole is None else str(whole))
    restore(model)
    _keep_models(model, keeper, folder)
    return Trained(
        history=keeper.history,
        best_epoch=keeper.best_epoch or len(keeper.history),
        seconds=keeper.seconds,
        out_of_time=keeper.out_of_time,
    )


def _arguments(
    model: Any,
    settings: EncoderSettings,
    rows: int,
    development: EncodedRows | None,
    precision: str,
    scratch: Path,
    seed: int,
    upkeep: Upkeep,
) -> TrainingArguments:
    steps = math.ceil(math.ceil(rows / settings.batch_size) / settings.gradient_accumulation_steps)
    device = next(model.parameters()).device.type
    arguments = TrainingArguments(
        output_dir=str(scratch),
        per_device_train_batch_size=company.share_of(settings.batch_size),
        per_device_eval_batch_size=max(32, settings.batch_size),
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        warmup_steps=math.ceil(settings.warmup_share * steps * settings.epochs),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        optim="adamw_torch_fused",
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        train_sampling_strategy="group_by_length",
        remove_unused_columns=False,
        label_names=["labels"],
        eval_strategy="epoch" if development else "no",
        save_strategy="epoch",
        save_total_limit=1,
        logging_strategy="epoch" if upkeep.report_to == "none" else "steps",
        logging_steps=max(1, steps // 50),
        logging_nan_inf_filter=False,  # a loss that is no number must be seen, not averaged away
        report_to=upkeep.report_to,
        run_name=scratch.parent.name,
        disable_tqdm=True,
        seed=seed,
        use_cpu=device == "cpu",
        dataloader_pin_memory=device == "cuda",
    )
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1  # several GPUs take part as processes of their own, never by a larger batch unasked
    return arguments


def _keep_models(model: Any, keeper: KeepBest, folder: Path) -> None:
    """Write both models and load the best one's weights."""
    if company.is_main():
        model.save_pretrained(folder / "final_model")
        if keeper.best_epoch:
            shutil.rmtree(folder / "best_model", ignore_errors=True)
            shutil.copytree(keeper.best_folder, folder / "best_model")  # a checkpoint may still have need of it
        else:
            model.save_pretrained(folder / "best_model")
    company.meet()
    if keeper.best_epoch and keeper.best_epoch < len(keeper.history):
        best = type(model).from_pretrained(folder / "best_model", dtype=torch.float32)
        model.load_state_dict(copy.copy(best.state_dict()))
