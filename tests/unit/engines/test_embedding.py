"""A frozen encoder with a regression, against mean pooling and scikit-learn written out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from transformers import AutoModel, AutoTokenizer

from beatingbert.engines.embedding.engine import EmbeddingClassifier, EmbeddingEngine, restore
from beatingbert.engines.embedding.settings import EmbeddingSettings
from beatingbert.engines.linear import LinearEngine, LinearSettings
from beatingbert.engines.linear import restore as restore_linear
from beatingbert.engines.logistic import choose, measure
from beatingbert.engines.protocol import Workplace
from beatingbert.errors import NotAvailableError, SettingsError, TooFewExamplesError
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Example
from tiny_tasks import entailment, questions_of, sentiment

TRAIN, DEVELOPMENT, UNSEEN = sentiment(60), sentiment(20, start=300), sentiment(30, start=600)


@pytest.fixture
def settings(tiny_minilm: Path) -> EmbeddingSettings:
    return EmbeddingSettings(checkpoint=str(tiny_minilm), full_precision=True)


@pytest.fixture
def fitted(settings: EmbeddingSettings, workplace: Callable[[str], Workplace]) -> EmbeddingClassifier:
    return EmbeddingEngine(settings, workplace("sst2")).fit(TRAIN, development=DEVELOPMENT, seed=99)


def vectors_of(folder: Path, texts: list[str]) -> np.ndarray:
    """One text at a time, without padding: the mean of the last layer's tokens, of length 1."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    rows = []
    with torch.inference_mode():
        for text in texts:
            hidden = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
            rows.append(torch.nn.functional.normalize(hidden.mean(dim=0), dim=0).numpy())
    return np.stack(rows)


def test_probabilities_are_those_of_a_regression_on_mean_vectors(
    fitted: EmbeddingClassifier, tiny_minilm: Path
) -> None:
    train, unseen = (
        vectors_of(tiny_minilm, [one.question.texts["sentence"] for one in part]) for part in (TRAIN, UNSEEN)
    )
    strength = fitted.facts.notes["inverse_regularisation"]
    model = LogisticRegression(C=strength, max_iter=1000, tol=1e-3).fit(train, [one.label for one in TRAIN])
    found = [one.probabilities["positive"] for one in fitted.predict(questions_of(UNSEEN)) if one.probabilities]
    assert found == pytest.approx(model.predict_proba(unseen)[:, 1].tolist(), abs=2e-3)


def test_it_answers_the_same_whether_a_text_is_known_or_read_anew(fitted: EmbeddingClassifier) -> None:
    questions = questions_of(TRAIN)
    anew, known = fitted.predict(questions), fitted.predict_known(questions)
    for one, other in zip(anew, known, strict=True):
        assert one.label == other.label and one.probabilities == pytest.approx(other.probabilities, abs=1e-4)


def test_what_is_kept_answers_the_same(
    fitted: EmbeddingClassifier, settings: EmbeddingSettings, workplace: Callable[[str], Workplace], tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    fitted.keep(folder)
    again = restore(folder, settings, workplace("sst2"), seed=99)
    assert again.predict(questions_of(UNSEEN)) == fitted.predict(questions_of(UNSEEN))


def test_with_three_classes_what_is_kept_answers_the_same(
    settings: EmbeddingSettings, workplace: Callable[[str], Workplace], tmp_path: Path
) -> None:
    labels = ("negative", "positive", "mixed")
    rows = [Example(one.question, labels[at % 3]) for at, one in enumerate(TRAIN)]
    place = dataclasses.replace(workplace("sst2"), task=dataclasses.replace(find_task("sst2"), labels=labels))
    for name, engine, back in (
        ("embedding", EmbeddingEngine(settings, place), lambda to: restore(to, settings, place, seed=1)),
        (
            "linear",
            LinearEngine(LinearSettings(), place),
            lambda to: restore_linear(to, LinearSettings(), place, seed=1),
        ),
    ):
        classifier = engine.fit(rows, development=[], seed=1)
        folder = tmp_path / name
        folder.mkdir()
        classifier.keep(folder)
        for one, other in zip(
            classifier.predict(questions_of(UNSEEN)), back(folder).predict(questions_of(UNSEEN)), strict=True
        ):
            assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_a_pair_is_read_as_two_vectors_their_difference_and_their_product(
    settings: EmbeddingSettings, workplace: Callable[[str], Workplace]
) -> None:
    pairs = EmbeddingEngine(settings, workplace("rte")).fit(entailment(40), development=[], seed=99)
    assert pairs.facts.notes["features"] == 4 * 32
    assert [one.question_id for one in pairs.predict(questions_of(entailment(3)))] == ["r0", "r1", "r2"]


def test_what_cannot_be_done_is_refused(settings: EmbeddingSettings, workplace: Callable[[str], Workplace]) -> None:
    with pytest.raises(NotAvailableError, match="multiple choice"):
        EmbeddingEngine(settings, workplace("arc_challenge"))
    with pytest.raises(TooFewExamplesError, match="at least two labels"):
        EmbeddingEngine(settings, workplace("sst2")).fit(TRAIN[::2], development=[], seed=99)
    with pytest.raises(SettingsError, match="choose_by must be one of accuracy, macro_f1, mcc"):
        dataclasses.replace(settings, choose_by="f1")


def test_equal_weights_are_chosen_where_a_rare_class_counts() -> None:
    rng = np.random.default_rng(1)
    gold = ["rare"] * 12 + ["usual"] * 188
    features = rng.normal(size=(200, 2)) + np.array([[1.5, 0]] * 12 + [[0, 0]] * 188)
    held, held_gold = features[::2], gold[::2]
    by_accuracy = choose(features, gold, held, held_gold, strengths=(1.0,), choose_by="accuracy", seed=1)
    by_f1 = choose(features, gold, held, held_gold, strengths=(1.0,), choose_by="macro_f1", seed=1)
    assert not by_accuracy.balanced and by_f1.balanced
    scores = [measure("macro_f1", held_gold, one.model.predict(held)) for one in (by_accuracy, by_f1)]
    assert scores[1] > scores[0]
