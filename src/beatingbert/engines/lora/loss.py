"""The loss: how unlikely the gold answers' tokens are, over the whole vocabulary, and nothing at any other token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from beatingbert.engines.llm.likelihood import ROUGH_TOLERANCE, TOLERANCE
from beatingbert.engines.llm.output_layer import OutputLayer
from beatingbert.engines.lora.pack import make_pack, read, shared_attention
from beatingbert.engines.lora.rows import Row
from beatingbert.errors import is_out_of_memory

MOST_LOGITS = 2**22  # kept for their gradients at a time; with more, they are computed twice instead


class AnswerLoss:
    """Loss of batches under one model.

    Args:
        model: a causal language model, adapters included.
        rows: a few rows to try on whether packs give the model's own numbers; if not, batches are padded and go the
            model's own way.
    """

    def __init__(self, model: Any, rows: Sequence[Row]) -> None:
        self._model = model
        self._device = next(model.parameters()).device
        self._output = OutputLayer(model)
        self._most = max(1, MOST_LOGITS // len(model.get_output_embeddings().weight))
        self.is_packed = self._agrees(rows)

    def __call__(self, rows: Sequence[Row]) -> torch.Tensor:
        """Mean over the batch's examples of minus the log-probability of the answer; within `attention` only."""
        return self.per_token(rows).sum() / len(rows)

    def per_token(self, rows: Sequence[Row]) -> torch.Tensor:
        """Minus the log-probability of each answer token in turn, shape (answer tokens,), in fp32."""
        return self._packed(rows) if self.is_packed else self._padded(rows)

    @contextmanager
    def attention(self) -> Iterator[None]:
        """Must surround a loss and its gradients; elsewhere the model is as it was."""
        if not self.is_packed:
            yield
            return
        with shared_attention(self._model):
            yield

    def _packed(self, rows: Sequence[Row]) -> torch.Tensor:
        pack = make_pack(rows).to(self._device)
        hidden = read(self._model, pack)
        if len(hidden) <= self._most:
            return self._surprise(hidden, pack.targets)
        parts = zip(hidden.split(self._most), pack.targets.split(self._most), strict=True)
        return torch.cat([checkpoint(self._surprise, *part, use_reentrant=False) for part in parts])

    def _surprise(self, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return self._output.log_normalisers(hidden) - self._output.logits(hidden, targets)

    def _padded(self, rows: Sequence[Row]) -> torch.Tensor:
        width = max(len(row.read) for row in rows)
        ids = torch.tensor([[*row.read, *[0] * (width - len(row.read))] for row in rows], device=self._device)
        mask = torch.tensor([[1] * len(row.read) + [0] * (width - len(row.read)) for row in rows], device=self._device)
        wanted = [
            (number, len(row.context) - 1 + at, token)
            for number, row in enumerate(rows)
            for at, token in enumerate(row.answer)
        ]
        row_of, place_of, token_of = (torch.tensor(column, device=self._device) for column in zip(*wanted, strict=True))
        logits = self._model(input_ids=ids, attention_mask=mask, use_cache=False).logits[row_of, place_of]
        return torch.nn.functional.cross_entropy(logits.float(), token_of, reduction="none")

    @torch.no_grad()
    def _agrees(self, rows: Sequence[Row]) -> bool:
        """Whether packs give this model's own numbers, tried without dropout."""
        was_training = self._model.training
        self._model.eval()
        try:
            plain = self._padded(rows)
            with shared_attention(self._model):
                packed = self._packed(rows)
        except (TypeError, KeyError, AttributeError, ValueError, NotImplementedError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise
            return False  # a family that takes its attention or its positions some other way
        finally:
            self._model.train(was_training)
        weights = next(self._model.parameters())
        return float((plain - packed).abs().max()) < TOLERANCE.get(weights.dtype, ROUGH_TOLERANCE)
