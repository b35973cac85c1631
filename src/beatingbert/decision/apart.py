"""A finalist that answers in a process of its own, `python -m beatingbert.decision.apart FOLDER`.

What answering takes of memory can only be told where nobody else's weights lie about. The process finds the kept
classifier and the questions in the folder, without any label, and leaves its answers there.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from beatingbert.classifiers.kept import FOLDER, keep_classifier, read_about
from beatingbert.decision.bench import Built
from beatingbert.engines.catalog import restore_classifier
from beatingbert.engines.protocol import Workplace
from beatingbert.errors import BeatingBertError
from beatingbert.experiments.answering import Answered, Hearing, answer
from beatingbert.progress import silent
from beatingbert.runs.files import write_json
from beatingbert.tasks.example import Question
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Task

QUESTIONS, ANSWERS = "apart_questions.json", "apart_answers.json"
COMPARED = 16  # questions that are answered here as well
LATEST = 400  # characters of what a process that failed has said


def answer_apart(built: Built, task: Task, questions: Mapping[str, Sequence[Question]]) -> Answered:
    """The answers of a fitted candidate, with what they took.

    Raises:
        BeatingBertError: the process failed, and the message has its last words; or its answers are others.
    """
    place = built.folder / FOLDER
    shutil.rmtree(place, ignore_errors=True)
    keep_classifier(built.fitted.classifier, place, task, cell=built.cell)
    asked = {split: [asdict(one) for one in rows] for split, rows in questions.items()}
    write_json(built.folder / QUESTIONS, asked)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "beatingbert.decision.apart", str(built.folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise BeatingBertError(f"the process that answers has failed: {done.stderr.strip()[-LATEST:]}")
        told = json.loads((built.folder / ANSWERS).read_text(encoding="utf-8"))
    finally:
        shutil.rmtree(place, ignore_errors=True)
        for name in (QUESTIONS, ANSWERS):
            (built.folder / name).unlink(missing_ok=True)
    predictions = {split: [Prediction(**one) for one in rows] for split, rows in told.pop("predictions").items()}
    _require_same(built, questions, predictions)
    return Answered(questions=questions, predictions=predictions, **told)


def _require_same(
    built: Built, questions: Mapping[str, Sequence[Question]], predictions: Mapping[str, Sequence[Prediction]]
) -> None:
    """See that what was kept and brought back answers a few questions as the original does.

    Raises:
        BeatingBertError: it does not; one may differ, since batches of another size round otherwise.
    """
    split = next(iter(questions))
    here = built.fitted.classifier.predict(questions[split][:COMPARED])
    differing = sum(one.label != other.label for one, other in zip(here, predictions[split], strict=False))
    if differing > 1:
        raise BeatingBertError(f"brought back it answers {differing} of {len(here)} questions otherwise")


def main(folder: Path) -> None:
    """Answer what lies in the folder."""
    about = read_about(folder / FOLDER)
    hearing = Hearing(silent)
    workplace = Workplace(task=about.task, folder=folder / FOLDER, progress=hearing)
    classifier = restore_classifier(about.engine, folder / FOLDER, about.settings, workplace, seed=about.seed)
    asked = json.loads((folder / QUESTIONS).read_text(encoding="utf-8"))
    questions = {
        split: [Question(one["id"], one["texts"], tuple(one["choices"])) for one in rows]
        for split, rows in asked.items()
    }
    answered = answer(classifier, questions, hearing)
    write_json(
        folder / ANSWERS,
        {
            "predictions": {split: [asdict(one) for one in rows] for split, rows in answered.predictions.items()},
            "latency": answered.latency,
            "throughput": answered.throughput,
            "memory": answered.memory,
        },
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
