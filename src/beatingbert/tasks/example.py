"""A question, and a question together with its label. Knows nothing of where either came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """What an engine may see: the texts, never the label.

    Attributes:
        id: unique within its split; the row's `idx` where the data has one, else its position.
        texts: field name to text, in the order of the task's `text_fields`.
        choices: the answers to choose from, in order; empty unless the task is multiple choice.
    """

    id: str
    texts: Mapping[str, str]
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """A question with its gold label: a name from `Task.labels`, or the position of the right choice as a string."""

    question: Question
    label: str
