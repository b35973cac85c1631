"""A press for made-up studies, and one with something in every block of its pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tiny_study import Press


@pytest.fixture
def press(tmp_path: Path) -> Press:
    return Press(tmp_path / "study")


@pytest.fixture
def whole_study(press: Press) -> Callable[[], Path]:
    """A study with something in every block of its pages."""

    def publish() -> Path:
        for task, encoder, llm in (("sst2", 0.95, 0.7), ("rte", 0.5, 0.8), ("mrpc", 0.7, 0.69)):
            for seed in (99, 100, 101):
                press.cell("encoder", right=encoder, task=task, seed=seed, rows=1000, draw=1)
                press.cell("llm", right=llm, task=task, seed=seed, shots=5, draw=2, p50=40.0)
            press.cell("majority", right=0.5, task=task, rows=1000)
        for rows, right in ((100, 0.5), (300, 0.65)):
            press.cell("encoder", right=right, rows=rows, draw=1)
        for seed in (99, 100, 101):
            press.cell("llm", right=0.6, seed=seed, shots=5, draw=3, template="terse")
            press.cell("llm", right=0.75, seed=seed, shots=5, draw=2, calibration="batch")
        press.cell("llm", right=0.6, shots=5, draw=2, chat_template="never")
        press.cell("llm", right=0.6, shots=5, draw=2, answer_by="generation", silent=range(0, 40))
        press.cell("encoder", right=0.97, rows=1000, draw=1, select_on="validation")
        press.cell("lora", right=0.9, rows=1000, done=False)
        return press.close()

    return publish
