import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from beatingbert.errors import MisalignedError, SettingsError, TooFewExamplesError
from beatingbert.statistics.multiplicity import holm
from beatingbert.statistics.paired import mcnemar_exact
from beatingbert.statistics.verdict import Verdict, judge, judge_pairs, overall

OPPOSITE = {
    "first ahead": "second ahead",
    "second ahead": "first ahead",
    "practically equal": "practically equal",
    "cannot tell": "cannot tell",
}


def columns(only_first: int, only_second: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    sizes = [rows - only_first - only_second, only_first, only_second]
    return np.repeat([True, True, False], sizes), np.repeat([True, False, True], sizes)


@pytest.mark.parametrize(
    ("only_first", "only_second", "rows", "kind", "significant"),
    [
        (60, 20, 872, "first ahead", True),
        (20, 60, 872, "second ahead", True),
        (22, 20, 277, "cannot tell", False),
        (0, 0, 100, "cannot tell", False),
        (0, 0, 1000, "practically equal", False),
        (20, 21, 20_000, "practically equal", False),
        (100, 50, 50_000, "practically equal", True),  # a tenth of a point, surely there and surely no reason to choose
        (900, 600, 30_000, "first ahead", True),  # a point exactly
    ],
)
def test_the_verdict_carries_no_more_than_the_numbers(
    only_first: int, only_second: int, rows: int, kind: str, significant: bool
) -> None:
    verdict = judge(*columns(only_first, only_second, rows))
    assert (verdict.kind, verdict.significant) == (kind, significant)
    assert verdict.rows == rows
    assert verdict.gap.value == pytest.approx((only_first - only_second) / rows)
    assert verdict.p_value == mcnemar_exact(*columns(only_first, only_second, rows))


@settings(deadline=None)
@given(some.integers(0, 40), some.integers(0, 40), some.integers(0, 400), some.randoms(use_true_random=False))
def test_neither_names_nor_the_order_of_rows_matter(only_first: int, only_second: int, alike: int, chance) -> None:
    first, second = columns(only_first, only_second, only_first + only_second + alike + 2)
    order = np.array(chance.sample(range(first.size), first.size))
    verdict, other = judge(first, second), judge(second[order], first[order])
    assert other.kind == OPPOSITE[verdict.kind]
    assert other.p_value == verdict.p_value
    assert other.rows_needed == verdict.rows_needed
    assert (other.gap.low, other.gap.high) == pytest.approx((-verdict.gap.high, -verdict.gap.low), abs=1e-12)


@pytest.mark.parametrize("rows", [2, 10, 50, 200])
def test_few_rows_are_never_enough_for_equality_within_a_point(rows: int) -> None:
    for only_first, only_second in ((0, 0), (1, 1), (1, 0)):
        assert judge(*columns(only_first, only_second, rows)).kind == "cannot tell"


def test_a_wider_margin_makes_equal_what_a_narrow_one_does_not() -> None:
    pair = columns(15, 14, 872)
    assert judge(*pair, margin=0.01).kind == "cannot tell"
    assert judge(*pair, margin=0.03).kind == "practically equal"
    assert judge(*pair, margin=0.0).kind == "cannot tell"


@pytest.mark.parametrize(
    ("only_first", "only_second", "rows"), [(22, 20, 277), (20, 12, 277), (0, 0, 100), (50, 50, 872), (4, 3, 50)]
)
def test_as_many_rows_as_it_asks_for_would_settle_it(only_first: int, only_second: int, rows: int) -> None:
    needed = judge(*columns(only_first, only_second, rows)).rows_needed
    assert needed is not None
    assert needed > rows
    more = [round(count * needed / rows) for count in (only_first, only_second)]
    settled = judge(*columns(*more, needed))
    assert settled.kind != "cannot tell"
    assert settled.rows_needed is None


def test_where_no_number_of_rows_would_do_none_is_named() -> None:
    assert judge(*columns(20, 20, 277), margin=0.0).rows_needed is None


def test_equality_is_claimed_wrongly_no_more_often_than_promised() -> None:
    # The true gap is two points, exactly the margin.
    drawn = np.random.default_rng(99).multinomial(900, [0.035, 0.015, 0.95], size=1000).tolist()
    kinds = [judge(*columns(first, second, 900), margin=0.02).kind for first, second, _ in drawn]
    assert 0.01 < np.mean([kind == "practically equal" for kind in kinds]) <= 0.06


def test_equals_are_called_unequal_no_more_often_than_promised() -> None:
    drawn = np.random.default_rng(99).multinomial(277, [0.1, 0.1, 0.8], size=1000).tolist()
    kinds = [judge(*columns(first, second, 277)).kind for first, second, _ in drawn]
    assert 0.01 < np.mean([kind.endswith("ahead") for kind in kinds]) <= 0.06
    assert "practically equal" not in kinds  # too few rows for that


def test_a_family_of_claims_is_corrected() -> None:
    pairs = [columns(30, 12, 277), columns(20, 20, 277), columns(26, 12, 500)]
    verdicts = judge_pairs(pairs)
    assert [verdict.p_value for verdict in verdicts] == holm([mcnemar_exact(*pair) for pair in pairs])
    assert all(verdict.gap.level == pytest.approx(1 - 0.05 / 3) for verdict in verdicts)
    assert judge(*pairs[2]).kind == "first ahead"
    alone, together = judge(*pairs[2]).p_value, judge(*pairs[2], claims=3).p_value
    assert together == pytest.approx(3 * alone)
    assert judge(*pairs[2], claims=3).kind == "cannot tell"


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["first ahead"], "first ahead"),
        (["first ahead", "cannot tell", "practically equal"], "first ahead"),
        (["second ahead", "cannot tell"], "second ahead"),
        (["first ahead", "second ahead", "cannot tell"], "depends on the task"),
        (["practically equal", "practically equal"], "practically equal"),
        (["practically equal", "cannot tell"], "cannot tell"),
        (["cannot tell"], "cannot tell"),
    ],
)
def test_over_all_tasks_a_side_is_ahead_that_is_nowhere_behind(kinds: list[str], expected: str) -> None:
    by_kind: dict[str, Verdict] = {
        "first ahead": judge(*columns(60, 20, 872)),
        "second ahead": judge(*columns(20, 60, 872)),
        "practically equal": judge(*columns(0, 0, 1000)),
        "cannot tell": judge(*columns(22, 20, 277)),
    }
    assert all(verdict.kind == kind for kind, verdict in by_kind.items())
    assert overall(by_kind[kind] for kind in kinds) == expected
    assert overall(by_kind[kind] for kind in reversed(kinds)) == expected


def test_what_cannot_be_judged_is_refused() -> None:
    two, three = np.array([True, False]), np.array([True, False, True])
    with pytest.raises(MisalignedError, match="same examples"):
        judge(two, three)
    with pytest.raises(TooFewExamplesError):
        judge(two[:1], two[:1])
    with pytest.raises(TooFewExamplesError, match="no task"):
        overall([])
    for wrong in ({"margin": -0.01}, {"margin": 1.0}, {"level": 0.5}, {"level": 95}, {"claims": 0}, {"p_value": 1.5}):
        with pytest.raises(SettingsError):
            judge(two, two, **wrong)
    with pytest.raises(TypeError, match="right or wrong"):
        judge(two.astype(int), two.astype(int))
