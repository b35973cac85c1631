from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    BertForMultipleChoice,
    BertForSequenceClassification,
    BertForTokenClassification,
)

from beatingbert.engines.encoder.classifier import EncoderClassifier
from beatingbert.engines.encoder.engine import EncoderEngine
from beatingbert.engines.encoder.heads import with_new_head
from beatingbert.engines.encoder.settings import EncoderSettings
from beatingbert.engines.hush import hushed
from beatingbert.engines.protocol import Workplace
from beatingbert.errors import CheckpointError
from tiny_tasks import science, sentiment

ENCODERS = ("bert", "minilm", "deberta", "roberta", "electra", "modernbert", "distilbert", "mpnet", "llama")


@pytest.fixture
def headed(tiny_bert: Path, tmp_path: Path) -> Callable[..., Path]:
    """headed("a", "b") is a checkpoint whose head has been trained for the labels a and b."""

    def make(*labels: str, architecture: Any = BertForSequenceClassification) -> Path:
        folder = shutil.copytree(tiny_bert, tmp_path / "-".join(labels))
        config = AutoConfig.from_pretrained(tiny_bert)
        config.num_labels = len(labels)
        config.id2label = dict(enumerate(labels))
        config.label2id = {label: number for number, label in enumerate(labels)}
        torch.manual_seed(5)
        with hushed():
            architecture.from_pretrained(tiny_bert, config=config).save_pretrained(folder)
        return folder

    return make


def fit(checkpoint: Path, place: Workplace, **settings: Any) -> EncoderClassifier:
    """Trained with a learning rate that moves nothing."""
    given = {"epochs": 1, "full_precision": True, "learning_rate": 1e-12, "weight_decay": 0.0} | settings
    rows = sentiment(8) if place.task.labels else science(8)
    return EncoderEngine(EncoderSettings(checkpoint=str(checkpoint), **given), place).fit(
        rows, development=rows, seed=99
    )


def head_of(checkpoint: Path) -> torch.Tensor:
    return load_file(checkpoint / "model.safetensors")["classifier.weight"]


@pytest.mark.parametrize(
    ("labels", "task", "reason"),
    [
        (("a", "b", "c"), "sst2", r"trained for 3 labels \(a, b, c\), but task 'sst2' has 2 \(negative, positive\)"),
        (("score",), "sst2", r"trained for 1 labels \(score\)"),
        (("LABEL_0", "LABEL_1", "LABEL_2"), "sst2", "trained for 3 labels"),
        (("positive", "negative"), "sst2", r"labels \['positive', 'negative'\], but .* \['negative', 'positive'\]"),
        (("duplicate", "not"), "sst2", r"trained for the labels \['duplicate', 'not'\]"),
        (("a", "b"), "arc_challenge", "a head ForSequenceClassification, but .* needs ForMultipleChoice"),
    ],
)
def test_a_head_that_was_trained_for_something_else_is_refused_unless_it_may_go(
    headed: Callable[..., Path], workplace: Callable[[str], Workplace], labels: tuple[str, ...], task: str, reason: str
) -> None:
    checkpoint = headed(*labels)
    with pytest.raises(CheckpointError, match=f"{reason}.*; give --fresh_head"):
        fit(checkpoint, workplace(task))
    classifier = fit(checkpoint, workplace(task), fresh_head=True)
    assert classifier.facts.notes["head"] == "replaced"
    held = classifier.model.classifier.weight.cpu()
    assert len(held) == (2 if task == "sst2" else 1)
    assert not any(torch.allclose(row, old, atol=1e-4) for row in held for old in head_of(checkpoint))


@pytest.mark.parametrize("labels", [("negative", "positive"), ("LABEL_0", "LABEL_1")])
def test_a_head_for_these_labels_or_for_labels_without_names_is_trained_on(
    headed: Callable[..., Path], workplace: Callable[[str], Workplace], labels: tuple[str, ...]
) -> None:
    checkpoint, place = headed(*labels), workplace("sst2")
    classifier = fit(checkpoint, place)
    assert classifier.facts.notes["head"] == "kept"
    torch.testing.assert_close(
        classifier.model.classifier.weight.detach().cpu(), head_of(checkpoint), atol=1e-6, rtol=0
    )
    config = json.loads((place.folder / "model" / "best_model" / "config.json").read_text())
    assert list(config["id2label"].values()) == ["negative", "positive"]


def test_a_multiple_choice_head_is_trained_on(
    headed: Callable[..., Path], workplace: Callable[[str], Workplace]
) -> None:
    checkpoint = headed("one", "two", architecture=BertForMultipleChoice)
    classifier = fit(checkpoint, workplace("arc_challenge"))
    torch.testing.assert_close(
        classifier.model.classifier.weight.detach().cpu(), head_of(checkpoint), atol=1e-6, rtol=0
    )


def test_a_head_that_labels_tokens_is_not_taken_for_one_that_labels_texts(
    headed: Callable[..., Path], workplace: Callable[[str], Workplace]
) -> None:
    checkpoint = headed("negative", "positive", architecture=BertForTokenClassification)
    with pytest.raises(CheckpointError, match="ForTokenClassification"):
        fit(checkpoint, workplace("sst2"))


def test_a_bare_encoder_gets_a_fresh_head(tiny_bert: Path, workplace: Callable[[str], Workplace]) -> None:
    assert fit(tiny_bert, workplace("sst2")).facts.notes["head"] == "fresh"
    assert fit(tiny_bert, workplace("sst2"), fresh_head=True).facts.notes["head"] == "fresh"


@pytest.mark.parametrize("family", ENCODERS)
def test_under_a_new_head_the_encoder_is_the_checkpoints_own(request: pytest.FixtureRequest, family: str) -> None:
    checkpoint = request.getfixturevalue(f"tiny_{family}")
    config = AutoConfig.from_pretrained(checkpoint)
    with hushed():
        expected = AutoModelForSequenceClassification.from_pretrained(checkpoint, dtype=torch.float32)
        torch.manual_seed(1)
        made = with_new_head(AutoModelForSequenceClassification, checkpoint, config)
        torch.manual_seed(1)
        again = with_new_head(AutoModelForSequenceClassification, checkpoint, config)
    own = {name: tensor for name, tensor in made.state_dict().items() if name.startswith(made.base_model_prefix)}
    in_file = set(load_file(checkpoint / "model.safetensors"))
    for name, tensor in own.items():
        if any(name.endswith(stored.removeprefix(made.base_model_prefix)) for stored in in_file):
            assert torch.equal(tensor, expected.state_dict()[name]), name
    assert all(torch.equal(one, other) for one, other in zip(made.parameters(), again.parameters(), strict=True))
    assert any(not name.startswith(made.base_model_prefix) for name in made.state_dict())
