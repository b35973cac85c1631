"""The classification head: fresh, kept from an earlier training, or refused because it was trained for something else.

A head that answers other labels would be trained on from an arbitrary start: at best slow, at worst a swapped pair of
labels that begins far below chance. So it is thrown away only where the user says so, and kept only where it fits.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from transformers import AutoModel

from beatingbert.errors import CheckpointError
from beatingbert.tasks.spec import Shape, Task

TRAINED = ("ForSequenceClassification", "ForMultipleChoice", "ForTokenClassification")
"""Ends of architectures whose head has the name under which we look for ours."""


def head_of(config: Any) -> str | None:
    """Which trained head a checkpoint carries, as the end of its architecture's name; None for a bare encoder."""
    architecture = (config.architectures or ["none"])[0]
    return next((head for head in TRAINED if architecture.endswith(head)), None)


def judge_head(config: Any, task: Task, reference: str, *, fresh_head: bool) -> str:
    """What becomes of the checkpoint's head in a new training: "fresh", "kept" or "replaced".

    A head of the right size whose labels have no names (LABEL_0, LABEL_1, ...) is kept: they may well be the task's.

    Raises:
        CheckpointError: it was trained for something else, and the user has not said that it may go.
    """
    head = head_of(config)
    if head is None:
        return "fresh"
    if fresh_head:
        return "replaced"
    way_out = "give --fresh_head to throw it away and train a new one"
    wanted = "ForMultipleChoice" if task.shape is Shape.CHOICE else "ForSequenceClassification"
    if head != wanted:
        raise CheckpointError(f"{reference!r} carries a head {head}, but task {task.name!r} needs {wanted}; {way_out}")
    if not task.labels:
        return "kept"
    names = [str(config.id2label.get(number)) for number in range(config.num_labels)]
    if len(names) != len(task.labels):
        raise CheckpointError(
            f"{reference!r} carries a head trained for {len(names)} labels ({', '.join(names[:10])}), but task "
            f"{task.name!r} has {len(task.labels)} ({', '.join(task.labels[:10])}); {way_out}"
        )
    nameless = all(re.fullmatch(r"LABEL_\d+", name) for name in names)
    if not nameless and names != list(task.labels):
        raise CheckpointError(
            f"{reference!r} carries a head trained for the labels {names}, but task {task.name!r} has "
            f"{list(task.labels)} in this order; {way_out}"
        )
    return "kept"


def with_new_head(auto: Any, path: Any, config: Any) -> Any:
    """The checkpoint's encoder under a head drawn from torch's seed.

    Args:
        auto: the AutoModel class of the head.
        path: folder of the checkpoint.
        config: with the task's labels.
    """
    model = auto.from_config(config, dtype=torch.float32)
    encoder = AutoModel.from_pretrained(path, config=config, dtype=torch.float32)
    own = getattr(model, model.base_model_prefix)
    trained = encoder.state_dict()
    # A bare encoder may have parts, such as a pooler, that this head has no use for.
    own.load_state_dict({name: trained[name] for name in own.state_dict()})
    return model
