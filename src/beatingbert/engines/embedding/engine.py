"""The embedding engine: a frozen encoder, and a logistic regression on its vectors.

What a sentence encoder has learnt from a billion pairs is often most of what a classifier needs; a fine-tuned model
that does not beat this has not earned its training.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from beatingbert.checkpoints.kept import keep_checkpoint, kept_checkpoint
from beatingbert.checkpoints.reference import Checkpoint, resolve
from beatingbert.engines.embedding.reader import Reader, join, load, texts_of
from beatingbert.engines.embedding.settings import EmbeddingSettings
from beatingbert.engines.logistic import as_tensors, choose
from beatingbert.engines.protocol import EngineFacts, Workplace
from beatingbert.errors import NotAvailableError, TooFewExamplesError
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Shape, Task

LABELS, HEAD = "labels.json", "head.safetensors"
STRENGTHS = (4.0, 15.0, 60.0)  # inverse regularisation: vectors of length 1 need weights of length 10 and more
TOLERANCE = 1e-3  # of the solver; the scores do not change below it


class EmbeddingEngine:
    """Fits a logistic regression on the vectors of a frozen encoder."""

    def __init__(self, settings: EmbeddingSettings, workplace: Workplace) -> None:
        if workplace.task.shape is Shape.CHOICE:
            raise NotAvailableError(
                f"the embedding engine classifies texts; {workplace.task.name!r} is multiple choice. "
                "Use the encoder or llm engine"
            )
        self._settings = settings
        self._workplace = workplace

    def fit(self, train: Sequence[Example], *, development: Sequence[Example], seed: int) -> EmbeddingClassifier:
        """Read `train` once, fit one regression per strength and keep the best on `development`."""
        settings, task = self._settings, self._workplace.task
        if len({example.label for example in train}) < 2:
            raise TooFewExamplesError(f"a regression needs at least two labels in train, got {len(train)} rows of one")
        checkpoint = resolve(settings.checkpoint, progress=self._workplace.progress)
        key = ("vectors", checkpoint.sha256, str(checkpoint.path), settings.full_precision, settings.max_length)
        reader, _ = self._workplace.shelf.take(key, lambda: load(checkpoint, full_precision=settings.full_precision))
        started = time.perf_counter()
        features, held_out = (self._features(reader, part) for part in (train, development))
        chosen = choose(
            features,
            [one.label for one in train],
            held_out,
            [one.label for one in development],
            strengths=STRENGTHS,
            choose_by=settings.choose_by,
            seed=seed,
            tolerance=TOLERANCE,
            strength=settings.strength,
            balanced=settings.balanced,
        )
        weights = chosen.model.coef_
        facts = _facts(reader, checkpoint, weights)
        facts.train_seconds = time.perf_counter() - started
        facts.notes |= {
            "inverse_regularisation": chosen.strength,
            "features": int(weights.shape[1]),
            **({"classes_weigh_the_same": True} if chosen.balanced else {}),
        }
        return EmbeddingClassifier(reader, chosen.model, task, facts, settings.max_length, self._workplace)

    def _features(self, reader: Reader, examples: Sequence[Example]) -> Any:
        """Shape (examples, features); None for none."""
        if not examples:
            return None
        rows = [texts_of(self._workplace.task, example.question) for example in examples]
        told = self._workplace.progress
        return join(
            [
                reader.remember(column, self._settings.max_length, lambda done, all_: told("reading", done, all_))
                for column in map(list, zip(*rows, strict=True))
            ]
        )


class EmbeddingClassifier:
    """A frozen encoder with a fitted regression."""

    def __init__(
        self, reader: Reader, model: Any, task: Task, facts: EngineFacts, max_length: int, workplace: Workplace
    ) -> None:
        self.reader = reader
        self.model = model
        self.facts = facts
        self.max_length = max_length
        self._task = task
        self._workplace = workplace

    def keep(self, folder: Path) -> None:
        """Which weights read the texts, the labels as JSON, and the regression as safetensors."""
        from safetensors.numpy import save_file

        keep_checkpoint(folder, self.facts.checkpoint)
        labels = [str(label) for label in self.model.classes_]
        (folder / LABELS).write_text(json.dumps(labels, ensure_ascii=False) + "\n", encoding="utf-8")
        save_file(as_tensors(self.model), str(folder / HEAD))

    def predict(self, questions: Sequence[Question]) -> list[Prediction]:
        """The most probable label for each question; every text is read anew."""
        told = self._workplace.progress
        read = [
            self.reader.read(column, self.max_length, lambda done, all_: told("answering", done, all_))
            for column in self._columns(questions)
        ]
        lost = [sum(one) for one in zip(*(tokens for _, tokens in read), strict=True)]
        return self._answer(questions, [vectors for vectors, _ in read], lost)

    def predict_known(self, questions: Sequence[Question]) -> list[Prediction]:
        """As `predict`, without reading a text that some regression was fitted on: for whoever takes no time."""
        read = [
            self.reader.remember(column, self.max_length, lambda done, all_: None)
            for column in self._columns(questions)
        ]
        return self._answer(questions, read, [0] * len(questions))

    def _columns(self, questions: Sequence[Question]) -> list[list[str]]:
        rows = [texts_of(self._task, question) for question in questions]
        return [list(column) for column in zip(*rows, strict=True)]

    def _answer(self, questions: Sequence[Question], read: Sequence[Any], lost: Sequence[int]) -> list[Prediction]:
        if not questions:
            return []
        labels = [str(label) for label in self.model.classes_]
        found = self.model.predict_proba(join(read)).astype(float)
        predictions = []
        for question, row, tokens in zip(questions, found / found.sum(axis=1, keepdims=True), lost, strict=True):
            probabilities = dict(zip(labels, row.tolist(), strict=True))
            label = max(probabilities, key=probabilities.__getitem__)
            predictions.append(
                Prediction(question_id=question.id, label=label, probabilities=probabilities, lost_tokens=tokens)
            )
        return predictions


def restore(folder: Path, settings: EmbeddingSettings, workplace: Workplace, *, seed: int) -> EmbeddingClassifier:
    """The classifier that was kept in the folder."""
    import numpy as np
    from safetensors.numpy import load_file
    from sklearn.linear_model import LogisticRegression

    started = time.perf_counter()
    checkpoint = kept_checkpoint(folder, workplace.progress)
    reader = load(checkpoint, full_precision=settings.full_precision)
    weights = load_file(str(folder / HEAD))
    model = LogisticRegression()
    model.classes_ = np.array(json.loads((folder / LABELS).read_text(encoding="utf-8")))
    model.coef_, model.intercept_ = weights["coefficients"], weights["intercept"]
    model.n_features_in_ = weights["coefficients"].shape[1]
    facts = _facts(reader, checkpoint, weights["coefficients"])
    facts.load_seconds = time.perf_counter() - started
    return EmbeddingClassifier(reader, model, workplace.task, facts, settings.max_length, workplace)


def _facts(reader: Reader, checkpoint: Checkpoint, weights: Any) -> EngineFacts:
    return EngineFacts(
        load_seconds=reader.seconds,
        parameters=reader.parameters + int(weights.size),
        disk_bytes=checkpoint.disk_bytes + int(weights.nbytes),
        checkpoint=checkpoint.described(),
        device=str(next(reader.model.parameters()).device.type),
        precision=reader.precision,
    )
