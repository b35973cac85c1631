"""A running average of the weights over the steps of a training, which answers in place of the last step's weights.

Polyak and Juditsky (1992), in the exponential form that Keras, timm and Diffusers use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch.optim.swa_utils import get_ema_multi_avg_fn
from transformers import TrainerCallback

FILE = "average.safetensors"  # in a checkpoint of Trainer's


class WeightAverage(TrainerCallback):  # type: ignore[misc]
    """The exponential moving average of a model's weights.

    At step t the average keeps min(decay, (1 + t) / (10 + t)) of what it was, so that a short training does not answer
    with the weights it began with.

    Args:
        model: whose weights are followed; they are copied, as large as the model itself.
        decay: share of the average that each later step leaves as it was, below 1.
    """

    def __init__(self, model: Any, decay: float) -> None:
        self._model = model
        self._decay = decay
        self._weights = {name: weight.detach().clone() for name, weight in model.named_parameters()}

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take the step's weights in."""
        step = state.global_step
        mix = get_ema_multi_avg_fn(min(self._decay, (1 + step) / (10 + step)))
        mix(list(self._weights.values()), [weight.detach() for weight in self._model.parameters()], step)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model answers with the average while this lasts."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def settle(self) -> None:
        """Leave the average in the model for good."""
        self._swap()

    def save(self, checkpoint: Path) -> None:
        """Write the average beside the step's own weights, from which the training would go on."""
        save_file({name: weight.contiguous() for name, weight in self._weights.items()}, checkpoint / FILE)

    def load(self, checkpoint: Path) -> None:
        """Take up the average that a checkpoint holds."""
        for name, weight in load_file(checkpoint / FILE).items():
            self._weights[name].copy_(weight)

    def _swap(self) -> None:
        for name, weight in self._model.named_parameters():
            weight.data, self._weights[name] = self._weights[name], weight.data
