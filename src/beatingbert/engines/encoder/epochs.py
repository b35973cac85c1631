"""What happens between the steps: history, the best epoch, stopping early, checkpoints, and a halt when all is lost."""

from __future__ import annotations

import math
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from beatingbert.engines.encoder.checkpoints import last_checkpoint
from beatingbert.engines.encoder.order import LengthGroupedOrder
from beatingbert.engines.encoder.settings import LOSS, METRICS, EncoderSettings
from beatingbert.engines.encoder.vocabulary import whole_vocabulary
from beatingbert.engines.encoder.watch import LossWatch, weights_are_numbers
from beatingbert.errors import TrainingError
from beatingbert.progress import Progress


class KeepBest(TrainerCallback, ExportableState):  # type: ignore[misc]
    """Writes each epoch down and keeps the weights of the best one on the development part.

    Its own state travels in Trainer's checkpoints, so both are always of the same step. Weights of an epoch that turns
    out best go to `best-EPOCH` and replace the earlier ones only when a checkpoint knows of them.

    Args:
        scratch: folder of the checkpoints.
        settings: metric and patience.
        order: of the rows; told here which epoch begins.
        watch: the losses.
        progress: told after each step.
        checkpoint_steps: see `Upkeep`.
        questions: in train.
        main: whether this process, of several, writes and judges.
        deadline: see `Upkeep`.
    """

    def __init__(
        self,
        scratch: Path,
        settings: EncoderSettings,
        order: LengthGroupedOrder,
        watch: LossWatch,
        progress: Progress,
        *,
        checkpoint_steps: int | None,
        questions: int,
        main: bool,
        deadline: float | None = None,
    ) -> None:
        self.out_of_time = False
        self._deadline = deadline
        self.history: list[dict[str, float]] = []
        self.best_epoch = 0
        self._scratch = scratch
        self._settings = settings
        self._order = order
        self._watch = watch
        self._progress = progress
        self._checkpoint_steps = checkpoint_steps
        self._questions = questions
        self._main = main
        self._begun = self._epoch_begun = time.perf_counter()
        self._spent = 0.0  # seconds of earlier processes
        self._resumed: dict[str, float] = {}  # what they did of the epoch at hand
        self._kept_loss = 0.0  # sum of the epoch's losses at its last checkpoint
        self._rate = 0.0

    @property
    def seconds(self) -> float:
        """What the training has taken so far, evaluations included, in all processes that worked on it in turn."""
        return self._spent + time.perf_counter() - self._begun

    @property
    def best_folder(self) -> Path:
        """Where the weights of the best epoch are."""
        return self._scratch / f"best-{self.best_epoch}"

    def state(self) -> dict[str, Any]:
        """What a resumed training must know, for Trainer's checkpoint."""
        unfinished = {"loss": self._kept_loss, "seconds": time.perf_counter() - self._epoch_begun}
        kept = {"history": self.history, "best_epoch": self.best_epoch, "spent": self.seconds, "unfinished": unfinished}
        return {"args": {}, "attributes": kept}

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take up what the checkpoint holds; a fresh training finds its own beginning there."""
        kept = state.stateful_callbacks["KeepBest"]["attributes"]
        self.history = list(kept["history"])
        self.best_epoch = kept["best_epoch"]
        if state.global_step:
            self._spent = kept["spent"]
            if state.global_step % _epoch_steps(args, state):
                self._resumed = kept["unfinished"]

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Choose the epoch's order and begin to count."""
        self._order.set_epoch(state.global_step // _epoch_steps(args, state))
        self._watch.restart(self._resumed.get("loss", 0.0))
        self._epoch_begun = time.perf_counter() - self._resumed.get("seconds", 0.0)
        self._resumed = {}

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, optimizer: Any = None, **_: Any) -> None:
        """Remember the learning rate: afterwards only the next step's is known."""
        self._rate = float(optimizer.param_groups[0]["lr"])

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Tell how far the training is; see that the loss is a number; keep a checkpoint when one is due."""
        self._progress("training", state.global_step, state.max_steps)
        due = self._checkpoint_steps and state.global_step % self._checkpoint_steps == 0
        if due and state.global_step % _epoch_steps(args, state):  # at its end the epoch is judged first
            self._require_numbers(state, model)
            self._kept_loss = self._everyones_loss(args)
            control.should_save = True
        elif found := self._watch.look(state.global_step):
            self._halt(state, *found)
        if self._deadline is not None and time.monotonic() > self._deadline and state.global_step < state.max_steps:
            self.out_of_time = control.should_training_stop = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Write the epoch down."""
        seconds = time.perf_counter() - self._epoch_begun
        self._require_numbers(state, model)
        steps = state.global_step % _epoch_steps(args, state) or _epoch_steps(args, state)  # fewer if out of time
        self.history.append(
            {
                "epoch": round(float(state.epoch), 3),
                "train_loss": self._everyones_loss(args) / steps,
                "learning_rate": self._rate,
                "train_seconds": seconds,
                "examples_per_second": self._questions * steps / _epoch_steps(args, state) / seconds,
            }
        )
        if state.global_step >= state.max_steps or self.out_of_time:
            control.should_save = False  # the training has ended, there is nothing to come back to

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float], model: Any = None, **_: Any
    ) -> None:
        """Judge the epoch; keep it if it is better than all before (the earlier one wins a tie)."""
        if not math.isfinite(metrics["eval_loss"]):
            self._halt(state, state.global_step, metrics["eval_loss"], what="loss on development")
        epoch = self.history[-1]
        epoch["development_loss"] = float(metrics["eval_loss"])
        epoch |= {name: float(metrics[f"eval_{name}"]) for name in (*METRICS, "predicted_classes")}
        epoch["evaluation_seconds"] = float(metrics["eval_runtime"])
        if self.best_epoch == 0 or self._worth(epoch) > self._worth(self.history[self.best_epoch - 1]):
            self.best_epoch = len(self.history)
            if self._main:
                with whole_vocabulary(model):
                    model.save_pretrained(self.best_folder)
        patience = self._settings.early_stopping_patience
        if patience is not None and len(self.history) - self.best_epoch >= patience:
            control.should_training_stop = True
            control.should_save = False

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Now the checkpoint knows of the best epoch, and earlier ones can go."""
        if self._main:
            for folder in self._scratch.glob("best-*"):
                if folder != self.best_folder:
                    shutil.rmtree(folder)

    def _worth(self, epoch: dict[str, float]) -> float:
        metric = self._settings.metric_for_best
        return -epoch["development_loss"] if metric == LOSS else epoch[metric]

    def _everyones_loss(self, args: Any) -> float:
        """Sum of the epoch's losses so far, the mean over all processes."""
        if args.world_size == 1:
            return self._watch.sum
        total = torch.tensor(self._watch.sum, device=args.device)
        torch.distributed.all_reduce(total)
        return float(total) / int(args.world_size)

    def _require_numbers(self, state: Any, model: Any) -> None:
        if found := self._watch.look(state.global_step, wait=True):
            self._halt(state, *found)
        if not weights_are_numbers(model):
            self._halt(state, state.global_step, math.nan, what="model's weights")

    def _halt(self, state: Any, step: int, value: float, *, what: str = "training loss") -> None:
        if not self._main:
            return  # the gradients are shared, so the main process notices too, and it is the one who tells
        good = last_checkpoint(self._scratch, torch.distributed.get_world_size() if _in_company() else 1)
        kept = f"the last good checkpoint is {good.parent.name}/{good.name}" if good else "there is no checkpoint yet"
        raise TrainingError(
            f"the {what} became {value} at step {step} of {state.max_steps}, and {kept} in the run's folder: "
            "lower --lr, or use --no_fp16"
        )


def _in_company() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def _epoch_steps(args: Any, state: Any) -> int:
    """Optimiser steps of one epoch; epochs are whole, so the division is."""
    return int(state.max_steps // args.num_train_epochs)
