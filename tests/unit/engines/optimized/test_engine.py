import builtins
import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from beatingbert.engines.catalog import build_engine
from beatingbert.engines.optimized.engine import OptimizedEngine
from beatingbert.engines.optimized.settings import OptimizedSettings
from beatingbert.engines.protocol import Workplace
from beatingbert.errors import MissingExtraError, SettingsError, TooFewExamplesError
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.subsample import text_key
from engines.optimized.parrots import settings
from tiny_tasks import sentiment


def rows_seen(
    train: list[Example], development: list[Example], folder: Path, **given: Any
) -> tuple[list[Example], list[Example]]:
    place = Workplace(task=find_task("sst2"), folder=folder)
    return OptimizedEngine(settings(**given), place)._rows(train, development, 99)


def test_the_optimiser_gets_as_many_rows_as_it_may_with_every_label(tmp_path: Path) -> None:
    train = sorted(sentiment(60), key=lambda row: row.label)
    shown, scored = rows_seen(train, sentiment(30, start=100), tmp_path, max_train_examples=20, max_val_examples=10)
    assert (len(shown), len(scored)) == (20, 10)
    for part in (shown, scored):
        assert sum(row.label == "positive" for row in part) == len(part) / 2
    labels = [row.label for row in shown]
    assert labels != sorted(labels)  # the file was sorted by label, what is shown first is not


def test_no_text_of_development_is_shown_and_none_twice(tmp_path: Path) -> None:
    train = sentiment(20)
    twin = Example(Question("twin", {"sentence": train[0].question.texts["sentence"].upper()}), train[0].label)
    shown, scored = rows_seen([*train, twin], train[:5], tmp_path)
    texts = [text_key(row.question) for row in shown]
    assert len(set(texts)) == len(texts) == 15
    assert not {text_key(row.question) for row in scored} & set(texts)


@pytest.mark.parametrize(("train", "development"), [(0, 5), (5, 0)])
def test_both_parts_are_needed(train: int, development: int, tmp_path: Path) -> None:
    with pytest.raises(TooFewExamplesError, match=f"got {train} and {development}; raise --max_samples"):
        rows_seen(sentiment(train), sentiment(development, start=50), tmp_path)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"optimizer": "luck"}, "optimizer must be one of bootstrap, bootstrap_random_search, miprov2, gepa"),
        ({"shots": 0}, "num_few_shot is 0"),
        ({"shots": -1, "optimizer": "gepa"}, "num_few_shot must not be negative, got -1"),
        ({"num_trials": 0}, "num_trials must be at least 1, got 0"),
        ({"max_calls": 0}, "max_optimizer_calls must be at least 1, got 0"),
        ({"max_seconds": 0.0}, "max_optimizer_seconds must be a number above 0"),
        ({"max_cost": float("nan")}, "max_optimizer_cost must be a number above 0"),
        ({"max_length": 3}, "max_length must be at least 16"),
        ({"checkpoint": "ollama/tiny"}, "base_url must say where"),
        ({"chat_template": "loud"}, "chat_template must be one of"),
    ],
)
def test_settings_out_of_range_are_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        OptimizedSettings(**({"checkpoint": "wheel:smollm2-135m-instruct"} | given))


def test_without_dspy_the_way_to_get_it_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **others: Any) -> Any:
        if name.partition(".")[0] == "dspy":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *more, **others)

    folder = "beatingbert.engines.optimized"
    for name in [one for one in sys.modules if one.startswith(f"{folder}.") and not one.endswith("settings")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    place = Workplace(task=find_task("sst2"), folder=tmp_path)
    with pytest.raises(
        MissingExtraError, match=r"needs the package 'dspy'; install it with: pip install 'beatingbert\[dspy\]'"
    ):
        build_engine("optimized", {"checkpoint": "x"}, place)
    monkeypatch.undo()
    importlib.import_module(f"{folder}.engine")


def test_a_run_tells_how_it_was_optimised(tiny_far_qwen: Path, tmp_path: Path) -> None:
    place = Workplace(task=find_task("sst2"), folder=tmp_path)
    asking = {"checkpoint": str(tiny_far_qwen), "full_precision": True, "max_length": 8192, "shots": 2}
    rows = sentiment(30)
    classifier = build_engine("optimized", asking, place).fit(rows[:24], development=rows[24:], seed=99)
    facts = classifier.facts
    assert facts.notes["optimizer"] == "bootstrap"
    assert facts.notes["ended_by"] == "its own end"
    assert facts.notes["answer_by"] == "likelihood"
    assert facts.notes["scoring"]["reads_shared_prefix_once"]
    assert facts.notes["candidates"] == len(facts.history) == 2
    assert facts.notes["development_accuracy"] == max(one["accuracy"] for one in facts.history)
    assert (facts.notes["optimizer_train_rows"], facts.notes["optimizer_development_rows"]) == (24, 6)
    assert facts.notes["optimizer_calls"] == sum(one["calls"] for one in facts.history)
    assert facts.notes["optimizer_cost"] is None
    assert facts.train_seconds > 0
    assert facts.template["name"] == "sst2"
    kept = {row.question.id for row in rows[:24]}
    assert set(facts.notes["demonstrations"]) <= kept
