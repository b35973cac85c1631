"""The baseline everyone forgets: TF-IDF of words and word pairs, or of letters, with a logistic regression.

A second of training on one core; a large model that does not beat it has not earned its cost.
"""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beatingbert.engines.logistic import as_tensors, check_measure, check_strength, choose
from beatingbert.engines.protocol import EngineFacts, Workplace
from beatingbert.errors import DataError, NotAvailableError, SettingsError, TooFewExamplesError
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Shape

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

VERSION = 1
VOCABULARY, WEIGHTS = "vocabulary.json", "weights.safetensors"
STRENGTHS = {"words": (0.3, 1.0, 3.0, 10.0), "letters": (3.0, 10.0, 30.0, 100.0)}
"""Inverse regularisations; the best on the development part is kept. So many features of letters want less of it."""

LETTERS = (2, 5)
"""How many in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearSettings:
    """What the linear baseline must know before it sees data.

    Attributes:
        of: "words", alone and in sequences; or "letters", 2 to 5 in a row within a word and its edges, which sees
            through endings, slips and odd spellings.
        max_ngram: longest word sequence counted as a feature.
        min_count: in how many train rows a feature must occur.
        choose_by: what the strength is chosen by on the development part: "accuracy", "macro_f1" or "mcc"; but for
            accuracy, classes that all weigh the same are tried too.
        strength: inverse regularisation; None chooses it on the development part, and whether classes weigh the same.
        balanced: with a strength that is given: every class weighs the same, however few its rows.
    """

    of: str = "words"
    max_ngram: int = 2
    min_count: int = 1
    choose_by: str = "accuracy"
    strength: float | None = None
    balanced: bool = False

    def __post_init__(self) -> None:
        check_measure(self.choose_by)
        check_strength(self.strength, self.balanced)
        if self.of not in STRENGTHS:
            raise SettingsError(f"of must be one of {', '.join(STRENGTHS)}, got {self.of!r}")
        if self.max_ngram < 1 or self.min_count < 1:
            raise SettingsError(
                f"max_ngram and min_count must be at least 1, got {self.max_ngram} and {self.min_count}"
            )


class LinearEngine:
    """Fits TF-IDF and a logistic regression; its strength is chosen on the development part."""

    def __init__(self, settings: LinearSettings, workplace: Workplace) -> None:
        if workplace.task.shape is Shape.CHOICE:
            raise NotAvailableError(
                f"the linear baseline classifies texts; {workplace.task.name!r} is multiple choice. "
                "Use the encoder or llm engine"
            )
        self._settings = settings
        self._workplace = workplace

    def fit(self, train: Sequence[Example], *, development: Sequence[Example], seed: int) -> LinearClassifier:
        """Fit one model per strength and keep the best on `development` (strength 1 if there is none)."""
        labels = sorted({example.label for example in train})
        if len(labels) < 2:
            raise TooFewExamplesError(f"the linear baseline needs two labels in train, found {labels}")
        from sklearn.pipeline import make_pipeline

        started = time.perf_counter()
        words = new_words(self._settings)
        features = words.fit_transform([join(one.question) for one in train])
        chosen = choose(
            features,
            [one.label for one in train],
            words.transform([join(one.question) for one in development]) if development else None,
            [one.label for one in development],
            strengths=STRENGTHS[self._settings.of],
            choose_by=self._settings.choose_by,
            seed=seed,
            strength=self._settings.strength,
            balanced=self._settings.balanced,
        )
        pipeline = make_pipeline(words, chosen.model)
        weights = chosen.model.coef_
        facts = EngineFacts(
            train_seconds=time.perf_counter() - started,
            parameters=int(weights.size),
            disk_bytes=len(pickle.dumps(pipeline)),  # only measured: nothing is ever unpickled
            precision="fp64",
            notes={
                "inverse_regularisation": chosen.strength,
                "features": int(weights.shape[1]),
                **({"classes_weigh_the_same": True} if chosen.balanced else {}),
            },
        )
        return LinearClassifier(pipeline, facts)


def new_words(settings: LinearSettings, vocabulary: Sequence[str] | None = None) -> TfidfVectorizer:
    """The features, not fitted yet; `vocabulary` are the features in order, None finds them in train."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    if settings.of == "letters":
        return TfidfVectorizer(
            analyzer="char_wb",
            ngram_range=LETTERS,
            min_df=settings.min_count,
            sublinear_tf=True,
            vocabulary=vocabulary,
        )
    return TfidfVectorizer(
        ngram_range=(1, settings.max_ngram),
        min_df=settings.min_count,
        sublinear_tf=True,
        token_pattern=r"(?u)\b\w+\b|[!?]",  # one-letter words and marks of emotion count too
        vocabulary=vocabulary,
    )


class LinearClassifier:
    """A fitted pipeline."""

    def __init__(self, pipeline: Any, facts: EngineFacts) -> None:
        self._pipeline = pipeline
        self.facts = facts

    def predict(self, questions: Sequence[Question]) -> list[Prediction]:
        """The most probable label for each question."""
        if not questions:
            return []
        labels = [str(label) for label in self._pipeline.classes_]
        rows = self._pipeline.predict_proba([join(question) for question in questions]).tolist()
        predictions = []
        for question, row in zip(questions, rows, strict=True):
            probabilities = dict(zip(labels, row, strict=True))
            label = max(probabilities, key=probabilities.__getitem__)
            predictions.append(Prediction(question_id=question.id, label=label, probabilities=probabilities))
        return predictions

    def keep(self, folder: Path) -> None:
        """The features in order and the labels as JSON; their weights as safetensors, in the format of the fit."""
        from safetensors.numpy import save_file

        words, model = self._pipeline
        text = {"labels": [str(label) for label in model.classes_], "features": words.get_feature_names_out().tolist()}
        (folder / VOCABULARY).write_text(json.dumps(text, ensure_ascii=False) + "\n", encoding="utf-8")
        save_file({"idf": words.idf_, **as_tensors(model)}, str(folder / WEIGHTS))


def restore(folder: Path, settings: LinearSettings, workplace: Workplace, *, seed: int) -> LinearClassifier:
    """The classifier that was kept in the folder: the same pipeline, so the same probabilities to the last bit."""
    import numpy as np
    from safetensors.numpy import load_file
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    started = time.perf_counter()
    text = json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))
    weights = load_file(str(folder / WEIGHTS))
    words, model = new_words(settings, text["features"]), LogisticRegression()
    try:
        words.idf_ = weights["idf"]
    except ValueError as error:
        raise DataError(f"{WEIGHTS} and {VOCABULARY} do not belong together: {error}") from error
    model.classes_ = np.array(text["labels"])
    model.coef_, model.intercept_ = weights["coefficients"], weights["intercept"]
    model.n_features_in_ = weights["coefficients"].shape[1]
    facts = EngineFacts(
        load_seconds=time.perf_counter() - started,
        parameters=int(weights["coefficients"].size),
        disk_bytes=sum((folder / name).stat().st_size for name in (VOCABULARY, WEIGHTS)),
        precision="fp64",
        notes={"features": len(text["features"])},
    )
    return LinearClassifier(make_pipeline(words, model), facts)


def join(question: Question) -> str:
    """All texts of a question as one, a line each."""
    return "\n".join(question.texts.values())
