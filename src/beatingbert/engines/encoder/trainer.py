"""The Hugging Face Trainer over encoded questions: its rows, its batches, its loss and what an epoch is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import Trainer

from beatingbert.engines.encoder.average import WeightAverage
from beatingbert.engines.encoder.batches import Encoded, pad
from beatingbert.engines.encoder.order import LengthGroupedOrder
from beatingbert.engines.encoder.watch import LossWatch


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
    """Trainer whose loss leaves out choices that a question does not have, and is watched.

    Args:
        order: of the rows.
        watch: hears each step's loss.
        average: of the weights, which is what epochs are judged by; it must be among the callbacks too.
        r_drop: see `EncoderSettings`.
        options: Trainer's own.
    """

    def __init__(
        self, order: LengthGroupedOrder, watch: LossWatch, average: WeightAverage | None, r_drop: float, **options: Any
    ) -> None:
        self.average = average
        self._order = order
        self._watch = watch
        self._r_drop = r_drop
        super().__init__(**options)

    def evaluate(self, *given: Any, **named: Any) -> dict[str, float]:
        """The metrics of the averaged weights where there are any."""
        with self.average.in_place() if self.average is not None else nullcontext():
            found: dict[str, float] = super().evaluate(*given, **named)
        return found

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

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        super()._save(output_dir, state_dict)
        if self.average is not None:
            self.average.save(Path(output_dir or self.args.output_dir))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        if self.average is not None:
            self.average.load(Path(resume_from_checkpoint))

    def compute_loss(self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, **_: Any) -> Any:
        """Mean cross-entropy of the batch, with R-Drop's divergence in training where that is asked for."""
        labels = inputs.pop("labels")
        if self._r_drop and model.training:
            return self._two_passes(model, inputs, labels)
        logits = masked_logits(model, inputs)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        return (loss, {"loss": loss, "logits": logits}) if return_outputs else loss

    def _two_passes(self, model: Any, inputs: dict[str, torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        """Half of equation 4 of Liang et al. (2021): the mean of both cross-entropies and alpha/2 times the divergence.

        Both passes are one of twice the questions, as dropout differs between rows anyway.
        """
        logits = masked_logits(model, {name: torch.cat([value, value]) for name, value in inputs.items()}).float()
        one, other = torch.log_softmax(logits, dim=-1).chunk(2)
        entropy = torch.nn.functional.nll_loss(torch.cat([one, other]), torch.cat([labels, labels]))
        apart = (one - other).nan_to_num(0.0)  # a choice that a question does not have is minus infinity in both
        divergence = 0.5 * ((one.exp() - other.exp()) * apart).sum(dim=-1).mean()
        return entropy + 0.5 * self._r_drop * divergence


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
