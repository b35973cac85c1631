"""One engine's answer to one question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What an engine answered, kept whole so that every statistic can be recomputed later.

    Attributes:
        question_id: `Question.id`.
        label: the chosen label, or None: the reply named no known label; it counts as wrong and is reported.
        probabilities: label to probability (they sum to 1), where the engine has them.
        reply: what the model wrote, where it wrote something.
        log_likelihoods: label to the log-likelihood of its words (natural logarithm), where that is how it was chosen.
        labels_by_rule: name of a usual rule to the label that it takes, where several rules are in use for one kind of
            answer: {"acc": "0", "acc_norm": "2"} for the endings of multiple choice. `label` is what this run went by.
        prompt: what the model read, word for word, where it reads prompts; where each choice has a prompt of its own,
            all of them with a line between them.
        lost_tokens: how many tokens of the question were cut away to fit; 0 means it was read whole.
    """

    question_id: str
    label: str | None
    probabilities: Mapping[str, float] | None = None
    reply: str | None = None
    log_likelihoods: Mapping[str, float] | None = None
    labels_by_rule: Mapping[str, str] | None = None
    prompt: str | None = None
    lost_tokens: int = 0
