"""A cell that was run again is held against what was published of it, answer by answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from beatingbert.errors import DataError
from beatingbert.runs.evidence import write_predictions
from beatingbert.study.again import PREDICTIONS, compare_runs
from beatingbert.tasks.prediction import Prediction

GOLD = {("validation", "1"): "positive", ("validation", "2"): "negative"}
USUAL = {"1": ("positive", 0.75), "2": ("positive", 0.5)}


def keep(folder: Path, answers: Mapping[str, tuple[str | None, float | None]]) -> Path:
    """A folder with these answers: row id to label and the probability of 'positive'."""
    folder.mkdir()
    predictions = [
        Prediction(
            question_id=name,
            label=label,
            probabilities=None if share is None else {"negative": 1 - share, "positive": share},
        )
        for name, (label, share) in answers.items()
    ]
    write_predictions(folder / PREDICTIONS, {"validation": predictions}, GOLD)
    return folder


def test_the_same_answers_hold_in_any_order(tmp_path: Path) -> None:
    other_way_round = dict(reversed(USUAL.items()))
    found = compare_runs(keep(tmp_path / "first", USUAL), keep(tmp_path / "second", other_way_round))
    assert (found.rows, found.same, found.largest, found.holds) == (2, 2, 0.0, True)
    assert str(found) == "2 of 2 answers are the same, to the last digit"


def test_another_probability_is_told_and_holds(tmp_path: Path) -> None:
    second = keep(tmp_path / "second", USUAL | {"2": ("positive", 0.625)})
    found = compare_runs(keep(tmp_path / "first", USUAL), second)
    assert found.holds
    assert found.largest == 0.125
    assert "probabilities within 0.1" in str(found)


@pytest.mark.parametrize("other", [("negative", 0.5), (None, None)])
def test_another_answer_or_none_does_not_hold(tmp_path: Path, other: tuple[str | None, float | None]) -> None:
    found = compare_runs(keep(tmp_path / "first", USUAL), keep(tmp_path / "second", USUAL | {"2": other}))
    assert not found.holds
    assert (found.rows, found.same) == (2, 1)


def test_two_replies_without_label_are_the_same(tmp_path: Path) -> None:
    silent = USUAL | {"2": (None, None)}
    assert compare_runs(keep(tmp_path / "first", silent), keep(tmp_path / "second", silent)).holds


def test_other_rows_are_refused_and_named(tmp_path: Path) -> None:
    first, second = keep(tmp_path / "first", USUAL), keep(tmp_path / "second", {"1": USUAL["1"]})
    with pytest.raises(DataError, match=re.escape("answer other rows, e.g. [('validation', '2')]")):
        compare_runs(first, second)
