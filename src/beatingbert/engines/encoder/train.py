"""Fine-tuning by the Hugging Face Trainer, with the best epoch chosen on the development part.

Weights stay in fp32; bf16 or fp16 only come in by autocast, whatever format the checkpoint was saved in.
"""

from __future__ import annotations

import copy
import logging
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, TrainingArguments

from beatingbert.engines.encoder import company
from beatingbert.engines.encoder.average import WeightAverage
from beatingbert.engines.encoder.checkpoints import drop_broken_checkpoints, last_checkpoint
from beatingbert.engines.encoder.dropout import quicken
from beatingbert.engines.encoder.epochs import KeepBest
from beatingbert.engines.encoder.order import LengthGroupedOrder
from beatingbert.engines.encoder.reporting import logs_in
from beatingbert.engines.encoder.settings import EncoderSettings
from beatingbert.engines.encoder.trainer import ClassificationTrainer, Collator, EncodedRows, development_metrics
from beatingbert.engines.encoder.vocabulary import restore, trim
from beatingbert.engines.encoder.watch import LossWatch
from beatingbert.engines.protocol import Upkeep
from beatingbert.errors import SettingsError
from beatingbert.progress import Progress

logger = logging.getLogger("beatingbert.engines.encoder")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one training is done, and where.

    Attributes:
        settings: how to train.
        precision: number format of the computation.
        folder: where the two models go.
        scratch: where checkpoints are kept meanwhile; whoever calls removes it.
        seed: of order and dropout.
        progress: told after each step.
        upkeep: whether to go on from the newest whole checkpoint in `scratch`, and the like.
    """

    settings: EncoderSettings
    precision: str
    folder: Path
    scratch: Path
    seed: int
    progress: Progress
    upkeep: Upkeep


def fine_tune(
    model: Any, collator: Collator, train: EncodedRows, development: EncodedRows | None, plan: Plan
) -> Trained:
    """Train `model` in place; leave `best_model/` and `final_model/` in the folder and the best weights in the model.

    Args:
        model: with its fresh head.
        collator: makes batches.
        train: rows to learn from.
        development: rows to choose the best epoch on, or None.
        plan: everything else.

    Raises:
        TrainingError: the loss is no number any more.
        SettingsError: R-Drop is asked for, and the model has no dropout.
    """
    if plan.settings.r_drop and not _has_dropout(model.config):
        raise SettingsError(
            f"--r_drop {plan.settings.r_drop:g} lets two passes with different dropout agree, and this "
            f"{model.config.model_type!r} model has no dropout; leave it out, or choose another checkpoint"
        )
    quicken(model)
    trim(model, {collator.pad_id} | train.token_ids() | (development.token_ids() if development else set()))
    with logs_in(plan.scratch.parent, plan.upkeep.report_to):
        trainer, keeper = _make_trainer(model, collator, train, development, plan)
        whole = last_checkpoint(plan.scratch, company.size()) if plan.upkeep.resume else None
        if company.is_main():
            drop_broken_checkpoints(plan.scratch, whole)
        if whole is not None:
            logger.info("going on from %s", whole.name)
        trainer.train(resume_from_checkpoint=None if whole is None else str(whole))
        if trainer.average is not None:
            trainer.average.settle()
    restore(model)
    _keep_models(model, keeper, plan.folder)
    return Trained(
        history=keeper.history,
        best_epoch=keeper.best_epoch or len(keeper.history),
        seconds=keeper.seconds,
        out_of_time=keeper.out_of_time,
    )


def _has_dropout(config: Any) -> bool:
    """Whether any rate that the configuration names is above 0."""
    rates = {name: value for name, value in config.to_dict().items() if "drop" in name}
    return any(isinstance(value, int | float) and value > 0 for value in rates.values())


def _make_trainer(
    model: Any, collator: Collator, train: EncodedRows, development: EncodedRows | None, plan: Plan
) -> tuple[ClassificationTrainer, KeepBest]:
    """Trainer, and who writes down what happens in it."""
    settings = plan.settings
    order = LengthGroupedOrder(train.lengths, settings.batch_size * settings.gradient_accumulation_steps, plan.seed)
    watch = LossWatch()
    keeper = KeepBest(
        plan.scratch,
        settings,
        order,
        watch,
        plan.progress,
        checkpoint_steps=plan.upkeep.checkpoint_steps,
        questions=len(train),
        main=company.is_main(),
        deadline=plan.upkeep.deadline,
    )
    average = WeightAverage(model, settings.weight_average) if settings.weight_average else None
    trainer = ClassificationTrainer(
        order,
        watch,
        average,
        settings.r_drop,
        model=model,
        args=_arguments(model, len(train), development is not None, plan),
        train_dataset=train,
        eval_dataset=development,
        data_collator=collator,
        compute_metrics=development_metrics,
        callbacks=[keeper] if average is None else [average, keeper],
    )
    # The loss is a batch's mean, so Trainer must divide it by the batches of a step; models that could count the
    # step's questions themselves make it believe that this has been done.
    trainer.model_accepts_loss_kwargs = False
    trainer.remove_callback(PrinterCallback)  # progress has its own way to the user
    return trainer, keeper


def _arguments(model: Any, rows: int, held_out: bool, plan: Plan) -> TrainingArguments:
    settings, upkeep = plan.settings, plan.upkeep
    steps = math.ceil(math.ceil(rows / settings.batch_size) / settings.gradient_accumulation_steps)
    device = next(model.parameters()).device.type
    arguments = TrainingArguments(
        output_dir=str(plan.scratch),
        per_device_train_batch_size=company.share_of(settings.batch_size),
        per_device_eval_batch_size=max(32, settings.batch_size),
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        warmup_steps=math.ceil(settings.warmup_share * steps * settings.epochs),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        optim="adamw_torch_fused",
        bf16=plan.precision == "bf16",
        fp16=plan.precision == "fp16",
        train_sampling_strategy="group_by_length",
        remove_unused_columns=False,
        label_names=["labels"],
        eval_strategy="epoch" if held_out else "no",
        save_strategy="epoch",
        save_total_limit=1,
        logging_strategy="epoch" if upkeep.report_to == "none" else "steps",
        logging_steps=max(1, steps // 50),
        logging_nan_inf_filter=False,  # a loss that is no number must be seen, not averaged away
        report_to=upkeep.report_to,
        run_name=plan.scratch.parent.name,
        disable_tqdm=True,
        seed=plan.seed,
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
