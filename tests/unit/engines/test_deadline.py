"""A training whose time is up takes no further step, answers all the same, and says so."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from beatingbert.engines.catalog import build_engine
from beatingbert.engines.protocol import Upkeep, Workplace
from tiny_tasks import questions_of, sentiment


@pytest.mark.parametrize(
    ("engine", "model", "settings"),
    [
        ("encoder", "tiny_bert", {"epochs": 3, "batch_size": 4, "learning_rate": 1e-3}),
        ("lora", "tiny_llama", {"epochs": 3, "train_batch_size": 4, "rank": 4}),
    ],
)
def test_a_training_out_of_time_stops_at_a_step(
    engine: str,
    model: str,
    settings: dict[str, float],
    workplace: Callable[[str], Workplace],
    request: pytest.FixtureRequest,
) -> None:
    checkpoint: Path = request.getfixturevalue(model)
    steps: list[int] = []

    def hear(phase: str, done: int, total: int) -> None:
        if phase == "training":
            steps.append(done)

    place = dataclasses.replace(workplace("sst2"), upkeep=Upkeep(deadline=time.monotonic() - 1), progress=hear)
    built = build_engine(engine, {"checkpoint": str(checkpoint), **settings}, place)
    classifier = built.fit(sentiment(24), development=sentiment(8, start=100), seed=1)
    assert steps == [1], "of 18 steps"
    assert classifier.facts.notes["out_of_time"] is True
    assert len(classifier.facts.history) == 1 and classifier.facts.history[0]["accuracy"] >= 0
    assert len(classifier.predict(questions_of(sentiment(5)))) == 5


def test_a_training_in_time_says_nothing_of_it(tiny_bert: Path, workplace: Callable[[str], Workplace]) -> None:
    place = dataclasses.replace(workplace("sst2"), upkeep=Upkeep(deadline=time.monotonic() + 600))
    settings = {"checkpoint": str(tiny_bert), "epochs": 1, "learning_rate": 1e-3}
    classifier = build_engine("encoder", settings, place).fit(sentiment(16), development=[], seed=1)
    assert "out_of_time" not in classifier.facts.notes
