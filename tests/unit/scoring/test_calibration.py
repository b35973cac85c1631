from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from beatingbert.errors import BeatingBertError, SettingsError
from beatingbert.scoring.calibration import (
    BINS,
    Certainties,
    bin_of,
    brier_score,
    calibration_metrics,
    expected_calibration_error,
    gather,
    reliability,
    squared_error,
)
from beatingbert.tasks.prediction import Prediction

LABELS = ("no", "maybe", "yes")


def answers(rows: Sequence[Sequence[float]], labels: Sequence[str] = LABELS) -> list[Prediction]:
    """One prediction per row of probabilities, for the most probable label."""
    return [
        Prediction(
            question_id=f"q{at}",
            label=labels[int(np.argmax(row))],
            probabilities=dict(zip(labels, map(float, row), strict=True)),
        )
        for at, row in enumerate(rows)
    ]


def certainties(gold: Sequence[str], rows: Sequence[Sequence[float]], labels: Sequence[str] = LABELS) -> Certainties:
    found = gather(gold, answers(rows, labels))
    assert found is not None
    return found


def simulate(
    count: int, seed: int, *, boast: float = 0.0, labels: Sequence[str] = LABELS
) -> tuple[list[str], list[list[float]]]:
    """Gold labels drawn from the very probabilities that are stated, but for `boast` taken from the answered label."""
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet([0.7] * len(labels), size=count)
    true = rows.copy()
    every = np.arange(count)
    true[every, rows.argmax(axis=1)] -= boast  # the highest of three is at least a third
    true[every, rows.argmin(axis=1)] += boast
    codes = (true.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)
    return [labels[min(code, len(labels) - 1)] for code in codes], rows.tolist()


def measure(
    gold: Sequence[str], rows: Sequence[Sequence[float]], *, draws: int = 300, seed: int = 99
) -> dict[str, Any]:
    return calibration_metrics(certainties(gold, rows), level=0.95, draws=draws, seed=seed)


def test_the_brier_score_of_two_labels_is_twice_scikit_learns_binary_one() -> None:
    gold, rows = simulate(200, 1, labels=("no", "yes"))
    expected = brier_score_loss([label == "yes" for label in gold], [row[1] for row in rows])
    assert brier_score(certainties(gold, rows, ("no", "yes"))) == pytest.approx(2 * expected)


def test_the_brier_score_of_several_labels_is_scikit_learns() -> None:
    gold, rows = simulate(200, 2)
    expected = brier_score_loss([LABELS.index(label) for label in gold], rows, labels=[0, 1, 2], scale_by_half=False)
    assert brier_score(certainties(gold, rows)) == pytest.approx(expected)


def test_the_brier_score_runs_from_0_to_2() -> None:
    assert squared_error({"no": 0.0, "yes": 1.0}, "yes") == 0
    assert squared_error({"no": 0.0, "yes": 1.0}, "no") == 2
    assert squared_error({"no": 0.5, "yes": 0.5}, "no") == 0.5


def test_a_gold_label_that_was_left_out_has_probability_0() -> None:
    assert squared_error({"no": 0.25, "yes": 0.75}, "maybe") == pytest.approx(
        squared_error({"no": 0.25, "yes": 0.75, "maybe": 0.0}, "maybe")
    )


def test_the_calibration_error_of_a_case_worked_by_hand() -> None:
    """Bins: (0.6, 0.667] holds 0.62 right and 0.64 wrong; (0.8, 0.867] holds 0.85 right; (0.933, 1] 0.95 and 1.0 wrong.

    Gaps: |1 - 1.26| = 0.26, |1 - 0.85| = 0.15, |0 - 1.95| = 1.95; over five rows (0.26 + 0.15 + 1.95) / 5.
    """
    confidence = np.array([0.62, 0.64, 0.85, 0.95, 1.0])
    right = np.array([True, False, True, False, False])
    assert expected_calibration_error(confidence, right) == pytest.approx(2.36 / 5)


def test_the_calibration_error_agrees_with_scikit_learns_calibration_curve() -> None:
    gold, rows = simulate(400, 3, boast=0.2)
    found = certainties(gold, rows)
    accuracy, mean_confidence = calibration_curve(found.right, found.confidence, n_bins=BINS)
    counts = np.histogram(found.confidence, bins=np.linspace(0, 1, BINS + 1))[0]
    expected = np.abs(accuracy - mean_confidence) @ counts[counts > 0] / 400
    assert expected_calibration_error(found.confidence, found.right) == pytest.approx(expected)


def test_a_confidence_on_a_bound_belongs_to_the_bin_below_it() -> None:
    bounds = np.arange(BINS + 1) / BINS
    assert bin_of(bounds).tolist() == [0, *range(BINS)]
    assert bin_of(np.nextafter(bounds[1:-1], 1)).tolist() == list(range(1, BINS))


def test_the_reliability_table_has_a_row_for_every_bin() -> None:
    table = reliability(np.array([0.62, 0.64, 0.95]), np.array([True, False, True]))
    assert [one.count for one in table] == [0] * 9 + [2] + [0] * 4 + [1]
    assert (table[9].low, table[9].high) == (0.6, pytest.approx(2 / 3))
    assert (table[9].confidence, table[9].accuracy) == (pytest.approx(0.63), 0.5)
    assert (table[0].confidence, table[0].accuracy) == (None, None)
    assert table[14].to_json() == {"low": 14 / 15, "high": 1.0, "count": 1, "confidence": 0.95, "accuracy": 1.0}


