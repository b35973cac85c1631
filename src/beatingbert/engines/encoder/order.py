"""In which order train is read: random, in batches of like length, and a matter of seed and epoch alone.

Trainer's own sampler draws from torch's global sequence, whose state in the middle of an epoch nobody has kept, and
which differs between the processes of one run. Here a resumed training and every process find the same order again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import get_length_grouped_indices


class LengthGroupedOrder(Sampler[int]):
    """One order per seed and epoch.

    Args:
        lengths: tokens of each question.
        batch_size: questions per optimiser step, all processes together.
        seed: of the whole training.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self._lengths = list(lengths)
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, counted from 0, whose order comes next."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        text = f"order {self._seed} {self._epoch}"
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
        generator = torch.Generator().manual_seed(number)
        return iter(get_length_grouped_indices(self._lengths, self._batch_size, generator=generator))
