"""Training by the Hugging Face Trainer; the best epoch is the one that answers the development part best.

Trainer brings warm-up, linear decay and clipping. It knows nothing of number formats and padding: the model computes in
its own format, and batches are packs.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch.utils.data import Dataset
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from beatingbert.engines.hush import hushed
from beatingbert.engines.lora.loss import AnswerLoss
from beatingbert.engines.lora.rows import Row
from beatingbert.engines.lora.settings import LoraSettings
from beatingbert.errors import SettingsError, TrainingError
from beatingbert.progress import Progress

TRIED = 3  # rows on which packs are held against the model's own forward pass
Judge = Callable[[], dict[str, float]]
"""Gives the development part's "accuracy", "macro_f1", "mcc" and whatever else the history shall
hold, with the weights as they are."""


class Rows(Dataset[dict[str, Any]]):
    """Rows as Trainer wants them."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        """How many examples."""
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One row; Trainer groups by the length of `input_ids`."""
        return {"row": self._rows[index], "input_ids": self._rows[index].read}

    def __iter__(self) -> Any:
        """Every row in order."""
        return (self[index] for index in range(len(self)))


def collate(features: Sequence[dict[str, Any]]) -> dict[str, list[Row]]:
    """A batch; it is laid out when its loss is computed."""
    return {"rows": [feature["row"] for feature in features]}


class AdapterTrainer(Trainer):  # type: ignore[misc]
    """Trainer whose loss is that of the answers."""

    def __init__(self, loss: AnswerLoss, **options: Any) -> None:
        super().__init__(**options)
        self.loss_is_scaled_for_ga = False  # it is a batch's mean, so Trainer must divide it by the batches of a step
        self.answer_loss = loss
        self.seen = 0
        self.total = torch.zeros(())

    def training_step(self, *args: Any, **options: Any) -> torch.Tensor:
        """One forward and one backward pass, both in the attention that reads packs."""
        with self.answer_loss.attention():
            step: torch.Tensor = super().training_step(*args, **options)
        return step

    def compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, **_: Any) -> Any:
        """Mean over the batch's examples."""
        loss = self.answer_loss(inputs["rows"])
        self.seen += len(inputs["rows"])
        self.total = self.total.to(loss.device) + loss.detach() * len(inputs["rows"])
        return loss

    def take_mean(self) -> float:
        """Mean loss of the examples seen since the last call."""
        mean = float(self.total) / max(1, self.seen)
        self.seen, self.total = 0, torch.zeros(())
        return mean


@dataclass(slots=True)
class Trained:
    """What a training has come to.

    Attributes:
        history: one entry per epoch.
        best_epoch: its number; the last where nothing was held out.
        packed: whether the common beginning of a batch was read once.
        out_of_time: whether the deadline ended it.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    packed: bool = False
    out_of_time: bool = False


class KeepBest(TrainerCallback):  # type: ignore[misc]
    """Reports progress, writes down each epoch and keeps the adapter of the best one on the development part."""

    def __init__(
        self,
        model: PeftModel,
        judge: Judge | None,
        keep: Callable[[], None],
        progress: Progress,
        deadline: float | None,
        metric: str,
    ) -> None:
        self._deadline = deadline
        self._metric = metric
        self.trained = Trained()
        self.trainer: AdapterTrainer | None = None
        self._model = model
        self._judge = judge
        self._keep = keep
        self._progress = progress
        self._best_score = -math.inf
        self._best: dict[str, torch.Tensor] = {}
        self._began = 0.0

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock."""
        self._began = time.perf_counter()

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop where the loss is no number any more, before the weights are none either."""
        assert self.trainer is not None
        if not torch.isfinite(self.trainer.total):
            raise TrainingError(
                f"the training loss became {float(self.trainer.total)} at step {state.global_step + 1}: "
                "lower --lr, or use --no_fp16"
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Tell how far the training is."""
        self._progress("training", state.global_step, state.max_steps)
        if self._deadline is not None and time.monotonic() > self._deadline and state.global_step < state.max_steps:
            self.trained.out_of_time = control.should_training_stop = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Write the epoch down; keep it if it is better than all before (the earlier one wins a tie)."""
        assert self.trainer is not None
        history = self.trained.history
        seconds = time.perf_counter() - self._began
        entry = {"epoch": float(len(history) + 1), "train_loss": self.trainer.take_mean(), "seconds": seconds}
        history.append(entry | (self._judge() if self._judge else {}))
        score = history[-1].get(self._metric, float(len(history)))  # without a judge the last epoch is the best
        if score > self._best_score:
            self._best_score, self.trained.best_epoch = score, len(history)
            self._best = {name: weight.detach().clone() for name, weight in trainable(self._model)}
            self._keep()

    def put_best_back(self) -> None:
        """Give the model the best epoch's adapter."""
        for name, weight in trainable(self._model):
            weight.data.copy_(self._best[name])


