"""Train rows as token ids: what the model reads and what it should answer, split exactly as at inference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from beatingbert.engines.llm.likelihood import split_answers
from beatingbert.engines.llm.wording import Asked, Wording
from beatingbert.tasks.example import Example


@dataclass(frozen=True, slots=True)
class Row:
    """One example.

    Attributes:
        context: ids before the answer, the beginning-of-sequence token included.
        answer: the gold answer's own ids.
        lost_tokens: tokens of the question that were cut to fit.
    """

    context: tuple[int, ...]
    answer: tuple[int, ...]
    lost_tokens: int = 0

    @property
    def read(self) -> tuple[int, ...]:
        """Ids that the model reads: the answer's last token is predicted, never read."""
        return self.context + self.answer[:-1]


def encode(tokenizer: Any, wording: Wording, examples: Sequence[Example]) -> list[Row]:
    """Examples in the words in which they will be asked, with what stands for the gold label as the answer.

    Where a choice fills a blank, the answer is what follows the blank after the right choice.
    """
    rows = []
    for example in examples:
        asked = wording.ask(example.question)
        context, answer = _split(tokenizer, asked, example.label)
        rows.append(Row((*wording.bos, *context), tuple(answer), asked.lost_tokens))
    return rows


def _split(tokenizer: Any, asked: Asked, label: str) -> tuple[list[int], list[int]]:
    """The ids before the answer and the answer's own, parted where the scorer parts them."""
    if asked.contexts:  # each label has a prompt and a boundary of its own
        asked = Asked(asked.contexts[label], {label: asked.answers[label]}, asked.lost_tokens)
    context, answers = split_answers(asked, tokenizer)
    return context, answers[label]
