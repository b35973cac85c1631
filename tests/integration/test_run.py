"""Tiny real models through one whole cell: from rows in a folder to a record on disk."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from beatingbert.experiments.config import BERTConfig, LLMConfig
from beatingbert.experiments.runner import run
from beatingbert.runs.record import RunRecord
from beatingbert.tasks.example import Example
from tiny_tasks import sentiment


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("BEATINGBERT_DATA", raising=False)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    _write(folder / "sst2" / "train.jsonl", sentiment(60))
    _write(folder / "sst2" / "validation.jsonl", sentiment(20, start=500))
    return folder


def _write(path: Path, examples: Sequence[Example]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"idx": at, **example.question.texts, "label": int(example.label == "positive")}
        for at, example in enumerate(examples)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def fine_tune(tiny_bert: Path, data_dir: Path) -> Callable[..., RunRecord]:
    def make(**changes: Any) -> RunRecord:
        given = {"num_epochs": 6, "learning_rate": 5e-3, "no_fp16": True} | changes
        return run(BERTConfig(task="sst2", model_name=str(tiny_bert), data_dir=data_dir, **given))

    return make


@pytest.fixture
def prompt(data_dir: Path) -> Callable[..., RunRecord]:
    def make(checkpoint: Path, **changes: Any) -> RunRecord:
        return run(LLMConfig(task="sst2", model_name=str(checkpoint), data_dir=data_dir, **changes))

    return make


def kept(record: RunRecord) -> pd.DataFrame:
    assert record.folder is not None
    return pd.read_parquet(record.folder / "predictions.parquet")


def test_a_fine_tuned_encoder_learns_and_its_scores_are_those_of_its_predictions(
    fine_tune: Callable[..., RunRecord],
) -> None:
    record = fine_tune()
    rows = kept(record)
    assert record.metrics["accuracy"]["value"] == pytest.approx((rows["label"] == rows["gold"]).mean())
    assert record.metrics["accuracy"]["value"] >= 0.8  # of 20 rows; chance is 0.5, and seeds differ
    assert record.folder is not None
    assert {path.name for path in (record.folder / "model").iterdir()} == {"best_model", "final_model", "training.json"}
    assert len(json.loads((record.folder / "history.json").read_text())) == 6


def test_the_same_fine_tuning_gives_the_same_predictions_bit_for_bit(fine_tune: Callable[..., RunRecord]) -> None:
    first, again, other = fine_tune(run_name="a"), fine_tune(run_name="b"), fine_tune(run_name="c", seed=7)
    assert first.cell.id == again.cell.id != other.cell.id
    pd.testing.assert_frame_equal(kept(first), kept(again), check_exact=True)
    assert not kept(first).equals(kept(other))


def test_a_saved_model_is_evaluated_to_the_same_predictions(fine_tune: Callable[..., RunRecord]) -> None:
    trained = fine_tune()
    assert trained.folder is not None
    evaluated = fine_tune(mode="eval", model_path=str(trained.folder / "model" / "best_model"))
    pd.testing.assert_frame_equal(kept(trained), kept(evaluated), check_exact=True)


@pytest.mark.parametrize("fixture", ["tiny_llama", "tiny_gemma_that_forgets_bos", "tiny_qwen"])
@pytest.mark.parametrize("shots", [0, 2])
def test_a_prompted_model_gives_the_same_answers_twice_and_keeps_its_prompts(
    request: pytest.FixtureRequest, prompt: Callable[..., RunRecord], fixture: str, shots: int
) -> None:
    checkpoint = request.getfixturevalue(fixture)
    first, again = (
        prompt(checkpoint, mode="few-shot" if shots else "zero-shot", num_few_shot=shots, run_name=name)
        for name in "ab"
    )
    pd.testing.assert_frame_equal(kept(first), kept(again), check_exact=True)
    rows = kept(first)
    assert first.folder is not None
    lines = (first.folder / "prompts" / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    prompts = {row["id"]: row["prompt"] for row in map(json.loads, lines)}
    assert len(prompts) == len(rows)
    assert {text.count("Review:") for text in prompts.values()} == {shots + 1}
    assert first.metrics["accuracy"]["value"] == pytest.approx((rows["label"] == rows["gold"]).mean())


def test_an_adapter_is_trained_kept_and_evaluated_again_to_the_same_predictions(
    tiny_qwen: Path, prompt: Callable[..., RunRecord]
) -> None:
    lora = {"mode": "lora", "lora_rank": 4, "learning_rate": 1e-2, "num_epochs": 4, "no_fp16": True}
    first, again = (prompt(tiny_qwen, run_name=name, **lora) for name in "ab")
    pd.testing.assert_frame_equal(kept(first), kept(again), check_exact=True)
    assert {path.name for path in (first.folder / "adapter").iterdir()} == {"best_adapter", "final_adapter"}
    assert len(json.loads((first.folder / "history.json").read_text())) == 4
    adapter = first.folder / "adapter" / "best_adapter"
    evaluated = prompt(tiny_qwen, mode="lora", adapter_path=adapter, no_fp16=True, merge=True)
    pd.testing.assert_frame_equal(kept(first), kept(evaluated), check_exact=True)
    merged = prompt(evaluated.folder / "merged_model", no_fp16=True)
    assert list(kept(merged)["label"]) == list(kept(first)["label"])
    untrained = prompt(tiny_qwen, no_fp16=True)
    assert list(kept(untrained)["log_likelihoods"]) != list(kept(first)["log_likelihoods"])


def test_a_lora_run_is_named_after_its_rank(tiny_qwen: Path, prompt: Callable[..., RunRecord]) -> None:
    record = prompt(tiny_qwen, mode="lora", lora_rank=3, num_epochs=1)
    assert re.fullmatch(r"qwen_lora_r3_sst2_\d{8}_\d{6}", record.run_name)
    assert record.folder.name == record.run_name
    assert record.cell.engine == "lora"
    assert record.notes["trainable_parameters"] > 0


def test_replies_that_name_no_label_are_wrong_and_counted(tiny_llama: Path, prompt: Callable[..., RunRecord]) -> None:
    record = prompt(tiny_llama, answer_by="generation")
    assert kept(record)["label"].isna().all()
    assert record.metrics["accuracy"]["value"] == 0


@pytest.mark.parametrize("calibration", ["contextual", "batch"])
def test_a_calibrated_run_says_in_its_record_what_it_was_calibrated_on(
    tiny_llama: Path, prompt: Callable[..., RunRecord], calibration: str
) -> None:
    raw, record = prompt(tiny_llama, run_name="raw"), prompt(tiny_llama, run_name="own", calibration=calibration)
    assert record.cell.id != raw.cell.id
    noted = json.loads((record.folder / "results.json").read_text(encoding="utf-8"))["notes"]["calibration"]
    sources = {"contextual": {"content_free": 3}, "batch": {"development": 6, "train": 54}}
    assert (noted["kind"], noted["estimated_on"]) == (calibration, sources[calibration])
    scores = [kept(one)["log_likelihoods"].map(json.loads).map(lambda one: one["positive"]) for one in (raw, record)]
    assert scores[0].to_list() == pytest.approx(scores[1].to_list(), abs=1e-3)
    assert kept(raw)["probabilities"].ne(kept(record)["probabilities"]).all()
    assert {"ece", "brier"} <= record.metrics.keys()
