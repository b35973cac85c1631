"""A kept classifier in scikit-learn's manner: texts in, arrays out. What answers behind it is the engine's business."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from beatingbert.classifiers.exported import find_exported, restore_exported
from beatingbert.classifiers.kept import About, find_kept, read_about
from beatingbert.classifiers.texts import as_questions
from beatingbert.engines.catalog import engine_version, restore_classifier
from beatingbert.engines.protocol import Access, Classifier, Workplace
from beatingbert.errors import NotAvailableError
from beatingbert.progress import Progress, silent
from beatingbert.tasks.example import Question
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Runtime = Literal["auto", "own", "onnx"]
USUAL_ACCESS = Access()

logger = logging.getLogger("beatingbert.classifiers")


class KeptClassifier:
    """Answers texts; made by `load_classifier`.

    Attributes:
        about: what its folder says of it.
        identity: one hash of all that its answers depend on, the exported form included where that answers.
        runtime: "own" for the engine itself, "onnx" for the form that `beatingbert export` has written.
    """

    def __init__(self, classifier: Classifier, about: About, *, identity: str, runtime: str) -> None:
        self.about = about
        self.identity = identity
        self.runtime = runtime
        self._classifier = classifier

    def __repr__(self) -> str:
        """Engine, task and runtime."""
        runtime = "" if self.runtime == "own" else f" by {self.runtime}"
        return f"<KeptClassifier: {self.about.engine}{runtime} for {self.task.name!r}>"

    @property
    def task(self) -> Task:
        """What it answers."""
        return self.about.task

    @property
    def classes_(self) -> NDArray[np.str_]:
        """The task's labels, in the order of `predict_proba`'s columns, shape (n_classes,).

        Raises:
            NotAvailableError: multiple choice, where every question has choices of its own.
        """
        import numpy as np

        if not self.task.labels:
            raise NotAvailableError(
                f"{self.task.name!r} is multiple choice, so questions share no classes; 'answers' gives each one's own"
            )
        return np.array(self.task.labels)

    def predict(self, texts: Any) -> NDArray[Any]:
        """The label of each text, shape (n_texts,); None where a model's reply named no label.

        Args:
            texts: as `as_questions` takes them: a list of texts, of pairs, of mappings, or a data frame.
        """
        import numpy as np

        labels = [one.label for one in self.answers(as_questions(self.task, texts))]
        return np.array(labels, dtype=object if None in labels or not labels else str)

    def predict_proba(self, texts: Any) -> NDArray[np.float64]:
        """The probability of each label, shape (n_texts, n_classes), columns as in `classes_`; rows sum to 1.

        Raises:
            NotAvailableError: the engine has no probabilities, because its model writes its answers.
        """
        import numpy as np

        classes = [str(label) for label in self.classes_]
        answers = self.answers(as_questions(self.task, texts))
        if any(one.probabilities is None for one in answers):
            raise NotAvailableError(
                f"this {self.about.engine} classifier takes what its model writes, which has no probabilities; use "
                "predict, or make one that answers by likelihood"
            )
        rows = [[(one.probabilities or {}).get(label, 0.0) for label in classes] for one in answers]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(classes))

    def answers(self, questions: Sequence[Question]) -> list[Prediction]:
        """Whole predictions, one per question, in their order."""
        return self._classifier.predict(questions) if questions else []


def load_classifier(
    path: str | Path,
    *,
    runtime: Runtime = "auto",
    progress: Progress = silent,
    access: Access = USUAL_ACCESS,
) -> KeptClassifier:
    """A classifier from its folder, or from the run that holds it.

    Args:
        path: RUN/classifier, or RUN.
        runtime: "onnx" is the form that `beatingbert export` has written, "own" the engine itself; "auto" takes the
            exported form where there is one.
        progress: called while weights are fetched.
        access: how a model behind a server is reached.

    Raises:
        UsageError: no classifier there, one that is damaged, or weights that have gone or changed.
        MissingExtraError: it has been exported, and ONNX Runtime is not installed.
    """
    folder = find_kept(Path(path))
    about = read_about(folder)
    now = engine_version(about.engine)
    if now != about.engine_version:
        logger.warning(
            "made by version %d of the %s engine, which is at %d now: answers may differ a little",
            *(about.engine_version, about.engine, now),
        )
    told = WhileLoading(progress)
    workplace = Workplace(task=about.task, folder=folder, progress=told, access=access)
    exported = find_exported(folder, wanted=runtime)
    if exported is not None:
        answering = restore_exported(exported, folder, about, workplace)
        identity = about.sha256 + exported.sha256
    else:
        answering = restore_classifier(about.engine, folder, about.settings, workplace, seed=about.seed)
        identity = about.sha256
    told.is_over = True
    return KeptClassifier(answering, about, identity=identity, runtime="own" if exported is None else "onnx")


class WhileLoading:
    """Passes progress on until the classifier is there: who answers a file or a request tells of that in its own way.

    Args:
        listener: who is told.
    """

    def __init__(self, listener: Progress) -> None:
        self.is_over = False
        self._listener = listener

    def __call__(self, phase: str, done: int, total: int) -> None:
        """As `Progress`."""
        if not self.is_over:
            self._listener(phase, done, total)
