"""The model's last step, from hidden states to log-probabilities, applied only where a label's token is predicted."""

from __future__ import annotations

from typing import Any

import torch

from beatingbert.engines import onednn

BLOCK = 32_768  # vocabulary entries at a time, so that memory does not grow with the vocabulary


class OutputLayer:
    """Log-probabilities of single tokens, without the whole vocabulary's logits in memory.

    The label's own logit is computed in fp32 even where the model runs in bf16: a bf16 logit of 20 is only known to
    1/8, which would make ties of labels that differ. The normaliser is common to labels read at the same place, so its
    rounding cannot change their order.
    """

    def __init__(self, model: Any) -> None:
        config = model.config.get_text_config()
        layer = model.get_output_embeddings()
        self._weight: torch.Tensor = layer.weight
        self._bias: torch.Tensor | None = getattr(layer, "bias", None)
        self._softcap: float | None = getattr(config, "final_logit_softcapping", None)
        self._factor = float(getattr(config, "logit_scale", None) or 1.0)  # Cohere multiplies,
        self._factor /= float(getattr(config, "logits_scaling", None) or 1.0)  # Granite divides

    def logits(self, hidden: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """One logit per row, in fp32.

        Args:
            hidden: shape (rows, width).
            tokens: shape (rows,), the id whose logit is wanted in each row.
        """
        values = (hidden.float() * self._weight[tokens].float()).sum(dim=-1)
        if self._bias is not None:
            values = values + self._bias[tokens].float()
        return self._finish(values)

    def log_normalisers(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logarithm of the sum of exponentials over the vocabulary, in fp32, shape (rows,)."""
        total = torch.full(hidden.shape[:1], -torch.inf, device=hidden.device)
        for start in range(0, len(self._weight), BLOCK):
            bias = None if self._bias is None else self._bias[start : start + BLOCK]
            block = onednn.linear(hidden, self._weight[start : start + BLOCK], bias)
            total = torch.logaddexp(total, torch.logsumexp(self._finish(block.float()), dim=-1))
        return total

    def _finish(self, logits: torch.Tensor) -> torch.Tensor:
        logits = logits * self._factor
        return logits if self._softcap is None else self._softcap * torch.tanh(logits / self._softcap)
