"""A logistic regression on features that are given, its strength chosen on rows that were held out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from beatingbert.errors import SettingsError

MEASURES = ("accuracy", "macro_f1", "mcc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The regression that was best on the held-out rows.

    Attributes:
        model: fitted, as scikit-learn has it.
        strength: its inverse regularisation.
        balanced: whether every class weighed the same, however few its rows.
    """

    model: Any
    strength: float
    balanced: bool


def check_measure(name: str) -> None:
    """Refuse a measure that there is not.

    Raises:
        SettingsError: the name is none of `MEASURES`.
    """
    if name not in MEASURES:
        raise SettingsError(f"choose_by must be one of {', '.join(MEASURES)}, got {name!r}")


def check_strength(strength: float | None, balanced: bool) -> None:
    """Refuse a strength that is none, and classes that are weighed before one is known.

    Raises:
        SettingsError: it is not above 0; or `balanced` without it.
    """
    if strength is not None and not 0 < strength < float("inf"):
        raise SettingsError(f"strength must be above 0, got {strength}")
    if strength is None and balanced:
        raise SettingsError("balanced goes with a strength; without one both are chosen on the development part")


def choose(
    features: Any,
    gold: Sequence[str],
    held_out: Any,
    held_gold: Sequence[str],
    *,
    strengths: Sequence[float],
    choose_by: str,
    seed: int,
    tolerance: float = 1e-4,
    strength: float | None = None,
    balanced: bool = False,
) -> Chosen:
    """Fit one regression per strength and keep the best on the held-out rows; of equals the first.

    Where not accuracy decides, the best strength is tried with classes that all weigh the same as well: a rare class
    counts as much as a common one in macro-F1, and in the plain loss hardly at all.

    Args:
        features: shape (rows, features), dense or sparse.
        gold: one label per row.
        held_out: shape (other rows, features); not looked at where `held_gold` is empty.
        held_gold: one label per held-out row; without any, strength 1, or the middle one where that is not among them.
        strengths: inverse regularisations to try.
        choose_by: one of `MEASURES`.
        seed: of the solver.
        tolerance: at which the solver stops.
        strength: the only one to try; then nothing is held out, whatever there is.
        balanced: with that strength: whether all classes weigh the same.
    """
    if strength is not None or not held_gold:
        usual = 1.0 if 1.0 in strengths else strengths[len(strengths) // 2]
        strength = usual if strength is None else strength
        model = _fit(features, gold, strength, balanced=balanced, seed=seed, tolerance=tolerance)
        return Chosen(model=model, strength=strength, balanced=balanced)
    best, highest = None, float("-inf")
    ways = [(strength, False) for strength in strengths]
    while ways:
        strength, balanced = ways.pop(0)
        model = _fit(features, gold, strength, balanced=balanced, seed=seed, tolerance=tolerance)
        reached = measure(choose_by, held_gold, model.predict(held_out))
        if best is None or reached > highest:
            best, highest = Chosen(model=model, strength=strength, balanced=balanced), reached
        if not ways and not balanced and choose_by != "accuracy":
            ways = [(best.strength, True)]
    assert best is not None
    return best


def as_tensors(model: Any) -> dict[str, Any]:
    """A fitted regression's numbers as safetensors can hold them.

    With three classes and more scikit-learn's coefficients lie column by column, and safetensors would write them down
    as if they lay row by row: other numbers, without a word.
    """
    import numpy as np

    return {"coefficients": np.ascontiguousarray(model.coef_), "intercept": np.ascontiguousarray(model.intercept_)}


def measure(name: str, gold: Sequence[str], answers: Sequence[str]) -> float:
    """How good answers are, by one of `MEASURES`."""
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    if name == "accuracy":
        return float(accuracy_score(gold, answers))
    if name == "macro_f1":
        return float(f1_score(gold, answers, average="macro", zero_division=0.0))
    return float(matthews_corrcoef(gold, answers)) if len(set(gold)) > 1 else 0.0


def _fit(features: Any, gold: Sequence[str], strength: float, *, balanced: bool, seed: int, tolerance: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(
        C=strength,
        max_iter=1000,
        random_state=seed,
        tol=tolerance,
        class_weight="balanced" if balanced else None,
    )
    with warnings.catch_warnings():
        # On few rows of many classes scikit-learn asks whether the labels are numbers to be predicted; they are not.
        warnings.filterwarnings("ignore", message="The number of unique classes", category=UserWarning)
        return model.fit(features, gold)
