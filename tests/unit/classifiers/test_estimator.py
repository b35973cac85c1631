from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from keeping import keep
from sklearn.metrics import accuracy_score, log_loss

from beatingbert import KeptClassifier, load_classifier
from beatingbert.errors import DataError, NotAvailableError
from tiny_tasks import entailment, science, sentiment

UNSEEN = sentiment(30, start=600)
TEXTS = [example.question.texts["sentence"] for example in UNSEEN]
GOLD = [example.label for example in UNSEEN]


@pytest.fixture(scope="module")
def linear(kept_linear: Path) -> KeptClassifier:
    return load_classifier(kept_linear)


def test_labels_and_probabilities_are_arrays_that_scikit_learn_takes(linear: KeptClassifier) -> None:
    labels, shares = linear.predict(TEXTS), linear.predict_proba(TEXTS)
    assert labels.shape == (30,)
    assert (shares.shape, shares.dtype) == ((30, 2), np.float64)
    assert linear.classes_.tolist() == ["negative", "positive"]
    assert linear.classes_[shares.argmax(axis=1)].tolist() == labels.tolist()
    assert shares.sum(axis=1) == pytest.approx(1)
    assert accuracy_score(GOLD, labels) > 0.9
    assert log_loss(GOLD, shares, labels=linear.classes_) < 0.69


def test_a_linear_classifier_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    rows = sentiment(60)
    fitted, kept = keep("linear", tmp_path, rows, max_ngram=3, min_count=2)
    asked = [example.question for example in UNSEEN]
    assert load_classifier(kept).answers(asked) == fitted.predict(asked)


def test_texts_come_as_a_list_an_array_a_series_or_a_frame(linear: KeptClassifier) -> None:
    expected = linear.predict_proba(TEXTS)
    frame = pd.DataFrame({"number": range(30), "sentence": TEXTS})
    for texts in (np.array(TEXTS), pd.Series(TEXTS), frame, [{"sentence": text} for text in TEXTS], iter(TEXTS)):
        assert np.array_equal(linear.predict_proba(texts), expected)


def test_no_texts_are_no_answers(linear: KeptClassifier) -> None:
    assert linear.predict([]).shape == (0,)
    assert linear.predict_proba([]).shape == (0, 2)


def test_pairs_are_taken_in_the_tasks_order(tmp_path: Path) -> None:
    rows = entailment(40)
    fitted, kept = keep("linear", tmp_path, rows, task="rte")
    again = load_classifier(kept.parent)
    pairs = [tuple(example.question.texts.values()) for example in rows[:9]]
    expected = [one.label for one in fitted.predict([example.question for example in rows[:9]])]
    frame = pd.DataFrame(pairs, columns=["sentence1", "sentence2"])
    for texts in (pairs, [list(pair) for pair in pairs], frame[["sentence2", "sentence1"]]):
        assert again.predict(texts).tolist() == expected


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ("one text", "put it into a list"),
        (["good", 7], "row 2"),
        (["good", None], "row 2"),
        ([("a", "b")], "row 1"),
        (pd.DataFrame({"text": ["a"]}), "column 'sentence' is missing"),
        (pd.DataFrame({"sentence": ["a", None]}), "row 2"),
        (["\ud800"], "surrogate"),
    ],
)
def test_what_is_no_text_is_refused_with_its_place(linear: KeptClassifier, texts: object, told: str) -> None:
    with pytest.raises(DataError, match=told):
        linear.predict(texts)


def test_a_label_that_train_did_not_show_has_no_probability(tmp_path: Path) -> None:
    rows = [row for row in sentiment(40) if row.label == "positive"]
    _, kept = keep("majority", tmp_path, rows)
    assert load_classifier(kept).predict_proba(["x"]).tolist() == [[0.0, 1.0]]


def test_multiple_choice_has_answers_but_no_classes(tmp_path: Path) -> None:
    rows = science(12)
    _, kept = keep("majority", tmp_path, rows, task="arc_challenge")
    again = load_classifier(kept)
    asked = [{"question": "which?", "choices": {"text": ["a", "b"], "label": ["A", "B"]}}]
    assert again.predict(asked).tolist()[0] in ("0", "1")
    with pytest.raises(NotAvailableError, match="multiple choice"):
        again.predict_proba(asked)


def test_written_answers_have_no_probabilities(tmp_path: Path, tiny_llama: Path) -> None:
    settings = {"checkpoint": str(tiny_llama), "answer_by": "generation", "full_precision": True}
    _, kept = keep("llm", tmp_path, sentiment(8), **settings)
    again = load_classifier(kept)
    assert again.predict(["a great film"]).tolist()[0] in ("negative", "positive", None)
    with pytest.raises(NotAvailableError, match="no probabilities"):
        again.predict_proba(["a great film"])


def test_an_encoders_weights_are_a_second_name_of_the_runs_own(kept_encoder: Path) -> None:
    own = kept_encoder.parent / "model" / "best_model" / "model.safetensors"
    kept = kept_encoder / "model" / "model.safetensors"
    assert kept.samefile(own) or kept.read_bytes() == own.read_bytes()
    assert (load_classifier(kept_encoder).predict(TEXTS) == np.array(GOLD)).mean() > 0.6


def test_a_linear_classifier_is_loaded_without_torch(kept_linear: Path) -> None:
    look = f"""
import sys
from beatingbert import load_classifier
load_classifier({str(kept_linear)!r}).predict(["a great film"])
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