def test_the_table_adds_up_to_the_calibration_error() -> None:
    gold, rows = simulate(300, 4, boast=0.1)
    found = certainties(gold, rows)
    table = [one for one in reliability(found.confidence, found.right) if one.count]
    total = math.fsum(one.count * abs((one.accuracy or 0) - (one.confidence or 0)) for one in table)
    assert sum(one.count for one in table) == 300
    assert expected_calibration_error(found.confidence, found.right) == pytest.approx(total / 300)


def test_a_perfectly_calibrated_classifier_has_an_error_near_0_that_shrinks_with_the_rows() -> None:
    errors = [measure(*simulate(count, 5), draws=20)["ece"].value for count in (100, 1000, 20_000)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.01


def test_of_a_perfectly_calibrated_classifier_0_lies_within_the_interval_about_as_often_as_it_says() -> None:
    """The plain percentile interval of the same draws never reaches down to 0."""
    held = sum(measure(*simulate(100, seed), draws=200, seed=seed)["ece"].low == 0 for seed in range(60))
    assert 54 <= held <= 60


def test_of_a_boastful_classifier_the_interval_holds_the_true_error_and_not_0() -> None:
    truth = measure(*simulate(60_000, 1, boast=0.25), draws=2)["ece"].value
    assert truth > 0.2
    intervals = [measure(*simulate(150, seed, boast=0.25), draws=200, seed=seed)["ece"] for seed in range(40)]
    assert sum(one.low <= truth <= one.high for one in intervals) >= 35
    assert all(one.low > 0 for one in intervals)
    assert np.mean([one.high - one.low for one in intervals]) < 0.3


def test_the_brier_interval_holds_the_true_score_about_as_often_as_it_says() -> None:
    truth = measure(*simulate(60_000, 1), draws=2)["brier"].value
    intervals = [measure(*simulate(100, seed), draws=200, seed=seed)["brier"] for seed in range(60)]
    assert 52 <= sum(one.low <= truth <= one.high for one in intervals) <= 60


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("confidence", [0.9, 1.0])
def test_rows_that_all_agree_prove_nothing_for_certain(right: bool, confidence: float) -> None:
    rows = [[1 - confidence, 0.0, confidence]] * 10
    measured = measure(["yes" if right else "no"] * 10, rows, draws=2000)
    for one in measured.values():
        assert one.low < one.high
        assert one.high - one.low > 0.1


def test_the_seed_decides_the_bounds_and_the_order_of_the_rows_does_not() -> None:
    gold, rows = simulate(80, 6)
    assert measure(gold, rows) == measure(gold[::-1], rows[::-1])
    assert measure(gold, rows) != measure(gold, rows, seed=1)


def test_drawing_in_batches_gives_the_same_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    gold, rows = simulate(50, 7)
    whole = measure(gold, rows)["brier"]
    monkeypatch.setattr("beatingbert.scoring.calibration.CELLS_PER_BATCH", 120)
    assert measure(gold, rows)["brier"] == whole


def test_without_probabilities_for_every_row_there_is_no_number() -> None:
    some = [*answers([[0.2, 0.3, 0.5]]), Prediction(question_id="q1", label="yes")]
    assert gather(["yes", "yes"], some) is None


def test_a_reply_without_a_label_is_wrong_and_as_confident_as_its_highest_probability() -> None:
    probabilities = dict(zip(LABELS, (0.2, 0.3, 0.5), strict=True))
    found = gather(["yes"], [Prediction(question_id="q", label=None, probabilities=probabilities)])
    assert found is not None
    assert (found.confidence.tolist(), found.right.tolist()) == ([0.5], [False])
    assert found.squared_error[0] == pytest.approx(0.04 + 0.09 + 0.25)


def test_what_a_row_would_score_had_it_gone_the_other_way() -> None:
    found = certainties(["yes", "no"], [[0.1, 0.3, 0.6], [0.3, 0.1, 0.6]])
    by_right = dict(zip(found.right.tolist(), found.opposite_error.tolist(), strict=True))
    assert by_right[True] == pytest.approx(squared_error({"no": 0.1, "maybe": 0.3, "yes": 0.6}, "maybe"))
    assert by_right[False] == pytest.approx(squared_error({"no": 0.3, "maybe": 0.1, "yes": 0.6}, "yes"))


@pytest.mark.parametrize("row", [(math.nan, math.nan, math.nan), (0.5, 0.5, 0.5), (-0.5, 0.5, 1.0)])
def test_numbers_that_are_no_probabilities_are_refused(row: tuple[float, ...]) -> None:
    with pytest.raises(BeatingBertError, match="'q0' was answered with probabilities"):
        gather(["yes"], answers([row]))


def test_a_level_or_a_number_of_draws_that_cannot_be_is_refused() -> None:
    rows = certainties(*simulate(10, 8))
    with pytest.raises(SettingsError, match="level"):
        calibration_metrics(rows, level=95, draws=10, seed=1)
    with pytest.raises(SettingsError, match="draws must be at least 1"):
        calibration_metrics(rows, level=0.95, draws=0, seed=1)
