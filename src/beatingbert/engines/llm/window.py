"""How many tokens a model reads at once."""

from __future__ import annotations

from typing import Any

ENDLESS = 1 << 30  # for models without positions (ALiBi, recurrent ones)
NAMES = ("max_position_embeddings", "n_positions", "max_seq_len")  # GPT-2 has the second, MPT the third


def window(config: Any) -> int:
    """Most tokens of one text, answer included, as the model's configuration says."""
    text_config = config.get_text_config()
    sizes = (getattr(text_config, name, None) for name in NAMES)
    return next((int(size) for size in sizes if size), ENDLESS)
