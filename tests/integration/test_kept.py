"""Weights that one cell has loaded serve the next, and nobody's answers change by a bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from transformers import AutoModelForCausalLM

from beatingbert import LLMConfig, RunRecord, run
from beatingbert.engines import onednn
from beatingbert.experiments.kept import Kept
from tiny_tasks import write_sentiment

LORA = {"mode": "lora", "lora_rank": 4, "learning_rate": 1e-2, "num_epochs": 2}
CELLS: list[dict[str, Any]] = [
    {"mode": "zero-shot"},
    {"mode": "few-shot", "num_few_shot": 2},
    {**LORA, "seed": 1},
    {"mode": "zero-shot", "calibration": "batch"},
    {**LORA, "seed": 2, "gradient_checkpointing": True},
    {**LORA, "seed": 3, "merge": True, "lora_targets": "all-linear"},
    {"mode": "zero-shot", "answer_by": "generation", "temperature": 0.7},
    {"mode": "zero-shot", "seed": 5},
]


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return write_sentiment(tmp_path / "data")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which weights were read from disk, one entry each time."""
    found: list[str] = []
    honest = AutoModelForCausalLM.from_pretrained

    def count(path: Any, **rest: Any) -> Any:
        found.append(Path(path).name)
        return honest(path, **rest)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", count)
    return found


def do_all(folder: Path, checkpoint: Path, data_dir: Path, kept: Kept | None) -> list[RunRecord]:
    return [
        run(
            LLMConfig(
                task="sst2",
                model_name=str(checkpoint),
                data_dir=data_dir,
                output_dir=folder / str(number),
                no_fp16=True,
                **cell,
            ),
            kept=kept,
        )
        for number, cell in enumerate(CELLS)
    ]


@pytest.mark.parametrize("fixture", ["tiny_llama", "tiny_gemma"])
def test_weights_are_loaded_once_for_all_cells_and_every_answer_is_as_if_loaded_anew(
    request: pytest.FixtureRequest,
    fixture: str,
    data_dir: Path,
    tmp_path: Path,
    loads: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(onednn, "pays", lambda device: False)  # packed weights cannot be trained: see below
    checkpoint = request.getfixturevalue(fixture)
    together = do_all(tmp_path / "together", checkpoint, data_dir, Kept())
    assert loads == [checkpoint.name]
    apart = do_all(tmp_path / "apart", checkpoint, data_dir, None)
    assert len(loads) == 1 + len(CELLS)
    for one, other in zip(together, apart, strict=True):
        answers = [pd.read_parquet(record.folder / "predictions.parquet") for record in (one, other)]
        pd.testing.assert_frame_equal(*answers, check_exact=True)
    assert [record.notes.get("weights_loaded_by_an_earlier_cell", False) for record in together] == [False] + [True] * (
        len(CELLS) - 1
    )
    assert not any("weights_loaded_by_an_earlier_cell" in record.notes for record in apart)
    assert all(record.efficiency["load_seconds"] > 0 for record in together)


def test_where_weights_are_packed_to_answer_prompted_neighbours_share_them_and_answers_stay_the_same(
    tiny_llama: Path, data_dir: Path, tmp_path: Path, loads: list[str]
) -> None:
    together = do_all(tmp_path / "together", tiny_llama, data_dir, Kept())
    if onednn.pays("cpu"):
        assert len(loads) == 6  # once for each stretch of prompted cells, and for each adapted one, which ends packed
    else:
        assert len(loads) == 1
    apart = do_all(tmp_path / "apart", tiny_llama, data_dir, None)
    for one, other in zip(together, apart, strict=True):
        answers = [pd.read_parquet(record.folder / "predictions.parquet") for record in (one, other)]
        pd.testing.assert_frame_equal(*answers, check_exact=True)


def test_another_precision_or_checkpoint_is_loaded_for_itself(
    tiny_llama: Path, tiny_qwen: Path, data_dir: Path, loads: list[str], tmp_path: Path
) -> None:
    kept = Kept()
    for number, checkpoint in enumerate((tiny_llama, tiny_qwen, tiny_qwen, tiny_llama)):
        run(
            LLMConfig(task="sst2", model_name=str(checkpoint), data_dir=data_dir, output_dir=tmp_path / str(number)),
            kept=kept,
        )
    assert loads == [one.name for one in (tiny_llama, tiny_qwen, tiny_llama)]


def test_weights_that_have_changed_on_disk_are_loaded_again(
    tiny_llama: Path, data_dir: Path, loads: list[str], tmp_path: Path
) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    copy = tmp_path / "copy"
    shutil.copytree(tiny_llama, copy)
    kept = Kept()
    config = LLMConfig(task="sst2", model_name=str(copy), data_dir=data_dir)
    first = run(config, kept=kept)
    weights = load_file(copy / "model.safetensors")
    save_file({name: tensor * 1.01 for name, tensor in weights.items()}, copy / "model.safetensors", {"format": "pt"})
    second = run(config, kept=kept)
    assert loads == ["copy", "copy"]
    assert first.checkpoint["sha256"] != second.checkpoint["sha256"]
