import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sklearn.metrics import cohen_kappa_score, jaccard_score

from beatingbert.errors import DataError, MisalignedError, TooFewExamplesError
from beatingbert.statistics.agreement import cohen_kappa, cohen_kappas, error_overlap, error_overlaps


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_kappa_agrees_with_scikit_learn_and_counts_unparsed_as_an_answer(classes: int) -> None:
    generator = np.random.default_rng(99)
    first = generator.integers(-1, classes, 80)
    second = np.where(generator.random(80) < 0.6, first, generator.integers(-1, classes, 80))
    assert cohen_kappa(first, second, classes) == pytest.approx(cohen_kappa_score(first, second))


def test_kappa_of_cohens_kind_of_table_is_as_worked_by_hand() -> None:
    # agree on 20 + 15 of 50; by chance (25 * 30 + 25 * 20) / 50 = 25; so (35 - 25) / (50 - 25)
    first, second = np.repeat([0, 0, 1, 1], [20, 5, 10, 15]), np.repeat([0, 1, 0, 1], [20, 5, 10, 15])
    assert cohen_kappa(first, second, 2) == pytest.approx(0.4)


def test_two_that_give_one_answer_only_have_no_kappa() -> None:
    assert math.isnan(cohen_kappa(np.ones(5, dtype=int), np.ones(5, dtype=int), 2))
    assert cohen_kappa(np.ones(5, dtype=int), np.zeros(5, dtype=int), 2) == 0.0


def test_all_runs_at_once_are_as_if_two_by_two() -> None:
    generator = np.random.default_rng(99)
    codes, right = generator.integers(-1, 3, (6, 40)), generator.random((6, 40)) < 0.7
    kappas, overlaps = cohen_kappas(codes, 3), error_overlaps(right)
    for i in range(6):
        for j in range(6):
            assert kappas[i, j] == pytest.approx(cohen_kappa(codes[i], codes[j], 3))
            assert overlaps[i, j] == pytest.approx(error_overlap(right[i], right[j]))
    assert np.diag(kappas) == pytest.approx(1.0)


@settings(deadline=None)
@given(some.lists(some.tuples(some.booleans(), some.booleans()), min_size=1, max_size=40))
def test_the_overlap_of_errors_agrees_with_scikit_learn(rows: list[tuple[bool, bool]]) -> None:
    first, second = np.array(rows, dtype=bool).T
    overlap = error_overlap(first, second)
    if (first & second).all():
        assert math.isnan(overlap)
    else:
        assert overlap == pytest.approx(jaccard_score(~first, ~second))
        assert overlap == error_overlap(second, first)


def test_what_does_not_belong_together_is_refused() -> None:
    two, three = np.array([0, 1]), np.array([0, 1, 1])
    with pytest.raises(MisalignedError, match="same rows"):
        cohen_kappa(two, three, 2)
    with pytest.raises(MisalignedError, match="same rows"):
        error_overlap(two == 1, three == 1)
    with pytest.raises(MisalignedError, match="runs, rows"):
        error_overlaps(two == 1)
    with pytest.raises(DataError, match="code 2"):
        cohen_kappa(two, np.array([0, 2]), 2)
    with pytest.raises(TooFewExamplesError, match="at least one row"):
        cohen_kappa(two[:0], two[:0], 2)
    with pytest.raises(TypeError, match="right or wrong"):
        error_overlap(two, two)
