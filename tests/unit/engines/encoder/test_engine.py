from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from beatingbert.engines.encoder.classifier import EncoderClassifier, longest_input, padding_token
from beatingbert.engines.encoder.engine import EncoderEngine
from beatingbert.engines.encoder.settings import EncoderSettings
from beatingbert.engines.hush import hushed
from beatingbert.engines.protocol import Workplace
from beatingbert.errors import CheckpointError
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Example
from tiny_tasks import entailment, questions_of, science, sentiment

QUESTIONS = questions_of(sentiment(70, start=500))  # more than one batch of answers
ROWS = {"sst2": sentiment, "rte": entailment, "arc_challenge": science}


def train(checkpoint: Path, place: Workplace, rows: list[Example], **settings: Any) -> EncoderClassifier:
    given = {"epochs": 1, "full_precision": True, "learning_rate": 1e-3} | settings
    engine = EncoderEngine(EncoderSettings(checkpoint=str(checkpoint), **given), place)
    return engine.fit(rows, development=rows, seed=99)


def reload(folder: Path, place: Workplace) -> EncoderClassifier:
    settings = EncoderSettings(checkpoint="not used", trained_model=str(folder), full_precision=True)
    return EncoderEngine(settings, place).fit([], development=[], seed=99)


@pytest.fixture(scope="module")
def trained(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[EncoderClassifier, Path]:
    """A BERT fine-tuned on SST-2 rows, and its folder."""
    place = Workplace(task=find_task("sst2"), folder=tmp_path_factory.mktemp("trained"))
    return train(tiny_bert, place, sentiment(24)), place.folder / "model"


def test_answers_are_the_softmax_of_the_models_own_logits(trained: tuple[EncoderClassifier, Path]) -> None:
    classifier, folder = trained
    with hushed():
        model = AutoModelForSequenceClassification.from_pretrained(folder / "best_model").eval()
    tokenizer = AutoTokenizer.from_pretrained(folder / "best_model")
    for one, question in zip(classifier.predict(QUESTIONS), QUESTIONS, strict=True):
        with torch.no_grad():
            row = torch.softmax(model(**tokenizer(question.texts["sentence"], return_tensors="pt")).logits[0], dim=-1)
        assert one.probabilities == pytest.approx(
            dict(zip(("negative", "positive"), row.tolist(), strict=True)), abs=1e-5
        )
        assert one.label == ("negative", "positive")[int(row.argmax())]


def test_answers_come_in_the_order_of_the_questions(trained: tuple[EncoderClassifier, Path]) -> None:
    classifier, _ = trained
    forwards, backwards = classifier.predict(QUESTIONS), classifier.predict(QUESTIONS[::-1])
    assert [one.question_id for one in forwards] == [question.id for question in QUESTIONS]
    for one, other in zip(forwards, backwards[::-1], strict=True):
        assert one.question_id == other.question_id
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


@pytest.mark.parametrize("task", ROWS)
@pytest.mark.parametrize("fixture", ["tiny_bert", "tiny_distilbert"])
def test_a_saved_model_answers_the_same(
    request: pytest.FixtureRequest, workplace: Callable[[str], Workplace], fixture: str, task: str
) -> None:
    place, rows = workplace(task), ROWS[task](16)
    if task == "arc_challenge" and fixture == "tiny_distilbert":
        rows = [row for row in rows if len(row.question.choices) == 4]
    classifier = train(request.getfixturevalue(fixture), place, rows)
    asked = questions_of(rows)
    again = reload(place.folder / "model" / "best_model", workplace(task))
    assert again.predict(asked) == classifier.predict(asked)
    final = reload(place.folder / "model" / "final_model", workplace(task))
    assert final.predict(asked) == classifier.predict(asked)  # of one epoch the best is the last


def test_a_saved_model_knows_the_labels_by_name(trained: tuple[EncoderClassifier, Path]) -> None:
    config = json.loads((trained[1] / "best_model" / "config.json").read_text())
    assert config["id2label"] == {"0": "negative", "1": "positive"}


def test_a_folder_without_a_configuration_is_no_trained_model(
    trained: tuple[EncoderClassifier, Path], workplace: Callable[[str], Workplace]
) -> None:
    with pytest.raises(CheckpointError, match=r"holds no config\.json.*did you mean '.*best_model'"):
        reload(trained[1], workplace("sst2"))
    with pytest.raises(CheckpointError, match=r"holds no config\.json"):
        reload(trained[1] / "nowhere", workplace("sst2"))


@pytest.mark.parametrize("fixture", ["tiny_bert", "tiny_llama"])
def test_a_checkpoint_without_a_head_is_no_trained_model(
    request: pytest.FixtureRequest, workplace: Callable[[str], Workplace], fixture: str
) -> None:
    with pytest.raises(CheckpointError, match=r"is a \w+For(MaskedLM|CausalLM), but task 'sst2' needs"):
        reload(request.getfixturevalue(fixture), workplace("sst2"))


@pytest.mark.parametrize("task", ["rte", "mnli"])
def test_a_model_trained_for_other_labels_is_refused(
    trained: tuple[EncoderClassifier, Path], workplace: Callable[[str], Workplace], task: str
) -> None:
    with pytest.raises(CheckpointError, match=rf"labels \['negative', 'positive'\], but task '{task}' has"):
        reload(trained[1] / "best_model", workplace(task))


def test_a_model_with_the_labels_in_another_order_is_refused(
    trained: tuple[EncoderClassifier, Path], workplace: Callable[[str], Workplace], tmp_path: Path
) -> None:
    folder = shutil.copytree(trained[1] / "best_model", tmp_path / "swapped")
    config = json.loads((folder / "config.json").read_text())
    config |= {"id2label": {"0": "positive", "1": "negative"}, "label2id": {"positive": 0, "negative": 1}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"labels \['positive', 'negative'\]"):
        reload(folder, workplace("sst2"))


def test_a_classifier_cannot_answer_multiple_choice(
    trained: tuple[EncoderClassifier, Path], workplace: Callable[[str], Workplace]
) -> None:
    with pytest.raises(CheckpointError, match=r"BertForSequenceClassification, .*ForMultipleChoice"):
        reload(trained[1] / "best_model", workplace("arc_challenge"))


@pytest.mark.parametrize("fixture", ["tiny_llama", "tiny_gemma", "tiny_qwen", "tiny_gpt2"])
def test_a_causal_model_is_fine_tuned_with_a_head_on_its_last_token(
    request: pytest.FixtureRequest, workplace: Callable[[str], Workplace], fixture: str
) -> None:
    """Whatever its batch is padded to: the head must not read padding."""
    place, rows = workplace("sst2"), sentiment(64)
    classifier = train(request.getfixturevalue(fixture), place, rows, epochs=12, learning_rate=5e-3)
    predictions = classifier.predict(questions_of(rows))
    assert sum(one.label == row.label for one, row in zip(predictions, rows, strict=True)) >= 58
    for one, row in zip(predictions, rows, strict=True):
        (alone,) = classifier.predict([row.question])
        assert alone.probabilities == pytest.approx(one.probabilities, abs=1e-5)
    assert reload(place.folder / "model" / "best_model", place).predict(questions_of(rows)) == predictions


def test_a_causal_model_cannot_be_fine_tuned_for_multiple_choice(
    tiny_llama: Path, workplace: Callable[[str], Workplace]
) -> None:
    with pytest.raises(CheckpointError, match="no multiple-choice head"):
        train(tiny_llama, workplace("arc_challenge"), science(8))


@pytest.mark.parametrize(("pad", "end", "chosen"), [(5, 7, 5), (0, 7, 0), (None, 7, 7), (None, 0, 0), (None, None, 0)])
def test_padding_is_the_tokenizers_own_or_its_end_token(pad: int | None, end: int | None, chosen: int) -> None:
    assert padding_token(SimpleNamespace(pad_token_id=pad, eos_token_id=end)) == chosen


def test_token_types_follow_the_model(
    tiny_bert: Path, tiny_distilbert: Path, workplace: Callable[[str], Workplace]
) -> None:
    rows = entailment(8)
    typed, untyped = (train(one, workplace("rte"), rows).encoded(rows) for one in (tiny_bert, tiny_distilbert))
    assert all(set(one.rows[0]["token_type_ids"]) == {0, 1} for one in typed)
    assert all("token_type_ids" not in one.rows[0] for one in untyped)


@pytest.mark.parametrize(
    ("config", "tokenizer_says", "longest"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512}, 10**30, 512),
        ({"model_type": "bert", "max_position_embeddings": 512}, 128, 128),
        ({"model_type": "roberta", "max_position_embeddings": 514}, 10**30, 512),
        ({"model_type": "mpnet", "max_position_embeddings": 514}, 10**30, 512),
        ({"model_type": "xlm-roberta", "max_position_embeddings": 514}, 512, 512),
        ({"model_type": "deberta-v2", "max_position_embeddings": 512}, 10**30, 512),
        ({"model_type": "modernbert", "max_position_embeddings": 8192}, 8192, 8192),
        ({"model_type": "xlnet"}, 10**30, 512),
    ],
)
def test_the_longest_input_is_what_positions_and_tokenizer_allow(
    config: dict[str, Any], tokenizer_says: int, longest: int
) -> None:
    assert longest_input(SimpleNamespace(**config), SimpleNamespace(model_max_length=tokenizer_says)) == longest


def test_the_facts_name_the_weights(trained: tuple[EncoderClassifier, Path], tiny_bert: Path) -> None:
    facts = trained[0].facts
    with hushed():
        model = AutoModelForSequenceClassification.from_pretrained(trained[1] / "best_model")
    assert facts.parameters == sum(weights.numel() for weights in model.parameters())
    assert facts.checkpoint["reference"] == str(tiny_bert)
    assert facts.train_seconds > 0
    assert facts.precision == "fp32"
    assert facts.notes["train_rows"] == 24
