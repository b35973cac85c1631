"""The same model in this process and behind a server: the same prompts, the same answers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from beatingbert.engines.catalog import build_engine
from beatingbert.engines.hush import hushed
from beatingbert.engines.protocol import Workplace
from beatingbert.tasks.catalog import find_task
from stand_in import StandIn, serving
from tiny_tasks import entailment, questions_of, sentiment

ROWS = {"sst2": sentiment(24), "rte": entailment(24)}


class RealModel:
    """Scores the tokens of a text by one full forward pass, as a server does for a prompt that it echoes."""

    def __init__(self, folder: Path) -> None:
        with hushed():
            self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
            self.tokenizer = AutoTokenizer.from_pretrained(folder)

    @torch.no_grad()
    def __call__(self, text: str) -> list[tuple[str, float]]:
        ids = self.tokenizer(text, return_tensors="pt")["input_ids"]
        log_probabilities = torch.log_softmax(self.model(ids).logits[0], dim=-1)
        values = [0.0, *(float(log_probabilities[at, token]) for at, token in enumerate(ids[0, 1:].tolist()))]
        return list(zip(self.tokenizer.convert_ids_to_tokens(ids[0].tolist()), values, strict=True))


@pytest.mark.parametrize("task", ROWS)
def test_echoed_labels_have_the_probabilities_that_the_llm_engine_finds(
    tiny_llama: Path, tmp_path: Path, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEATINGBERT_CACHE", str(tmp_path / "cache"))
    place = Workplace(task=find_task(task), folder=tmp_path)
    train, questions = ROWS[task][:12], questions_of(ROWS[task][12:])
    here = {"checkpoint": str(tiny_llama), "full_precision": True, "chat_template": "never", "shots": 2}
    expected = build_engine("llm", here, place).fit(train, development=[], seed=99).predict(questions)
    model = RealModel(tiny_llama)
    with serving(StandIn(owner="vllm", echoes=True, scores=model)) as server:
        there = {"model": "openai/tiny", "base_url": server.openai_url, "chat_template": "never", "shots": 2}
        classifier = build_engine("served", there, place).fit(train, development=[], seed=99)
        found = classifier.predict(questions)
    assert "echoed" in classifier.facts.notes["scoring"]
    assert [one.label for one in found] == [one.label for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)
        assert str(one.prompt).startswith(str(other.prompt).removeprefix(model.tokenizer.bos_token or ""))
    assert len({round(max((one.probabilities or {}).values()), 6) for one in found}) > len(found) / 2