def trainable(model: PeftModel) -> list[tuple[str, torch.nn.Parameter]]:
    """Names and weights of the adapters, the only ones that are trained."""
    return [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]


def train_adapter(
    model: PeftModel,
    rows: Sequence[Row],
    settings: LoraSettings,
    *,
    precision: str,
    seed: int,
    scratch: Path,
    judge: Judge | None,
    keep: Callable[[str], None],
    progress: Progress,
    deadline: float | None = None,
) -> Trained:
    """Train the adapters in place and leave the best epoch's in the model.

    Args:
        model: with fresh adapters; its own weights are not touched.
        rows: what to learn.
        settings: how.
        precision: what the model computes in.
        seed: of the order and of dropout.
        scratch: a folder that Trainer insists on; nothing is left there.
        judge: None where nothing was held out.
        keep: called with "best_adapter" or "final_adapter" when the adapter as it is now is to be written.
        progress: told every step.
        deadline: see `Upkeep`.
    """
    if settings.gradient_checkpointing:
        _compute_layers_twice(model.get_base_model())
    keeper = KeepBest(model, judge, lambda: keep("best_adapter"), progress, deadline, settings.metric_for_best)
    try:
        loss = AnswerLoss(model.get_base_model(), sorted(rows, key=lambda row: len(row.read))[:TRIED])
        keeper.trained.packed = loss.is_packed
        with hushed():
            trainer = AdapterTrainer(
                loss,
                model=model,
                args=_arguments(model, len(rows), settings, precision, seed, scratch),
                train_dataset=Rows(rows),
                data_collator=collate,
                callbacks=[keeper],
            )
            trainer.remove_callback(PrinterCallback)  # progress has its own way to the user
            keeper.trainer = trainer
            trainer.train()
    except torch.cuda.OutOfMemoryError as error:
        raise TrainingError(
            f"the device's memory does not hold a batch of {settings.train_batch_size}; lower --batch_size and raise "
            "--gradient_accumulation_steps in turn, or use --gradient_checkpointing"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    keep("final_adapter")
    keeper.put_best_back()
    return keeper.trained


def _compute_layers_twice(model: Any) -> None:
    """Trade time for memory: layers are computed again when their gradients are wanted."""
    if not model.supports_gradient_checkpointing:
        raise SettingsError(
            f"a {model.config.model_type!r} model does not support --gradient_checkpointing; leave it out"
        )
    # transformers is about to change the name
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})


def _arguments(
    model: PeftModel, count: int, settings: LoraSettings, precision: str, seed: int, scratch: Path
) -> TrainingArguments:
    device = next(model.parameters()).device.type
    steps = math.ceil(math.ceil(count / settings.train_batch_size) / settings.gradient_accumulation_steps)
    arguments = TrainingArguments(
        output_dir=str(scratch),
        per_device_train_batch_size=settings.train_batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=math.ceil(settings.warmup_share * steps * settings.epochs),
        weight_decay=settings.weight_decay,
        max_grad_norm=1.0,
        optim="adamw_torch_fused",
        fp16=precision == "fp16",  # for its scaling of the loss; the weights themselves are in bf16 or fp16 already
        train_sampling_strategy="group_by_length",
        remove_unused_columns=False,
        label_names=["rows"],
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=seed,
        use_cpu=device == "cpu",
        dataloader_pin_memory=False,
    )
    arguments._n_gpu = min(1, arguments.n_gpu)  # else Trainer would multiply the batch by the machine's devices
    return arguments
