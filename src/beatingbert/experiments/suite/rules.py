"""Rules of thumb for cells that nobody has run yet: how much there is to read, how large a checkpoint is.

Good to a factor, not to a percent; whoever uses them says so. Nothing is downloaded and no library is loaded.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from beatingbert.checkpoints.catalog import WHEEL_CHECKPOINTS
from beatingbert.checkpoints.device import CPU_BF16_FEATURES
from beatingbert.cores import usable_cores
from beatingbert.tasks.load import Source
from beatingbert.tasks.spec import Task

TYPICAL = {
    "sst2": (67_349, 872, 25),
    "rte": (2_490, 277, 75),
    "boolq": (9_427, 3_270, 150),
    "anli_r1": (16_946, 1_000, 95),
    "anli_r2": (45_460, 1_000, 95),
    "anli_r3": (100_459, 1_200, 95),
    "mnli": (392_702, 19_647, 40),
    "mnli_matched": (392_702, 9_815, 40),
    "mnli_mismatched": (392_702, 9_832, 40),
    "qqp": (363_846, 40_430, 30),
    "mrpc": (3_668, 408, 55),
    "hellaswag": (39_905, 10_042, 180),
    "winogrande": (40_398, 1_267, 60),
    "arc_challenge": (1_119, 299, 90),
    "rotten_tomatoes": (8_530, 1_066, 30),
}
"""Rows of train, rows that are reported and tokens per question (all choices together), as the hub has them."""
OTHERWISE = (10_000, 1_000, 80)

KNOWN_PARAMETERS = {
    "bert-base": 110e6,
    "bert-large": 335e6,
    "roberta-base": 125e6,
    "deberta-v3-base": 184e6,
    "deberta-v3-large": 435e6,
    "modernbert-base": 150e6,
    "mpnet-base": 110e6,
}
"""By the beginning of a hub name; others say their size in their name, or are taken for 150 million."""

BYTES_PER_PARAMETER = 4
FLOPS_PER_CORE = {"bf16": 2.5e11, "fp32": 1e11}
"""Taken from records of an AMD EPYC with AVX-512 and its bf16, nothing else running: SmolLM2 with five demonstrations
2.7e11 on one core and 4.7e11 on two (ANLI R1, 200 rows), without any 5.9e11 on two (SST-2, 872 rows); MiniLM in
training 8.5e11 on two (docs/LOG.md, 250 rows a second). In fp32 half of that and less."""

FLOPS_WITH_GPU = 3e13


def rows_of(task: Task, source: Source, split: str) -> int:
    """Labelled rows of a split: counted where its file is here, else as published."""
    counted = source.count(split)
    if counted is not None:
        return counted
    train, reported, _ = TYPICAL.get(task.name, OTHERWISE)
    return train if split == task.train else reported // len(task.evaluation)


def tokens_of(task: Task) -> int:
    """Tokens of one question."""
    return TYPICAL.get(task.name, OTHERWISE)[2]


def parameters_of(reference: str) -> float:
    """Weights of a checkpoint: from the table of wheels, from the files of a folder, or from its name."""
    for entry in WHEEL_CHECKPOINTS:
        if entry.reference == reference:
            return float(entry.parameters)
    path = Path(reference).expanduser()
    if path.is_dir():
        return sum(file.stat().st_size for file in path.glob("*.safetensors")) / BYTES_PER_PARAMETER or 150e6
    name = reference.rpartition("/")[2].lower()
    for start, parameters in KNOWN_PARAMETERS.items():
        if name.startswith(start):
            return parameters
    said = re.search(r"(\d+(?:\.\d+)?)(b|m)(?![a-z])", name)
    return float(said[1]) * (1e9 if said[2] == "b" else 1e6) if said else 150e6


def flops_here() -> float:
    """Floating-point operations per second that this machine may really deliver on a model."""
    if shutil.which("nvidia-smi"):
        return FLOPS_WITH_GPU
    return FLOPS_PER_CORE["bf16" if _has_bf16() else "fp32"] * usable_cores()


def _has_bf16(told: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor says that it multiplies bfloat16; torch, which knows, is not loaded for a plan."""
    try:
        words = set(told.read_text(encoding="utf-8", errors="replace").split())
    except OSError:
        return False
    return not words.isdisjoint(CPU_BF16_FEATURES)
