"""The one place where gold labels meet predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from beatingbert.errors import MisalignedError, TooFewExamplesError
from beatingbert.scoring import calibration, metrics
from beatingbert.scoring.calibration import ReliabilityBin
from beatingbert.scoring.metrics import ClassReport
from beatingbert.statistics.confusion import confusion_macro_f1, confusion_mcc
from beatingbert.statistics.intervals import Interval, stratified_bootstrap, wilson
from beatingbert.tasks.example import Example
from beatingbert.tasks.prediction import Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """How good one engine's answers to one split are.

    Attributes:
        metrics: name to value with bounds, as fractions: "accuracy" always, "macro_f1" and "mcc" unless the labels are
            mere positions, "ece" and "brier" (between 0 and 2) where every prediction has probabilities. Of these two
            the smaller is the better. Where the answers carry what other rules would have taken
            (`Prediction.labels_by_rule`), the accuracy of each rule under its own name: "acc" and "acc_norm" for the
            endings of multiple choice.
        reliability: confidence against accuracy by bin, as a reliability diagram shows it; empty without "ece".
        labels: the task's labels, empty where they are mere positions.
        per_class: label to precision, recall, F1 and support, in the order of `labels`.
        confusion: rows per gold label (outer) and predicted label (inner, in the order of `labels`, then "no label").
        n: rows scored.
        unparsed: rows whose reply named no label; they count as wrong.
        truncated: rows that lost tokens because they were too long to be read whole.
        lost_tokens: tokens lost in all.
        level: coverage of every interval, as a fraction.
        draws, seed: of the bootstraps behind all other intervals; accuracy has Wilson's, which needs neither.
    """

    metrics: dict[str, Interval]
    reliability: tuple[ReliabilityBin, ...]
    labels: tuple[str, ...]
    per_class: dict[str, ClassReport]
    confusion: tuple[tuple[int, ...], ...]
    n: int
    unparsed: int
    truncated: int
    lost_tokens: int
    level: float
    draws: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON for `results.json`; the same keys for every task, empty where they do not apply."""
        return {
            "metrics": {
                name: {"value": interval.value, "low": interval.low, "high": interval.high}
                for name, interval in self.metrics.items()
            },
            "intervals": {"level": self.level, "draws": self.draws, "seed": self.seed},
            "reliability": [one.to_json() for one in self.reliability],
            "rows": self.n,
            "unparsed": self.unparsed,
            "truncated": {"rows": self.truncated, "lost_tokens": self.lost_tokens},
            "per_class": {label: report.to_json() for label, report in self.per_class.items()},
            "confusion_matrix": {"labels": list(self.labels), "rows": [list(row) for row in self.confusion]},
        }


def score(
    examples: Sequence[Example],
    predictions: Sequence[Prediction],
    labels: Sequence[str],
    *,
    accuracy_only: bool = False,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 99,
) -> Scorecard:
    """Join gold labels to predictions by question id, and measure.

    Args:
        examples: the questions that were asked, with their labels.
        predictions: exactly one per question, in any order.
        labels: `Task.labels`; empty for multiple choice, which implies `accuracy_only`.
        accuracy_only: labels are positions of choices. To be right or wrong is all there is then: position 2 of one
            question has nothing in common with position 2 of another, so no metric may average over positions.
        level: coverage of the intervals as a fraction, strictly between 0 and 1.
        draws: resamples of the bootstrap.
        seed: of the bootstrap.

    Raises:
        MisalignedError: an id is missing, unknown or occurs twice.
        TooFewExamplesError: under two rows.
        DataError: a label that is none of `labels`.
        SettingsError: `level` or `draws` is out of range.
        BeatingBertError: probabilities that are none.
    """
    if len(examples) < 2:
        raise TooFewExamplesError(f"a score with an interval needs at least two rows, got {len(examples)}")
    gold = [example.label for example in examples]
    aligned = _align(examples, predictions)
    predicted = [prediction.label for prediction in aligned]
    names = () if accuracy_only else tuple(labels)
    right = sum(truth == answer for truth, answer in zip(gold, predicted, strict=True))
    measured = {"accuracy": wilson(right, len(gold), level=level)}
    for rule, answers in _answers_by_rule(aligned).items():
        right = sum(truth == answer for truth, answer in zip(gold, answers, strict=True))
        measured[rule] = wilson(right, len(gold), level=level)
    if names:
        measured |= _bootstrap_metrics(names, gold, predicted, level=level, draws=draws, seed=seed)
    certainties = calibration.gather(gold, aligned)
    if certainties is not None:
        measured |= calibration.calibration_metrics(certainties, level=level, draws=draws, seed=seed)
    return Scorecard(
        metrics=measured,
        reliability=() if certainties is None else calibration.reliability(certainties.confidence, certainties.right),
        labels=names,
        per_class=metrics.report_classes(names, gold, predicted) if names else {},
        confusion=metrics.count_confusions(names, gold, predicted) if names else (),
        n=len(gold),
        unparsed=predicted.count(None),
        truncated=sum(prediction.lost_tokens > 0 for prediction in aligned),
        lost_tokens=sum(prediction.lost_tokens for prediction in aligned),
        level=level,
        draws=draws,
        seed=seed,
    )


def _align(examples: Sequence[Example], predictions: Sequence[Prediction]) -> list[Prediction]:
    """The predictions in the order of the examples.

    Raises:
        MisalignedError: an id is missing, unknown or occurs twice.
    """
    asked = [example.question.id for example in examples]
    answered = {prediction.question_id: prediction for prediction in predictions}
    _refuse("asked twice", _repeated(asked))
    _refuse("answered twice", _repeated(prediction.question_id for prediction in predictions))
    _refuse("never answered", [name for name in asked if name not in answered])
    _refuse("never asked", sorted(answered.keys() - set(asked)))
    return [answered[name] for name in asked]


def _answers_by_rule(aligned: Sequence[Prediction]) -> dict[str, list[str]]:
    """Rule to its answers, for every rule that has answered all rows."""
    given = [prediction.labels_by_rule or {} for prediction in aligned]
    return {rule: [one[rule] for one in given] for rule in given[0] if all(rule in one for one in given)}


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _refuse(fault: str, names: list[str]) -> None:
    if names:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise MisalignedError(
            f"{len(names)} question(s) {fault}: {shown}. Every question needs exactly one prediction with its id"
        )


def _bootstrap_metrics(
    labels: tuple[str, ...],
    gold: Sequence[str],
    predicted: Sequence[str | None],
    *,
    level: float,
    draws: int,
    seed: int,
) -> dict[str, Interval]:
    """Macro-F1 and Matthews correlation with bounds from a bootstrap stratified by gold label."""
    gold_codes, predicted_codes = metrics.encode_labels(labels, gold, predicted)
    measured = {}
    for name, measure, redraw in (
        ("macro_f1", metrics.macro_f1, confusion_macro_f1),
        ("mcc", metrics.mcc, confusion_mcc),
    ):
        drawn = stratified_bootstrap(
            gold_codes, predicted_codes, redraw, classes=len(labels), level=level, draws=draws, seed=seed
        )
        # The value shown is scikit-learn's own; ours, which is fast enough to be redrawn, differs in the last digit.
        value = measure(labels, gold, predicted)
        measured[name] = Interval(value, min(drawn.low, value), max(drawn.high, value), level)
    return measured
