"""Where to compute, in which number format, on how many threads: one policy for every engine.

Knows what the hardware can do, not how fast a model is on it.
"""

from __future__ import annotations

import os
from typing import Literal

from beatingbert.cores import usable_cores

Precision = Literal["bf16", "fp16", "fp32"]

OVERFLOWS_IN_FP16 = ("gemma2", "gemma3")
"""Starts of model types whose activations exceed 65,504, the largest fp16 number."""

CPU_BF16_FEATURES = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""Instruction sets that multiply bfloat16 in hardware: x86 servers, then ARM."""


def best_device() -> str:
    """'cuda' where there is one, else 'mps', else 'cpu'."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def choose_precision(device: str, *, full: bool, model_type: str | None = None) -> Precision:
    """The fastest number format that the device computes in hardware and the model survives.

    Args:
        device: 'cuda', 'cuda:1', 'mps' or 'cpu'.
        full: fp32 without further questions, for comparisons to the last bit.
        model_type: as in config.json, e.g. 'gemma3_text'; None if it is not known yet.
    """
    if full:
        return "fp32"
    kind = device.partition(":")[0]
    if _has_bf16(kind):
        return "bf16"
    overflows = model_type is not None and model_type.startswith(OVERFLOWS_IN_FP16)
    return "fp16" if kind in ("cuda", "mps") and not overflows else "fp32"


def set_threads() -> int:
    """Give torch as many threads as there are usable cores, unless OMP_NUM_THREADS says otherwise; returns the number.

    Without it torch counts the machine's cores, and in a small container threads then wait for each other.
    """
    import torch

    if not os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(usable_cores())
    return torch.get_num_threads()


def keep_freed_memory() -> bool:
    """Keep what tensors free for the next tensors, where the C library is glibc; returns whether it is.

    By default glibc gets every large tensor from the system and gives it back at once, and the system clears each page
    anew: a tenth of a small model's forward pass on a processor. Peak memory stays as it is.
    """
    import ctypes
    import platform

    if platform.libc_ver()[0] != "glibc":
        return False
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # names and numbers: mallopt(3)
    mallopt = ctypes.CDLL(None).mallopt
    sizes = {mmap_threshold: 1 << 30, trim_threshold: (1 << 31) - 1, top_pad: 1 << 26}
    return all(mallopt(option, size) == 1 for option, size in sizes.items())


def _has_bf16(kind: str) -> bool:
    import torch

    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if kind == "mps":
        return bool(torch.backends.mps.is_macos_or_newer(14, 0))
    if kind == "cpu":
        features = torch.cpu.get_capabilities()
        return any(features.get(feature, False) for feature in CPU_BF16_FEATURES)
    return False
