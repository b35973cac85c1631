"""Which choice wins when the words of each choice are scored.

Both rules of lm-evaluation-harness 0.4.13 (lm_eval/api/task.py, `process_results`), under its names: `acc` takes the
choice with the largest log-likelihood, `acc_norm` the one with the largest log-likelihood per character of the choice
as the data has it. The blank before the choice is scored but not counted. Where two are equal, the first wins.
"""

from __future__ import annotations

from collections.abc import Mapping

from beatingbert.tasks.example import Question


def per_character(log_likelihoods: Mapping[str, float], question: Question) -> dict[str, float]:
    """Label to log-likelihood per character of its choice."""
    return {label: value / max(1, len(question.choices[int(label)])) for label, value in log_likelihoods.items()}


def best(scores: Mapping[str, float]) -> str:
    """The label with the largest score, the first of several."""
    return max(scores, key=scores.__getitem__)


def labels_by_rule(log_likelihoods: Mapping[str, float], question: Question, *, fills_blank: bool) -> dict[str, str]:
    """What each rule chooses.

    Args:
        log_likelihoods: label to the log-likelihood of its ending.
        question: whose choices the labels are positions of.
        fills_blank: whether the choices were put into a blank. What is scored is then the same for all of them, so its
            length cannot matter, and there is no `acc_norm`, as in the harness.
    """
    rules = {"acc": best(log_likelihoods)}
    return rules if fills_blank else rules | {"acc_norm": best(per_character(log_likelihoods, question))}
