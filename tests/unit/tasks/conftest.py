"""Small files in a temporary data directory, and no network, cache or environment of the machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WriteSplit = Callable[..., Path]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BEATINGBERT_DATA", raising=False)


@pytest.fixture
def write_split(tmp_path: Path) -> WriteSplit:
    """write_split("sst2", "train", rows) makes tmp_path/sst2/train.jsonl; bytes are written as they are."""

    def write(folder: str, name: str, content: list[dict[str, Any]] | bytes) -> Path:
        path = tmp_path / folder / (name if "." in name else f"{name}.jsonl")
        path.parent.mkdir(exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
        return path

    return write


def sentences(count: int, *, classes: int = 2, start: int = 0) -> list[dict[str, Any]]:
    return [{"sentence": f"text {at}", "label": at % classes} for at in range(start, start + count)]
