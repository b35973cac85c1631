"""Tiny real models, made once per session when first asked for, and one thread for everything."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch comes in: tests share the machine

from collections.abc import Callable
from pathlib import Path

import pytest

from beatingbert.engines.protocol import Workplace
from beatingbert.tasks.catalog import find_task


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def tiny_bert(model_folder: Path) -> Path:
    from tiny_models import build_bert

    return build_bert(model_folder / "bert")


@pytest.fixture(scope="session")
def tiny_distilbert(model_folder: Path) -> Path:
    from tiny_models import build_distilbert

    return build_distilbert(model_folder / "distilbert")


@pytest.fixture(scope="session")
def tiny_minilm(model_folder: Path) -> Path:
    from tiny_models import build_minilm

    return build_minilm(model_folder / "minilm")


@pytest.fixture(scope="session")
def tiny_electra(model_folder: Path) -> Path:
    from tiny_models import build_electra

    return build_electra(model_folder / "electra")


@pytest.fixture(scope="session")
def tiny_mpnet(model_folder: Path) -> Path:
    from tiny_models import build_mpnet

    return build_mpnet(model_folder / "mpnet")


@pytest.fixture(scope="session")
def tiny_roberta(model_folder: Path) -> Path:
    from tiny_models import build_roberta

    return build_roberta(model_folder / "roberta")


@pytest.fixture(scope="session")
def tiny_deberta(model_folder: Path) -> Path:
    from tiny_models import build_deberta

    return build_deberta(model_folder / "deberta")


@pytest.fixture(scope="session")
def tiny_modernbert(model_folder: Path) -> Path:
    from tiny_models import build_modernbert

    return build_modernbert(model_folder / "modernbert")


@pytest.fixture(scope="session")
def tiny_llama(model_folder: Path) -> Path:
    from tiny_models import build_llama

    return build_llama(model_folder / "llama")


@pytest.fixture(scope="session")
def tiny_gemma(model_folder: Path) -> Path:
    from tiny_models import build_gemma

    return build_gemma(model_folder / "gemma")


@pytest.fixture(scope="session")
def tiny_gemma_that_forgets_bos(model_folder: Path) -> Path:
    from tiny_models import build_gemma

    return build_gemma(model_folder / "gemma-forgets", adds_bos=False)


@pytest.fixture(scope="session")
def tiny_gemma_chat(model_folder: Path) -> Path:
    from tiny_models import build_gemma

    return build_gemma(model_folder / "gemma-chat", chat=True)


@pytest.fixture(scope="session")
def tiny_qwen(model_folder: Path) -> Path:
    from tiny_models import build_qwen

    return build_qwen(model_folder / "qwen")


@pytest.fixture(scope="session")
def tiny_far_llama(model_folder: Path) -> Path:
    """Reads DSPy's long prompts, and has no chat template."""
    from tiny_models import build_llama

    return build_llama(model_folder / "far-llama", window=16_384)


@pytest.fixture(scope="session")
def tiny_far_qwen(model_folder: Path) -> Path:
    """Reads DSPy's long prompts in chat turns."""
    from tiny_models import build_qwen

    return build_qwen(model_folder / "far-qwen", window=16_384)


@pytest.fixture(scope="session")
def tiny_gpt2(model_folder: Path) -> Path:
    from tiny_models import build_gpt2

    return build_gpt2(model_folder / "gpt2")


@pytest.fixture
def workplace(tmp_path: Path) -> Callable[[str], Workplace]:
    """workplace("sst2") is a fresh folder in which an engine may work on that task."""

    def make(task: str) -> Workplace:
        folder = tmp_path / f"work-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return Workplace(task=find_task(task), folder=folder)

    return make
