"""One question after the other through `generate`, as the first study answered: the reply's words decide.

Source: alexjacobs08/beatingBERT, src/models/llm_inference.py, which loads in fp32 on a processor. It wrote up to 3 new
tokens at first and up to 20 later; here it is 3, the faster for the peer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from beatingbert.prompts.parse import parse_reply
from benchmarks.answers import Answers, Material, timed
from benchmarks.ours import load_model, load_tokenizer

NEW_TOKENS = 3
WARM_UP = 2  # questions


def missing() -> str | None:
    """It needs nothing that we do not need ourselves."""
    return None


def open(reference: str, folder: Path, device: str) -> Generation:
    """Load the checkpoint in fp32."""
    return Generation(load_model(folder, "fp32", device), load_tokenizer(folder))


class Generation:
    """A model that writes its answers, one at a time.

    Args:
        model: a causal language model in evaluation mode.
        tokenizer: its tokenizer.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model = model
        self._tokenizer = tokenizer

    @property
    def name(self) -> str:
        """What it does and in which precision."""
        return "one-at-a-time generation, fp32"

    def answer(self, material: Material) -> Answers:
        """Write and read a reply per question."""
        for one in material.asked[:WARM_UP]:
            self._write(one.text, material)
        seconds, replies = timed(lambda: [self._write(one.text, material) for one in material.asked])
        labels = [
            parse_reply(reply, {label: words.strip() for label, words in one.answers.items()})
            for one, reply in zip(material.asked, replies, strict=True)
        ]
        return Answers(seconds=seconds, labels=labels, how=f"{NEW_TOKENS} new tokens")

    @torch.inference_mode()
    def _write(self, prompt: str, material: Material) -> str:
        own = self._tokenizer(prompt, add_special_tokens=False, verbose=False)["input_ids"]
        ids = torch.tensor([[*material.bos, *own]], device=self._model.device)
        end = self._tokenizer.eos_token_id
        written = self._model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            pad_token_id=self._tokenizer.pad_token_id if self._tokenizer.pad_token_id is not None else end,
        )
        reply: str = self._tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True)
        return reply
