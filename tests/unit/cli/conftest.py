"""A small task as files, a fresh working folder, and commands whose output has one width everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from beatingbert import LinearConfig, MajorityConfig, run
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


@pytest.fixture(scope="session")
def made_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three finished runs: two on the same twelve rows, one on eight of them."""
    folder = tmp_path_factory.mktemp("made")
    data = write_data(folder / "data")
    asked = (("first", MajorityConfig, None), ("second", LinearConfig, None), ("few", MajorityConfig, 8))
    for name, config, rows in asked:
        place = {"run_name": name, "output_dir": folder / "results" / name}
        run(config(task="sst2", data_dir=data, max_eval_samples=rows, **place))
    return folder / "results"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return write_data(tmp_path / "data")


def write_data(data: Path) -> Path:
    folder = data / "sst2"
    folder.mkdir(parents=True)
    for split, count in (("train", 40), ("validation", 12)):
        rows = [{"idx": at, "sentence": f"{split} {at}", "label": int(at % 4 == 3)} for at in range(count)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder.parent
