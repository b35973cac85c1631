"""What a prompt makes a model say whatever is asked, and probabilities without it.

A prompt's wording and demonstrations favour some labels. Both methods estimate that bias before any question is
answered and never look at the questions that are reported, so an answer depends on its own question alone. Knows dicts
of numbers and questions; has never heard of models.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from beatingbert.errors import SettingsError, TooFewExamplesError
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.spec import Shape, Task
from beatingbert.tasks.subsample import draw_uniform, text_key

CONTENT_FREE = ("N/A", "[MASK]", "")
MOST_QUESTIONS = 128  # that batch calibration is estimated on
FEWEST_QUESTIONS = 10  # fewer tell more of themselves than of the prompt


@dataclass(frozen=True, slots=True)
class Calibration:
    """Divides label probabilities by what the prompt makes the model say anyway, and by their sum.

    Both methods do this and differ in the questions that show the bias. Zhao et al. take a softmax of the quotients;
    it picks the same label, but as it is taken of probabilities, not of their logarithms, two labels with an even prior
    could never exceed e^2 / (e^2 + 1) = 0.88 and would always look underconfident (docs/LOG.md).

    Attributes:
        prior: label to its mean probability over the questions that were asked for this; sums to 1.

    Source: Zhao et al. (2021), "Calibrate Before Use", section 4, W = diag(prior)^-1 and b = 0; Zhou et al. (2023),
    "Batch Calibration", section 3, log p(y | x) - log prior(y).
    """

    prior: Mapping[str, float]

    def probabilities(self, log_likelihoods: Mapping[str, float]) -> dict[str, float]:
        """Label to calibrated probability."""
        # A label of probability 0 would divide by 0; the smallest float keeps the quotient finite.
        logs = {label: math.log(max(self.prior[label], sys.float_info.min)) for label in log_likelihoods}
        return softmax({label: value - logs[label] for label, value in log_likelihoods.items()})


def softmax(scores: Mapping[str, float]) -> dict[str, float]:
    """Label to probability in proportion to exp(score); they sum to 1."""
    top = max(scores.values())
    weights = {label: math.exp(value - top) for label, value in scores.items()}
    total = sum(weights.values())
    return {label: weight / total for label, weight in weights.items()}


def estimate(log_likelihoods: Sequence[Mapping[str, float]]) -> Calibration:
    """The bias from what was scored for `questions_to_estimate_on`; each question counts the same.

    Probabilities are therefore made to sum to 1 over the labels before they are averaged, however little of the whole
    vocabulary's probability a question leaves to the labels.

    Args:
        log_likelihoods: one entry per question, label to natural logarithm; all with the same labels.
    """
    rows = [softmax(one) for one in log_likelihoods]
    return Calibration({label: math.fsum(row[label] for row in rows) / len(rows) for label in rows[0]})


def questions_to_estimate_on(
    kind: str,
    task: Task,
    *,
    train: Sequence[Example],
    development: Sequence[Example],
    shown: Sequence[Example],
    seed: int,
) -> dict[str, list[Question]]:
    """Where the questions come from, and the questions: never from what is reported, never with a label.

    Args:
        kind: "contextual" asks the three content-free texts in place of all text fields; "batch" draws up to 128
            questions of the development part and fills up from train where that has fewer.
        task: which fields a question has.
        train: what the demonstrations were drawn from; empty where the run reads none.
        development: the part carved from train, empty where train is small.
        shown: the demonstrations; a question that is one of them is not asked.
        seed: of the draw.

    Raises:
        TooFewExamplesError: batch calibration has fewer than 10 questions to estimate on.
    """
    if kind == "contextual":
        return {
            "content_free": [
                Question(f"content-free {text!r}", dict.fromkeys(task.text_fields, text)) for text in CONTENT_FREE
            ]
        }
    taboo = {text_key(example.question) for example in shown}
    drawn: dict[str, list[Question]] = {}
    room = MOST_QUESTIONS
    for part, examples in (("development", development), ("train", train)):
        free = [example.question for example in examples if text_key(example.question) not in taboo]
        drawn[part] = draw_uniform(free, room, seed=seed) if room else []
        room -= len(drawn[part])
    found = MOST_QUESTIONS - room
    if found < FEWEST_QUESTIONS:
        raise TooFewExamplesError(
            f"batch calibration needs at least {FEWEST_QUESTIONS} train or development rows besides the "
            f"demonstrations, found {found}; raise --max_samples, or use --calibration contextual, which needs none"
        )
    return drawn


def refuse_positions(kind: str, task: Task) -> None:
    """Refuse to calibrate a task whose labels are mere positions of choices.

    A bias towards "the second choice" is none of the prompt's words: each question brings answers of its own, so no
    mean over questions, and no text without content, says anything about them.

    Raises:
        SettingsError: the task is multiple choice.
    """
    if kind != "none" and task.shape is Shape.CHOICE:
        raise SettingsError(
            f"calibration {kind!r} corrects a bias towards labels that all questions share, but the labels of "
            f"{task.name!r} are positions of each question's own choices; leave --calibration out"
        )
