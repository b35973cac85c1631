"""Who can take part in a decision on these data, and what that is reckoned to take."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from beatingbert.checkpoints.catalog import WHEEL_PREFIX, find_wheel_checkpoint
from beatingbert.checkpoints.reference import describe_download, resolve
from beatingbert.decision.budget import Budget
from beatingbert.decision.candidates import Candidate
from beatingbert.decision.climb import Left
from beatingbert.decision.costs import CostModel, probe_speed
from beatingbert.decision.limits import Limits
from beatingbert.engines.catalog import load_code
from beatingbert.errors import BeatingBertError, TooFewExamplesError
from beatingbert.progress import Progress
from beatingbert.tasks.example import Example
from beatingbert.tasks.splits import Splits

MOST_CLASSES = 150
SERVED = "served"  # its weights lie elsewhere
BYTES_PER_TOKEN = 4.0
BYTES_PER_WEIGHT = 3.0  # of files that hold 16 or 32 bits a weight
SAMPLED = 500  # rows, for the usual length of a text


def require_decidable(labels: Sequence[str], splits: Splits) -> None:
    """See that there is something to decide between, and rows to decide on.

    Raises:
        TooFewExamplesError: too few rows or labels, or too many labels.
    """
    if not 2 <= len(labels) <= MOST_CLASSES:
        raise TooFewExamplesError(
            f"a decision is made between 2 to {MOST_CLASSES} classes, the data have {len(labels)}; join rare ones or "
            "leave them out"
        )
    test = next(iter(splits.evaluation.values()), [])
    if len(splits.development) < 2 or len(test) < 2:
        raise TooFewExamplesError(
            f"a decision needs rows to choose on and to report on; of {len(splits.train)} train rows "
            f"{len(splits.development)} are for the one and {len(test)} for the other. Label more rows"
        )


def admit(
    candidates: Sequence[Candidate], limits: Limits, budget: Budget, progress: Progress
) -> tuple[list[Candidate], list[Left]]:
    """Fetch weights, with the clock stopped where they come over a network, and see who is too large anyway."""
    able, left = [], []
    load_code({one.engine for one in candidates})
    for candidate in candidates:
        reason = None
        if candidate.checkpoint and candidate.engine != SERVED:
            try:
                fetched = describe_download(candidate.checkpoint) is not None
                with budget.paused() if fetched else nullcontext():
                    found = resolve(candidate.checkpoint, progress=progress)
                reason = limits.broken_by_size(found.disk_bytes)
            except BeatingBertError as error:
                reason = " ".join(str(error).split())
        if reason is None:
            able.append(candidate)
        else:
            left.append(Left(candidate, reason))
    return able, left


def reckon(able: Sequence[Candidate], labels: Sequence[str], train: Sequence[Example]) -> CostModel:
    """What their trials will take, before any has been made."""
    rows = train[:SAMPLED]
    size = sum(len(text.encode()) for one in rows for text in one.question.texts.values()) / max(1, len(rows))
    return CostModel(
        {one.name: _weights(one) for one in able if one.checkpoint and one.engine != SERVED},
        tokens=size / BYTES_PER_TOKEN + 4,
        label_tokens=sum(len(label.encode()) / BYTES_PER_TOKEN + 1 for label in labels),
        flops=probe_speed(),
    )


def _weights(candidate: Candidate) -> float:
    reference = candidate.checkpoint
    if reference.startswith(WHEEL_PREFIX):
        return float(find_wheel_checkpoint(reference).parameters)
    return resolve(reference).disk_bytes / BYTES_PER_WEIGHT
