"""The exact conditional log-likelihood of each label's words, given the prompt.

Prompt and label are tokenised together and split where the token boundary really falls; sequences that share their
context are run once; the output layer is applied only where a label's token is predicted. Right padding: a causal
model never looks at what comes later, so padding cannot change a score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from beatingbert.engines.llm.wording import Asked


@dataclass(frozen=True, slots=True)
class Scored:
    """Log-likelihoods of one question's labels.

    Attributes:
        log_likelihood: label to the natural logarithm of P(label's words | prompt), summed over its tokens.
        tokens: label to the number of tokens that were scored.
    """

    log_likelihood: dict[str, float]
    tokens: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Where in a sequence of ids the log-probability of one token is wanted, and for which label."""

    question: int
    label: str
    position: int  # the logits at this position predict the token
    token: int


def split_at_boundary(prompt: Sequence[int], whole: Sequence[Sequence[int]]) -> int:
    """How many leading tokens are context: those that the prompt and every tokenised prompt-with-label share.

    Where a label's first token merges with the prompt's last one, the context ends before the merged token, which
    is then scored as part of the label. At least one token of each label is left to score.
    """
    shared = 0
    for column in zip(prompt, *whole, strict=False):
        if any(token != column[0] for token in column):
            break
        shared += 1
    return min(shared, min(map(len, whole)) - 1)


@torch.inference_mode()
def score_labels(
    model: Any,
    tokenizer: Any,
    asked: Sequence[Asked],
    *,
    bos: Sequence[int],
    batch_size: int,
    on_batch: Callable[[int, int], None] = lambda done, total: None,
) -> list[Scored]:
    """Score every label of every question.

    Args:
        model: a causal language model in evaluation mode.
        tokenizer: its tokenizer.
        asked: prompts with the answers to score.
        bos: ids before every prompt.
        batch_size: sequences per forward pass; it does not change the scores beyond floating-point noise.
        on_batch: called with (sequences done, sequences in all).

    Returns:
        One entry per question, in the order given. Logarithms are computed in fp32 over the whole vocabulary.
    """
    sequences: dict[tuple[int, ...], list[_Wanted]] = {}
    counts: list[dict[str, int]] = []
    for number, one in enumerate(asked):
        texts = [one.text, *(one.text + answer for answer in one.answers.values())]
        prompt, *whole = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        shared = split_at_boundary(prompt, whole)
        if shared == 0 and not bos:
            raise ValueError("nothing comes before the first scored token, so it has no probability")
        for label, ids in zip(one.answers, whole, strict=True):
            sequence = (*bos, *ids[:-1])  # the last token is predicted, never read
            wanted = sequences.setdefault(sequence, [])
            for at in range(shared, len(ids)):
                wanted.append(_Wanted(number, label, len(bos) + at - 1, ids[at]))
        counts.append({label: len(ids) - shared for label, ids in zip(one.answers, whole, strict=True)})
    totals = [dict.fromkeys(one.answers, 0.0) for one in asked]
    order = sorted(sequences, key=lambda ids: -len(ids))
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        for token, value in _run(model, batch, [sequences[ids] for ids in batch]):
            totals[token.question][token.label] += value
        on_batch(min(start + batch_size, len(order)), len(order))
    return [Scored(*pair) for pair in zip(totals, counts, strict=True)]


def _run(model: Any, batch: Sequence[tuple[int, ...]], wanted: Sequence[list[_Wanted]]) -> list[tuple[_Wanted, float]]:
    """One forward pass; the log-probability of each wanted token."""
    device = next(model.parameters()).device
    width = max(map(len, batch))
    ids = torch.zeros((len(batch), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(batch):
        ids[row, : len(sequence)] = torch.tensor(sequence)
        mask[row, : len(sequence)] = 1
    flat = [(row, one) for row, group in enumerate(wanted) for one in group]
    positions = sorted({one.position for _, one in flat})
    column = {position: at for at, position in enumerate(positions)}
    logits = model(
        input_ids=ids.to(device),
        attention_mask=mask.to(device),
        logits_to_keep=torch.tensor(positions, device=device),
        use_cache=False,
    ).logits
    rows = torch.tensor([row for row, _ in flat], device=device)
    columns = torch.tensor([column[one.position] for _, one in flat], device=device)
    tokens = torch.tensor([one.token for _, one in flat], device=device)
    values = torch.log_softmax(logits[rows, columns].float(), dim=-1).gather(1, tokens[:, None])[:, 0]
    return list(zip((one for _, one in flat), values.tolist(), strict=True))
