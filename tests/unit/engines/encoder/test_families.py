"""Every encoder family that users bring, as a tiny model of its real architecture with its own kind of tokenizer."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from beatingbert.engines.encoder import dropout, train
from beatingbert.engines.encoder.classifier import EncoderClassifier
from beatingbert.engines.encoder.engine import EncoderEngine
from beatingbert.engines.encoder.settings import EncoderSettings
from beatingbert.engines.protocol import Workplace
from beatingbert.tasks.example import Example
from tiny_tasks import entailment, questions_of, science, sentiment

FAMILIES = ("bert", "minilm", "deberta", "roberta", "electra", "modernbert", "distilbert", "mpnet")
TASKS: dict[str, Callable[[int], list[Example]]] = {"sst2": sentiment, "rte": entailment, "arc_challenge": science}
CANNOT_DIFFER = ("distilbert",)  # its tokenizer gives no types, see test_engine.py


@pytest.fixture(params=FAMILIES)
def checkpoint(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(f"tiny_{request.param}")
    return found


def fit(checkpoint: Path, place: Workplace, rows: list[Example], **settings: Any) -> EncoderClassifier:
    given = {"epochs": 1, "full_precision": True, "learning_rate": 1e-3, "batch_size": 4} | settings
    engine = EncoderEngine(EncoderSettings(checkpoint=str(checkpoint), **given), place)
    return engine.fit(rows, development=rows, seed=99)


@pytest.mark.parametrize("task", TASKS)
def test_it_trains_answers_and_comes_back_without_a_word_on_the_terminal(
    checkpoint: Path, workplace: Callable[[str], Workplace], capfd: pytest.CaptureFixture[str], task: str
) -> None:
    place, rows = workplace(task), TASKS[task](12)
    if task == "arc_challenge" and "distilbert" in checkpoint.name:
        rows = [row for row in rows if len(row.question.choices) == 4]
    classifier = fit(checkpoint, place, rows)
    answers = classifier.predict(questions_of(rows))
    assert len(classifier.facts.history) == 1
    for one, row in zip(answers, rows, strict=True):
        (alone,) = classifier.predict([row.question])
        assert alone.probabilities == pytest.approx(one.probabilities, abs=1e-4)  # padding is not read
    saved = EncoderSettings(
        checkpoint="not used", trained_model=str(place.folder / "model" / "best_model"), full_precision=True
    )
    again = EncoderEngine(saved, workplace(task)).fit([], development=[], seed=99)
    assert again.predict(questions_of(rows)) == answers
    assert capfd.readouterr() == ("", "")


def test_a_word_is_learnt(checkpoint: Path, workplace: Callable[[str], Workplace]) -> None:
    rows = sentiment(64)
    classifier = fit(checkpoint, workplace("sst2"), rows, epochs=12, learning_rate=5e-3, batch_size=16)
    right = [one.label == row.label for one, row in zip(classifier.predict(questions_of(rows)), rows, strict=True)]
    assert sum(right) / len(right) >= 0.9


def test_the_tokenizer_reads_these_rows_without_unknown_tokens(checkpoint: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    for question in questions_of(sentiment(8)):
        ids = tokenizer(question.texts["sentence"])["input_ids"]
        assert tokenizer.unk_token_id not in ids
        assert ids[0] == tokenizer.cls_token_id
        assert ids[-1] == tokenizer.sep_token_id


def test_biases_and_norms_do_not_decay(
    checkpoint: Path, workplace: Callable[[str], Workplace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told by the kind of module that holds a weight; Trainer goes by names."""
    seen: list[tuple[dict[str, torch.nn.Module], torch.optim.Optimizer]] = []
    begin = train.KeepBest.on_train_begin

    def look(self: Any, args: Any, state: Any, control: Any, **others: Any) -> None:
        seen.append((dict(others["model"].named_modules()), others["optimizer"]))
        begin(self, args, state, control, **others)

    monkeypatch.setattr(train.KeepBest, "on_train_begin", look)
    fit(checkpoint, workplace("sst2"), sentiment(8), weight_decay=0.25)
    ((modules, optimizer),) = seen
    decays = {id(weight): group["weight_decay"] for group in optimizer.param_groups for weight in group["params"]}
    kinds = {0.0: 0, 0.25: 0}
    for place, module in modules.items():
        for name, weight in module.named_parameters(recurse=False):
            is_norm = re.search("norm", type(module).__name__, flags=re.IGNORECASE)
            stays = name == "bias" or is_norm or place.endswith("relative_attention_bias")  # MPNet's, an embedding
            assert decays[id(weight)] == (0.0 if stays else 0.25), f"{place}.{name}"
            kinds[decays[id(weight)]] += 1
    assert min(kinds.values()) > 0


def test_modernbert_computes_on_the_processor_with_plain_attention_and_compiles_nothing(
    tiny_modernbert: Path, workplace: Callable[[str], Workplace], monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiles(*_: Any, **__: Any) -> None:
        raise AssertionError("nothing is compiled on the processor")

    monkeypatch.setattr(torch, "compile", compiles)
    classifier = fit(tiny_modernbert, workplace("rte"), entailment(8))
    assert classifier.model.config._attn_implementation in ("sdpa", "eager", dropout.NAME)
    assert not getattr(classifier.model.config, "reference_compile", False)
