from __future__ import annotations

from typing import Any

import pytest

from beatingbert.engines.llm.settings import LLMSettings
from beatingbert.errors import SettingsError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1, got 0"),
        ({"shots": -1}, "num_few_shot must not be negative, got -1"),
        ({"max_length": 15}, "max_length must be at least 16 tokens, got 15"),
        ({"temperature": -0.1, "answer_by": "generation"}, "temperature must not be negative"),
        ({"temperature": 0.7}, "changes nothing when answers come by likelihood"),
        ({"rank_only": True, "answer_by": "generation"}, "answers come by generation, which has none"),
        ({"constrained": True}, "constrained limits what is written, but answers come by likelihood"),
        ({"answer_by": "guess"}, "answer_by must be one of likelihood, generation, got 'guess'"),
        ({"choice_by": "word"}, "choice_by must be one of ending, letter, got 'word'"),
        ({"normalise_by": "bytes"}, "normalise_by must be one of characters, none, got 'bytes'"),
        ({"normalise_by": "none", "choice_by": "letter"}, "normalise_by 'none' changes nothing"),
        ({"normalise_by": "none", "answer_by": "generation"}, "normalise_by 'none' changes nothing"),
        ({"chat_template": "yes"}, "chat_template must be one of auto, always, never, got 'yes'"),
        ({"shot_order": "sorted"}, "shot_order must be one of mixed, by_label, got 'sorted'"),
        ({"calibration": "platt"}, "calibration must be one of none, contextual, batch, got 'platt'"),
        ({"calibration": "batch", "answer_by": "generation"}, "a written reply has none; .*--answer_by likelihood"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        LLMSettings(checkpoint="x", **settings)


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(AttributeError):
        LLMSettings(checkpoint="x").shots = 3  # type: ignore[misc]
