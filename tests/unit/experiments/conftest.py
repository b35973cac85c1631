"""Two small tasks as files, and engines whose answers cost nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from watchful import WatchfulEngine

from beatingbert.engines.catalog import ENGINES

WORDS = (("awful", "dull", "bad", "boring"), ("lovely", "bright", "good", "moving"))


def reviews(count: int, *, start: int = 0, hidden: bool = False) -> list[dict[str, Any]]:
    """Two out of three say what they mean; every fourth row is positive, so that the majority is negative."""
    rows = []
    for at in range(start, start + count):
        label = int(at % 4 == 3)
        spoken = 1 - label if at % 3 == 2 else label
        text = f"a {WORDS[spoken][at % 4]} and {WORDS[spoken][(at + 1) % 4]} film, number {at}"
        rows.append({"idx": at, "sentence": text, "label": -1 if hidden else label})
    return rows


def pairs(count: int, *, start: int = 0) -> list[dict[str, Any]]:
    return [
        {"premise": f"premise {at}", "hypothesis": f"hypothesis {at}", "label": at % 3, "idx": at}
        for at in range(start, start + count)
    ]


def questions(count: int) -> list[dict[str, Any]]:
    choices = {"text": ["it", "that"], "label": ["A", "B"]}
    return [{"question": f"which {at}", "choices": choices, "answerKey": "AB"[at % 2]} for at in range(count)]


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("BEATINGBERT_DATA", raising=False)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    write_rows(folder / "sst2" / "train.jsonl", reviews(80))
    write_rows(folder / "sst2" / "validation.jsonl", reviews(24, start=1000))
    write_rows(folder / "sst2" / "test.jsonl", reviews(6, start=2000, hidden=True))
    write_rows(folder / "arc_challenge" / "validation.jsonl", questions(6))
    write_rows(folder / "mnli" / "train.jsonl", pairs(30))
    write_rows(folder / "mnli" / "validation_matched.jsonl", pairs(9, start=100))
    write_rows(folder / "mnli" / "validation_mismatched.jsonl", pairs(6, start=200))
    return folder


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> type[WatchfulEngine]:
    """Every engine is the watchful one, with the settings of the real one; nothing heavy is imported."""
    for name, entry in ENGINES.items():
        monkeypatch.setitem(ENGINES, name, replace(entry, engine="watchful:WatchfulEngine"))
    monkeypatch.setattr(WatchfulEngine, "seen", {})
    return WatchfulEngine
