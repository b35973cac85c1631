import itertools
import math

import numpy as np
import pytest

from beatingbert.errors import SettingsError
from beatingbert.statistics.multiplicity import holm


def test_holm_of_four_values_is_as_worked_by_hand() -> None:
    # in order 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1; the last may not fall below the third
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_one_claim_needs_no_correction() -> None:
    assert holm([0.04]) == [0.04]


def test_no_claims_give_no_values() -> None:
    assert holm([]) == []


def test_adjusted_values_end_at_one() -> None:
    assert holm([0.6, 0.7, 1.0]) == [1.0, 1.0, 1.0]


def test_the_order_of_the_claims_does_not_matter() -> None:
    values = [0.001, 0.02, 0.02, 0.9]
    expected = dict(zip(values, holm(values), strict=True))
    for order in itertools.permutations(values):
        assert holm(order) == [expected[value] for value in order]


def test_one_false_claim_in_many_is_as_rare_as_promised() -> None:
    chance = np.random.default_rng(99).random((2000, 10))
    assert np.mean([min(holm(row.tolist())) <= 0.05 for row in chance]) == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_what_is_no_p_value_is_refused(value: float) -> None:
    with pytest.raises(SettingsError, match="between 0 and 1"):
        holm([0.5, value])
