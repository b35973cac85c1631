from __future__ import annotations

from typing import Any

import pytest

from beatingbert.engines.llm.settings import LLMSettings
from beatingbert.engines.lora.settings import LoraSettings
from beatingbert.errors import SettingsError


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"rank": 0}, "rank must be at least 1, got 0"),
        ({"alpha": 0}, "alpha must be at least 1, got 0"),
        ({"train_batch_size": 0}, "train_batch_size must be at least 1, got 0"),
        ({"gradient_accumulation_steps": 0}, "gradient_accumulation_steps must be at least 1"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
        ({"warmup_share": -0.1}, "warmup_share must lie in"),
        ({"learning_rate": 1.0}, "learning_rate must lie between 0 and 1, got 1.0"),
        ({"weight_decay": -1.0}, "weight_decay must not be negative"),
        ({"target_modules": "q"}, "lora_targets must be one of qkvo, all-linear, got 'q'"),
        ({"shots": 2}, "asked without demonstrations, got 2"),
        ({"calibration": "batch"}, "calibration 'batch' takes out a bias"),
        ({"max_length": 1}, "max_length must be at least 16 tokens, got 1"),
        ({"chat_template": "perhaps"}, "chat_template must be one of"),
    ],
)
def test_a_setting_out_of_range_is_refused_with_the_rule(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        LoraSettings(checkpoint="x", **settings)


def test_alpha_is_twice_the_rank_unless_given() -> None:
    assert LoraSettings(checkpoint="x", rank=4).alpha == 8
    assert LoraSettings(checkpoint="x", rank=4, alpha=4).alpha == 4


def test_the_adapted_model_is_asked_in_the_same_way_as_any() -> None:
    settings = LoraSettings(checkpoint="x", chat_template="never", max_length=99, choice_by="letter", rank=3)
    assert settings.asking() == LLMSettings(checkpoint="x", chat_template="never", max_length=99, choice_by="letter")
