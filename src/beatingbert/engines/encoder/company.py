"""Several processes that train one model together, as `torchrun` or `accelerate launch` start them.

Each runs the same program. All take part in training; the main one, of rank 0, alone writes, prints and scores. The
batch size is that of all together, so the number of processes changes how fast a cell is answered, not what it asks.
"""

from __future__ import annotations

import atexit
import os
from typing import Any

import torch

from beatingbert.errors import SettingsError


def size() -> int:
    """How many processes there are; 1 before they have met, and for a process on its own."""
    return torch.distributed.get_world_size() if _together() else 1


def is_main() -> bool:
    """Whether this process writes and judges."""
    return not _together() or torch.distributed.get_rank() == 0


def join() -> None:
    """Meet the other processes of this launch, and take the GPU that is this one's."""
    from accelerate import PartialState  # type: ignore[import-untyped]

    cpu = not torch.cuda.is_available()
    if cpu:
        os.environ["ACCELERATE_USE_CPU"] = "true"  # else Trainer's own state looks for a GPU to meet on
    PartialState(cpu=cpu)
    if not _together():
        raise SettingsError(
            "WORLD_SIZE says that several processes train together, but they cannot be found: start them with "
            "'torchrun --nproc_per_node N' or 'accelerate launch', or unset WORLD_SIZE"
        )
    atexit.register(leave)


def leave() -> None:
    """Part from the others."""
    if _together():
        torch.distributed.destroy_process_group()


def tell(value: Any) -> Any:
    """The main process's `value`, in every process."""
    box = [value]
    torch.distributed.broadcast_object_list(box, src=0)
    return box[0]


def meet() -> None:
    """Wait until all are here."""
    if _together():
        torch.distributed.barrier()


def share_of(batch_size: int) -> int:
    """This process's part of a batch.

    Raises:
        SettingsError: it cannot be shared evenly.
    """
    if batch_size % size():
        raise SettingsError(
            f"--batch_size {batch_size} cannot be shared evenly by {size()} processes; it is that of all together, so "
            f"choose a multiple of {size()}"
        )
    return batch_size // size()


def _together() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
