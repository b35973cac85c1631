"""A small task as files, a fresh working folder, and commands whose output has one width everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from beatingbert.cli import console


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("BEATINGBERT_DATA", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    # The command sets these for the libraries behind it; here they go away again.
    for name in ("TOKENIZERS_PARALLELISM", "HF_HUB_DISABLE_TELEMETRY", "TORCH_CPP_LOG_LEVEL"):
        monkeypatch.setenv(name, "1")
    for one in (console.out, console.err):
        monkeypatch.setattr(one, "_width", console.WIDE)


@pytest.fixture
def at_width(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """at_width(80) makes what the command prints as narrow as such a terminal."""
    return lambda columns: monkeypatch.setattr(console.out, "_width", columns)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "sst2"
    folder.mkdir(parents=True)
    for split, count in (("train", 40), ("validation", 12)):
        rows = [{"idx": at, "sentence": f"{split} {at}", "label": int(at % 4 == 3)} for at in range(count)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder.parent
