"""Questions as token ids: read once, grouped by length, padded to the longest of their own batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from beatingbert.tasks.example import Question
from beatingbert.tasks.spec import Shape, Task

if TYPE_CHECKING:  # other runtimes read the same batches without it
    import torch
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Encoded:
    """One question as the model reads it.

    Attributes:
        rows: one mapping (input_ids, and token_type_ids where the model has them) per sequence to read: one, or one
            per choice.
        lost_tokens: tokens that did not fit, summed over the rows.
    """

    rows: tuple[dict[str, list[int]], ...]
    lost_tokens: int

    @property
    def length(self) -> int:
        """Tokens of the longest row."""
        return max(len(row["input_ids"]) for row in self.rows)


def sequence_pairs(task: Task, question: Question) -> list[tuple[str, str | None]]:
    """The texts a model reads for one question: one pair, or one per choice; the second is None for a single text."""
    texts = list(question.texts.values())
    if task.shape is Shape.SINGLE:
        return [(texts[0], None)]
    if task.shape is Shape.PAIR:
        return [(texts[0], texts[1])]
    context = " ".join(texts)
    if task.blank is not None:
        before, after = task.blank.split(context)
        return [(before.strip(), f"{choice}{after}") for choice in question.choices]
    return [(context, choice) for choice in question.choices]


def encode(
    tokenizer: Any, task: Task, questions: Sequence[Question], *, max_length: int, token_types: bool
) -> list[Encoded]:
    """Tokenise questions, cutting the longer text of a pair first, and count what was lost.

    Args:
        tokenizer: of the checkpoint.
        task: says what a question looks like.
        questions: what to encode.
        max_length: most tokens per row, special ones included.
        token_types: whether the model tells the texts of a pair apart by type; asked for explicitly, because
            a tokenizer saved without its class does not give them by itself.
    """
    pairs = [sequence_pairs(task, question) for question in questions]
    flat = [pair for group in pairs for pair in group]
    if not flat:
        return []
    first = [pair[0] for pair in flat]
    second = None if flat[0][1] is None else [pair[1] for pair in flat]
    options = {"return_token_type_ids": token_types, "return_attention_mask": False}
    cut = tokenizer(first, second, truncation="longest_first", max_length=max_length, **options)
    whole = cut
    if any(len(ids) >= max_length for ids in cut["input_ids"]):
        whole = tokenizer(first, second, truncation=False, verbose=False, **options)
    rows = [{name: column[position] for name, column in cut.items()} for position in range(len(flat))]
    lost = [len(full) - len(ids) for full, ids in zip(whole["input_ids"], cut["input_ids"], strict=True)]
    encoded, start = [], 0
    for group in pairs:
        stop = start + len(group)
        encoded.append(Encoded(tuple(rows[start:stop]), sum(lost[start:stop])))
        start = stop
    return encoded


def pad(batch: Sequence[Encoded], *, pad_id: int, choice: bool) -> dict[str, torch.Tensor]:
    """One batch as tensors; see `pad_arrays`."""
    import torch

    return {name: torch.from_numpy(array) for name, array in pad_arrays(batch, pad_id=pad_id, choice=choice).items()}


def pad_arrays(batch: Sequence[Encoded], *, pad_id: int, choice: bool) -> dict[str, NDArray[Any]]:
    """One batch as arrays of whole numbers of 64 bits, and of truth values.

    Returns:
        input_ids, attention_mask and, where present, token_type_ids, each of shape (questions, tokens), or
        (questions, choices, tokens) for multiple choice. Questions with fewer choices than the batch's largest get
        rows without any token that may be attended to but the first; `choice_mask` (questions, choices) is False there.
    """
    width = max(one.length for one in batch)
    height = max(len(one.rows) for one in batch)
    names = list(batch[0].rows[0])
    arrays = {name: np.zeros((len(batch), height, width), dtype=np.int64) for name in names}
    arrays["input_ids"].fill(pad_id)
    mask = np.zeros((len(batch), height, width), dtype=np.int64)
    mask[:, :, 0] = 1  # a row that may attend to nothing would give NaN
    real = np.zeros((len(batch), height), dtype=np.bool_)
    for at, one in enumerate(batch):
        for row_at, row in enumerate(one.rows):
            for name in names:
                arrays[name][at, row_at, : len(row[name])] = row[name]
            mask[at, row_at, : len(row["input_ids"])] = 1
            real[at, row_at] = True
    arrays["attention_mask"] = mask
    if not choice:
        return {name: array[:, 0] for name, array in arrays.items()}
    return {**arrays, "choice_mask": real}
