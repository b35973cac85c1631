"""How many floating-point operations a scoring task needs at least: each token that differs from all others, once.

The count is of the task, not of any program: prompts are laid into one tree of tokens, so a prefix that many share
counts once, whoever computes it how often. Multiplications and additions count one each, as is usual.
Source: the forward pass after Kaplan et al. (2020), table 1, with attention counted over what a token really sees.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True, slots=True)
class Load:
    """What a scoring task makes a model do.

    Attributes:
        depths: position in its text (0 for the first) to how many different tokens must be read there.
        outputs: places at which the distribution over the vocabulary is needed.
    """

    depths: Mapping[int, int]
    outputs: int

    @property
    def tokens(self) -> int:
        """Different tokens to read."""
        return sum(self.depths.values())

    def pairs(self, window: int | None = None) -> int:
        """How many (token, token that it sees) there are, itself included, at most `window` for each token."""
        most = window or max(self.depths, default=0) + 1
        return sum(count * min(depth + 1, most) for depth, count in self.depths.items())


def count_load(rows: Iterable[tuple[Sequence[int], Mapping[str, Sequence[int]]]]) -> Load:
    """The load of scoring each label's ids after its context.

    Args:
        rows: (context, label to its own ids) per question; the last id of a label is predicted but never read.
    """
    nodes: dict[tuple[int, int], int] = {}
    depths: Counter[int] = Counter()
    outputs: set[int] = set()
    for context, labels in rows:
        for own in labels.values():
            node = -1
            for depth, token in enumerate([*context, *own[:-1]]):
                if (node, token) not in nodes:
                    nodes[node, token] = len(nodes)
                    depths[depth] += 1
                node = nodes[node, token]
                if depth >= len(context) - 1:
                    outputs.add(node)
    return Load(depths, len(outputs))


def count_flops(model: Any, load: Load) -> int:
    """Floating-point operations of the matrix products; norms, rotations and activations are left out as negligible.

    Args:
        model: a causal language model of transformers whose matrices are all used for every token.
        load: what it has to do.
    """
    config = model.config.get_text_config()
    heads = int(config.num_attention_heads)
    width = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
    attention = sum(4 * heads * width * load.pairs(window) for window in windows(config))
    outputs = 2 * int(model.get_output_embeddings().weight.numel()) * load.outputs
    return 2 * count_matrix_weights(model.base_model) * load.tokens + attention + outputs


def count_matrix_weights(module: nn.Module) -> int:
    """Weights in matrices that a token is multiplied with: all but those of embeddings, which are looked up."""
    return sum(
        weights.numel()
        for part in module.modules()
        if not isinstance(part, nn.Embedding)
        for weights in part.parameters(recurse=False)
        if weights.ndim == 2
    )


def windows(config: Any) -> list[int | None]:
    """For each layer how many tokens attention sees at most; None for all."""
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or ["full_attention"] * int(config.num_hidden_layers)
    return [int(window) if kind == "sliding_attention" and window else None for kind in kinds]
