"""Rows to learn from, and the independent way to their loss: transformers' own, with every other token left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model

from beatingbert.engines.lora.layers import quiet_peft
from beatingbert.engines.lora.rows import Row

BEGINNING = (5, 9, 30, 31, 32, 33)
ROWS = [
    Row((*BEGINNING, 40, 41, 42), (50,)),
    Row((*BEGINNING, 43), (51, 52, 53)),
    Row((*BEGINNING, *range(60, 80)), (50, 54)),  # past any sliding window
    Row((*BEGINNING, 40, 41, 42), (55,)),  # the first again, with another answer
]


def own_loss(model: Any, rows: Sequence[Row]) -> torch.Tensor:
    """What transformers computes over padded rows whose labels are -100 but for the answers, per example."""
    width = max(len(row.context) + len(row.answer) for row in rows)
    ids, mask, labels = [], [], []
    for row in rows:
        padding = width - len(row.context) - len(row.answer)
        ids.append([*row.context, *row.answer, *[0] * padding])
        mask.append([1] * (width - padding) + [0] * padding)
        labels.append([-100] * len(row.context) + [*row.answer] + [-100] * padding)
    loss: torch.Tensor = model(
        input_ids=torch.tensor(ids),
        attention_mask=torch.tensor(mask),
        labels=torch.tensor(labels),
        num_items_in_batch=len(rows),
        use_cache=False,
    ).loss
    return loss


def with_plain_adapters(model: Any, targets: Any = "all-linear", rank: int = 4) -> PeftModel:
    """PEFT's own layers, with factors that are not zero, so that every gradient counts."""
    conv = model.config.model_type == "gpt2"
    with quiet_peft():
        config = LoraConfig(task_type="CAUSAL_LM", r=rank, target_modules=targets, fan_in_fan_out=conv)
        adapted = get_peft_model(model, config)
    scramble(adapted)
    return adapted.eval()


def scramble(model: PeftModel) -> None:
    """Draw the factors anew, none of them zero."""
    torch.manual_seed(3)
    for name, weight in model.named_parameters():
        if ".lora_" in name:
            torch.nn.init.normal_(weight, std=0.05)


def gradients_of(loss: torch.Tensor, model: Any) -> dict[str, torch.Tensor]:
    """Name to gradient of everything that is trained."""
    wanted = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    return dict(zip(wanted, torch.autograd.grad(loss, list(wanted.values())), strict=True))
