"""A question together with the gold label and what a run answered, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from beatingbert.report.answers import Answers, read_answers
from beatingbert.report.questions import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One row of a run.

    Attributes:
        id: of the question, unique within its split.
        gold: the right label.
        label: what was answered; None where the reply named no label.
        confidence: probability of the answered label, where the engine has any.
        reply: what the model wrote, where it wrote something.
        lost_tokens: tokens of the question that were cut away.
        asked: the question; None for a run that did not keep its questions.
    """

    id: str
    gold: str
    label: str | None
    confidence: float | None = None
    reply: str | None = None
    lost_tokens: int = 0
    asked: Asked | None = None

    @property
    def is_right(self) -> bool:
        """Whether the answer is the gold label; a reply that named none is wrong."""
        return self.label == self.gold

    @property
    def words(self) -> int | None:
        """Words of the question; None where it was not kept."""
        return None if self.asked is None else self.asked.words

    @property
    def text(self) -> str:
        """The question as one text; empty if it was not kept."""
        return "" if self.asked is None else self.asked.text


def read_answered(folder: Path, split: str) -> list[Answered]:
    """The rows of a run's split, in the order in which they were asked.

    Raises:
        DataError: see `read_answers` and `read_questions`.
    """
    answers = read_answers(folder, split, whole=True)
    return [_row(answers, at) for at in answers.as_asked]


def _row(answers: Answers, at: int) -> Answered:
    label = answers.label[at]
    return Answered(
        id=answers.ids[at],
        gold=answers.gold[at],
        label=label,
        confidence=(answers.probabilities[at] or {}).get(label),
        reply=answers.reply[at],
        lost_tokens=int(answers.lost_tokens[at]),
        asked=answers.asked[at],
    )
