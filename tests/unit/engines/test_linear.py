from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from beatingbert.engines.linear import STRENGTHS, LinearClassifier, LinearEngine, LinearSettings, restore
from beatingbert.engines.protocol import Workplace
from beatingbert.errors import NotAvailableError, SettingsError, TooFewExamplesError
from beatingbert.tasks.example import Example, Question
from tiny_tasks import entailment, questions_of, sentiment

TRAIN, DEVELOPMENT, UNSEEN = sentiment(40), sentiment(20, start=300), sentiment(30, start=600)
Fit = Callable[..., LinearClassifier]


@pytest.fixture
def fit(workplace: Callable[[str], Workplace]) -> Fit:
    def make(
        train: list[Example] = TRAIN,
        development: list[Example] = DEVELOPMENT,
        task: str = "sst2",
        **settings: Any,
    ) -> LinearClassifier:
        engine = LinearEngine(LinearSettings(**settings), workplace(task))
        return engine.fit(train, development=development, seed=99)

    return make


def texts_of(examples: list[Example]) -> list[str]:
    return ["\n".join(example.question.texts.values()) for example in examples]


@pytest.mark.parametrize(("max_ngram", "min_count"), [(1, 1), (2, 1), (2, 3)])
def test_probabilities_are_those_of_scikit_learn(fit: Fit, max_ngram: int, min_count: int) -> None:
    words = TfidfVectorizer(
        ngram_range=(1, max_ngram), min_df=min_count, sublinear_tf=True, token_pattern=r"(?u)\b\w+\b|[!?]"
    )
    model = LogisticRegression(C=1.0, max_iter=1000)
    model.fit(words.fit_transform(texts_of(TRAIN)), [example.label for example in TRAIN])
    expected = model.predict_proba(words.transform(texts_of(UNSEEN)))
    classifier = fit(development=[], max_ngram=max_ngram, min_count=min_count)
    for one, row in zip(classifier.predict(questions_of(UNSEEN)), expected, strict=True):
        assert one.probabilities == pytest.approx(dict(zip(model.classes_, row, strict=True)), abs=1e-6)
        assert one.label == model.classes_[np.argmax(row)]
    assert classifier.facts.notes["features"] == len(words.vocabulary_)


def test_letters_are_counted_within_words_as_scikit_learn_counts_them(
    fit: Fit, workplace: Callable[[str], Workplace], tmp_path: Path
) -> None:
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True)
    model = LogisticRegression(C=30.0, max_iter=1000)  # the middle one, as there is nothing to choose on
    model.fit(letters.fit_transform(texts_of(TRAIN)), [example.label for example in TRAIN])
    expected = model.predict_proba(letters.transform(texts_of(UNSEEN)))
    classifier = fit(development=[], of="letters", min_count=2)
    said = classifier.predict(questions_of(UNSEEN))
    for one, row in zip(said, expected, strict=True):
        assert one.probabilities == pytest.approx(dict(zip(model.classes_, row, strict=True)), abs=1e-6)
    classifier.keep(tmp_path)
    again = restore(tmp_path, LinearSettings(of="letters", min_count=2), workplace("sst2"), seed=99)
    assert again.predict(questions_of(UNSEEN)) == said


def test_what_is_counted_is_words_or_letters() -> None:
    with pytest.raises(SettingsError, match="of must be one of words, letters, got 'sounds'"):
        LinearSettings(of="sounds")


def test_the_strength_that_is_best_on_development_is_kept(fit: Fit) -> None:
    rng = np.random.default_rng(0)
    noisy = [
        Example(example.question, example.label if rng.random() > 0.3 else "negative") for example in sentiment(80)
    ]
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b|[!?]")
    seen, held = words.fit_transform(texts_of(noisy)), words.transform(texts_of(DEVELOPMENT))
    gold = [example.label for example in DEVELOPMENT]
    scores = [
        LogisticRegression(C=strength, max_iter=1000).fit(seen, [row.label for row in noisy]).score(held, gold)
        for strength in STRENGTHS["words"]
    ]
    assert len(set(scores)) > 1
    assert fit(train=noisy).facts.notes["inverse_regularisation"] == STRENGTHS["words"][int(np.argmax(scores))]


def test_without_development_the_strength_is_one(fit: Fit) -> None:
    assert fit(development=[]).facts.notes["inverse_regularisation"] == 1.0


def test_both_texts_of_a_pair_are_read(fit: Fit) -> None:
    rows = entailment(20)
    predictions = fit(train=rows, development=[], task="rte").predict(questions_of(rows))
    assert [one.label for one in predictions] == [row.label for row in rows]


def test_a_question_of_unknown_words_is_answered_all_the_same(fit: Fit) -> None:
    (one,) = fit().predict([Question("q", {"sentence": "zzz"})])
    assert one.label in ("negative", "positive")


def test_train_rows_of_one_label_are_refused(fit: Fit) -> None:
    with pytest.raises(TooFewExamplesError, match=r"needs two labels in train, found \['positive'\]"):
        fit(train=[example for example in TRAIN if example.label == "positive"])


def test_multiple_choice_is_not_available(workplace: Callable[[str], Workplace]) -> None:
    with pytest.raises(NotAvailableError, match="'arc_challenge' is multiple choice"):
        LinearEngine(LinearSettings(), workplace("arc_challenge"))


@pytest.mark.parametrize("balanced", [False, True])
def test_a_strength_that_is_given_is_taken_whatever_the_development_part_says(fit: Fit, balanced: bool) -> None:
    lopsided = TRAIN + [example for example in sentiment(30, start=2000) if example.label == "positive"]
    classifier = fit(train=lopsided, strength=0.02, balanced=balanced)
    assert classifier.facts.notes["inverse_regularisation"] == 0.02
    assert classifier.facts.notes.get("classes_weigh_the_same", False) is balanced
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b|[!?]")
    model = LogisticRegression(C=0.02, max_iter=1000, random_state=99, class_weight="balanced" if balanced else None)
    model.fit(words.fit_transform(texts_of(lopsided)), [example.label for example in lopsided])
    for one, row in zip(
        classifier.predict(questions_of(UNSEEN)), model.predict_proba(words.transform(texts_of(UNSEEN))), strict=True
    ):
        assert one.probabilities == pytest.approx(dict(zip(model.classes_, row, strict=True)), abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"strength": 0.0}, r"strength must be above 0, got 0\.0"), ({"balanced": True}, "balanced goes with a strength")],
)
def test_a_strength_that_is_none_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        LinearSettings(**settings)


@pytest.mark.parametrize("settings", [{"max_ngram": 0}, {"min_count": 0}])
def test_a_setting_out_of_range_is_refused(settings: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match="must be at least 1"):
        LinearSettings(**settings)
