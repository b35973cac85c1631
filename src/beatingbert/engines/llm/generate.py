"""Replies written by the model, in batches, padded on the left so that every row goes on from its own last token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch


def drop_decoding_habits(model: Any) -> None:
    """Forget what the checkpoint's generation_config.json asks for, but for its end tokens.

    It may hold a repetition penalty (Qwen's does), which greedy decoding would obey too: words that stand in the
    prompt, as those of the labels do, would then be written less often than the model finds them likely.
    """
    from transformers import GenerationConfig

    model.generation_config = GenerationConfig(eos_token_id=model.generation_config.eos_token_id)


@torch.inference_mode()
def write_replies(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    *,
    bos: Sequence[int],
    batch_size: int,
    max_new_tokens: int,
    temperature: float,
    seed: int,
    stop_at_line: bool,
    on_batch: Callable[[int, int], None] = lambda done, total: None,
) -> list[str]:
    """One reply per prompt, in the order given.

    Args:
        model: a causal language model in evaluation mode.
        tokenizer: its tokenizer.
        prompts: whole prompts, chat markup included.
        bos: ids before every prompt.
        batch_size: prompts per call.
        max_new_tokens: longest reply.
        temperature: 0 is greedy; otherwise the softmax is sampled at this temperature, without top-k or top-p.
        seed: of the sampling.
        stop_at_line: whether a reply ends with its first line, as for a model that would go on with another example.
        on_batch: called with (prompts done, prompts in all).
    """
    if not prompts:
        return []
    device = next(model.parameters()).device
    ids = [[*bos, *one] for one in tokenizer(list(prompts), add_special_tokens=False, verbose=False)["input_ids"]]
    order = sorted(range(len(ids)), key=lambda at: -len(ids[at]))
    pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id or 0
    sampling = {"temperature": temperature, "top_k": 0, "top_p": 1.0} if temperature > 0 else {}
    stop = {"stop_strings": ["\n"], "tokenizer": tokenizer} if stop_at_line else {}
    replies: dict[int, str] = {}
    torch.manual_seed(seed)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        width = max(len(ids[at]) for at in chosen)
        rows = torch.tensor([[pad_id] * (width - len(ids[at])) + ids[at] for at in chosen], device=device)
        mask = torch.tensor([[0] * (width - len(ids[at])) + [1] * len(ids[at]) for at in chosen], device=device)
        written = model.generate(
            input_ids=rows,
            attention_mask=mask,
            max_new_tokens=max_new_tokens,
            do_sample=temperature > 0,
            pad_token_id=pad_id,
            **sampling,
            **stop,
        )
        texts = tokenizer.batch_decode(written[:, width:], skip_special_tokens=True)
        replies.update(zip(chosen, texts, strict=True))
        on_batch(len(replies), len(order))
    return [replies[at] for at in range(len(order))]
