"""Train rows as token ids: what the model reads and what it should answer, split exactly as at inference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from beatingbert.engines.llm.likelihood import split_asked
from beatingbert.engines.llm.wording import Wording
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
    """Examples in the words in which they will be asked, with the gold label's words as the answer."""
    rows = []
    for example in examples:
        asked = wording.ask(example.question)
        context, labels = split_asked(tokenizer, asked, wording.bos)
        answer = labels[list(asked.answers).index(example.label)]
        rows.append(Row(tuple(context), tuple(answer), asked.lost_tokens))
    return rows
