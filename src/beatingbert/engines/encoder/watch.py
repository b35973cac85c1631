"""Notices a training loss that is no number any more, at every step, without making a GPU wait for the answer."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import torch

EVERY = 16  # steps between looks on devices that can only be asked by waiting for them


class LossWatch:
    """Adds up the losses of an epoch where they are computed. A sum shows any part of it that is no number."""

    def __init__(self) -> None:
        self._sum: torch.Tensor | None = None
        self._before = 0.0
        self._asked: deque[tuple[int, torch.Tensor, Any]] = deque()

    def restart(self, before: float = 0.0) -> None:
        """Begin an epoch, of which `before` was summed up in an earlier process."""
        self._sum, self._before = None, before
        self._asked.clear()

    def add(self, loss: torch.Tensor) -> None:
        """Take one loss, detached and scaled to be a part of its step's."""
        self._sum = loss + self._before if self._sum is None else self._sum + loss

    @property
    def sum(self) -> float:
        """All losses of the epoch so far; waits for the device."""
        return self._before if self._sum is None else float(self._sum)

    def look(self, step: int, *, wait: bool = False) -> tuple[int, float] | None:
        """The first step whose loss is no number, with the value; None as far as is known.

        Args:
            step: the step that has just ended.
            wait: know for sure now. Without it a GPU's answer comes a few steps late, with the right step.
        """
        if self._sum is None:
            return None
        if self._sum.device.type == "cuda":
            self._ask(step, self._sum)
            return self._hear(wait)
        if self._sum.device.type != "cpu" and not wait and step % EVERY:
            return None
        value = float(self._sum)
        return None if math.isfinite(value) else (step, value)

    def _ask(self, step: int, total: torch.Tensor) -> None:
        here = torch.empty((), dtype=total.dtype, pin_memory=True)
        here.copy_(total, non_blocking=True)
        arrived = torch.cuda.Event()
        arrived.record()
        self._asked.append((step, here, arrived))

    def _hear(self, wait: bool) -> tuple[int, float] | None:
        while self._asked and (wait or self._asked[0][2].query()):
            step, here, arrived = self._asked.popleft()
            arrived.synchronize()
            if not math.isfinite(value := float(here)):
                return step, value
        return None


def weights_are_numbers(model: torch.nn.Module) -> bool:
    """Whether every weight is finite: what is about to be kept must be worth coming back to."""
    norms = torch._foreach_norm([weight.detach() for weight in model.parameters()], ord=math.inf)
    return bool(torch.isfinite(torch.stack(norms)).all())
