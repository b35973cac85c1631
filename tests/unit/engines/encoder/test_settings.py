from __future__ import annotations

from typing import Any

import pytest

from beatingbert.engines.encoder.settings import EncoderSettings
from beatingbert.errors import SettingsError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"gradient_accumulation_steps": 0}, "gradient_accumulation_steps must be at least 1, got 0"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"max_length": 7}, "max_length must be at least 8 tokens, got 7"),
        ({"learning_rate": 0.0}, r"learning_rate must lie between 0 and 1, got 0\.0"),
        ({"learning_rate": 1.0}, "learning_rate must lie between 0 and 1"),
        ({"learning_rate": float("nan")}, "learning_rate must lie between 0 and 1, got nan"),
        ({"warmup_share": 1.0}, "warmup_share must lie in"),
        ({"weight_decay": -1.0}, "weight_decay must not be negative"),
        ({"weight_decay": float("nan")}, "weight_decay must not be negative, got nan"),
        ({"max_grad_norm": -0.1}, r"max_grad_norm must not be negative, got -0\.1"),
        ({"retry_collapsed": -1}, "retry_collapsed must not be negative, got -1"),
        ({"early_stopping_patience": 0}, "early_stopping_patience must be at least 1 epoch, got 0"),
        ({"metric_for_best": "f1"}, "metric_for_best must be one of accuracy, macro_f1, mcc, loss, got 'f1'"),
        ({"r_drop": -1.0}, r"r_drop must not be negative, got -1\.0"),
        ({"weight_average": 1.0}, r"weight_average must lie in \[0, 1\), got 1\.0"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        EncoderSettings(checkpoint="x", **settings)
