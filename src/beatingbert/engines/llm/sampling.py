"""Sampling that gives each question a stream of random numbers of its own.

The most likely token after Gumbel noise is a draw from the softmax (Gumbel, 1954; Maddison et al., 2014, A* Sampling,
section 2). So a token can be drawn by greedy decoding of noisy logits, and what one question draws depends neither on
the batch that it is written in nor on the device: the noise is made on the processor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from transformers import LogitsProcessor

from beatingbert.engines.llm.reply import Reply


class GumbelNoise(LogitsProcessor):  # type: ignore[misc]
    """Adds noise to each row's logits, after which their maximum is a draw from softmax(logits / temperature).

    Args:
        replies: those being written, one per row; rows that are over draw nothing.
        streams: each row's random numbers, in the same order.
        temperature: more than 0.
    """

    def __init__(self, replies: Sequence[Reply], streams: Sequence[np.random.Generator], temperature: float) -> None:
        self._replies = replies
        self._streams = streams
        self._temperature = temperature

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Noisy logits of shape (rows, vocabulary), in place of those given."""
        for row, (reply, stream) in enumerate(zip(self._replies, self._streams, strict=True)):
            if not reply.is_over:
                noise = self._temperature * draw_gumbel(stream, scores.shape[1])
                scores[row] += noise.float().to(scores.device)
        return scores


def draw_gumbel(stream: np.random.Generator, count: int) -> torch.Tensor:
    """Standard Gumbel noise, shape (count,), in fp64: in fp32 the unlikeliest of many tokens would be drawn wrongly."""
    return -torch.log(-torch.log(torch.from_numpy(stream.random(count))))


def open_stream(seed: int, question_id: str) -> np.random.Generator:
    """The random numbers of one question under one seed: the same in every process and on every machine."""
    digest = hashlib.sha256(f"{seed} {question_id}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))
