import numpy as np
import pytest
from scipy.stats import chi2

from beatingbert.errors import MisalignedError, TooFewExamplesError
from beatingbert.statistics.several import cochran_q


def repeat(patterns: list[str], counts: list[int]) -> np.ndarray:
    """A pattern such as "101" is one row: the first and the last of three classifiers were right."""
    return np.repeat([[letter == "1" for letter in pattern] for pattern in patterns], counts, axis=0)


@pytest.mark.parametrize(
    ("right", "statistic", "p_value"),
    [
        # Conover's example, as NIST's Dataplot and the tests of statsmodels have it
        (repeat(["111", "010", "110", "000", "001"], [6, 2, 2, 1, 1]), 2.8, 0.246597),
        # the drugs of the SAS manual, as the tests of statsmodels have them
        (
            repeat(["000", "100", "001", "101", "010", "110", "011", "111"], [6, 2, 16, 4, 2, 6, 4, 6]),
            8.470588,
            0.014476,
        ),
        (
            repeat(["0001", "1111", "1001", "0101", "0100", "0000", "0011"], [4, 1, 3, 1, 1, 1, 1]),
            13.2857143,
            0.00405776,
        ),
    ],
)
def test_cochran_q_gives_the_published_values(right: np.ndarray, statistic: float, p_value: float) -> None:
    found = cochran_q(right)
    assert (found.statistic, found.p_value) == pytest.approx((statistic, p_value), rel=1e-4)
    assert found.degrees == right.shape[1] - 1


def test_with_two_classifiers_it_is_mcnemar_without_correction() -> None:
    found = cochran_q(repeat(["11", "10", "01", "00"], [30, 12, 4, 9]))
    assert found.statistic == pytest.approx((12 - 4) ** 2 / (12 + 4))
    assert found.p_value == pytest.approx(chi2.sf(4.0, 1))


def test_classifiers_that_no_row_tells_apart_do_not_differ() -> None:
    found = cochran_q(repeat(["111", "000"], [5, 3]))
    assert (found.statistic, found.p_value) == (0.0, 1.0)


def test_neither_the_order_of_rows_nor_of_classifiers_matters() -> None:
    generator = np.random.default_rng(99)
    right = generator.random((80, 4)) < [0.9, 0.8, 0.8, 0.7]
    shuffled = right[generator.permutation(80)][:, [2, 0, 3, 1]]
    assert cochran_q(right) == cochran_q(shuffled)


def test_equals_are_called_different_about_as_often_as_promised() -> None:
    hard = np.random.default_rng(99).random((1000, 100, 1))
    trials = hard + 0.4 * np.random.default_rng(7).random((1000, 100, 5)) < 0.9
    assert np.mean([cochran_q(right).p_value < 0.05 for right in trials]) == pytest.approx(0.05, abs=0.02)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(MisalignedError, match="rows, classifiers"):
        cochran_q(np.ones(5, dtype=bool))
    for shape in ((1, 3), (5, 1)):
        with pytest.raises(TooFewExamplesError, match="two rows and two classifiers"):
            cochran_q(np.ones(shape, dtype=bool))
    with pytest.raises(TypeError, match="right or wrong"):
        cochran_q(np.ones((5, 3), dtype=int))
