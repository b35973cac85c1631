import numpy as np
import pytest

from beatingbert.statistics.power import rows_needed
from beatingbert.statistics.settling import rows_to_settle


def pair(only_first: int, only_second: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.ones((1, rows), dtype=bool), np.ones((1, rows), dtype=bool)
    second[0, :only_first] = False
    first[0, only_first : only_first + only_second] = False
    return first, second


@pytest.mark.parametrize(("only_first", "only_second"), [(40, 25), (60, 30), (20, 10)])
def test_with_one_seed_a_side_it_is_about_what_the_paired_test_needs(only_first: int, only_second: int) -> None:
    first, second = pair(only_first, only_second, 500)
    found = rows_to_settle(first, second, level=0.95)
    exact = rows_needed((only_first - only_second) / 500, (only_first + only_second) / 500, level=0.95)
    assert found == pytest.approx(exact, rel=0.15)


def test_so_many_rows_find_the_gap_in_four_of_five_cases() -> None:
    first, second = pair(40, 20, 1000)
    rows = rows_to_settle(first, second, level=0.95)
    assert rows is not None
    outcomes = np.random.default_rng(0).multinomial(rows, [0.04, 0.02, 0.94], size=4000)
    z = (outcomes[:, 0] - outcomes[:, 1]) / np.sqrt(outcomes[:, 0] + outcomes[:, 1])
    assert (np.abs(z) > 1.96).mean() == pytest.approx(0.8, abs=0.04)


def test_no_rows_help_where_seeds_scatter_more_than_the_gap() -> None:
    generator = np.random.default_rng(1)
    shares = (0.5, 0.9, 0.7)
    seeds = np.stack([generator.random(400) < share for share in shares])
    other = generator.random((1, 400)) < 0.66
    assert rows_to_settle(seeds, other, level=0.95) is None
    calm = np.stack([generator.random(400) < 0.8 for _ in shares])
    needed = rows_to_settle(calm, other, level=0.95)
    assert needed is not None
    stricter = rows_to_settle(calm, other, level=0.999)
    assert stricter is None or stricter > needed


def test_no_gap_needs_no_rows() -> None:
    first, second = pair(10, 10, 100)
    assert rows_to_settle(first, second, level=0.95) is None
