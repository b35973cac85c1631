"""Two small classifiers, made once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from keeping import keep

from beatingbert.classifiers.exported import export_kept
from tiny_tasks import sentiment


@pytest.fixture(scope="session")
def kept_linear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A linear classifier of SST-2 rows; no test may change it."""
    rows = sentiment(80)
    return keep("linear", tmp_path_factory.mktemp("linear"), rows[20:], development=rows[:20])[1]


@pytest.fixture(scope="session")
def kept_encoder(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Path:
    """A tiny BERT fine-tuned on SST-2 rows; no test may change it."""
    rows = sentiment(60)
    settings = {"checkpoint": str(tiny_bert), "epochs": 3, "learning_rate": 3e-3, "full_precision": True}
    return keep("encoder", tmp_path_factory.mktemp("encoder"), rows[20:], development=rows[:20], **settings)[1]


@pytest.fixture(scope="session")
def exported_encoder(kept_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, exported to ONNX in fp32; no test may change it."""
    folder = Path(shutil.copytree(kept_encoder, tmp_path_factory.mktemp("exported") / "classifier"))
    export_kept(folder, int8=False)
    return folder


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """copy_of(folder) is one that a test may change."""

    def make(folder: Path) -> Path:
        return Path(shutil.copytree(folder, tmp_path / "copy" / folder.name))

    return make
