from collections.abc import Callable
from itertools import pairwise

import pytest
from scipy.stats import binomtest

from beatingbert.errors import MisalignedError
from beatingbert.report.comparisons import compare, right_answers
from beatingbert.runs.record import RunRecord

MakeRun = Callable[..., RunRecord]

T, F = True, False
# Rows that both, only the first and only the second get right: 4, 11 and 1, of 20.
FIRST = [T] * 4 + [T] * 11 + [F] * 1 + [F] * 4
SECOND = [T] * 4 + [F] * 11 + [T] * 1 + [F] * 4


def test_a_difference_that_holds_is_claimed_with_its_interval(make_run: MakeRun) -> None:
    (claim,) = compare(make_run("bert", FIRST), [make_run("gemma", SECOND)])
    assert claim.gap.value == 0.5  # 15 of 20 against 5 of 20
    assert claim.gap.low < 0.5 < claim.gap.high
    assert claim.p_value == pytest.approx(26 / 4096)  # 12 coins, one or fewer heads, two-sided: 2 * (1 + 12) / 2**12
    assert claim.holds
    assert claim.sentence() == (
        "bert (fine-tuned on 3,600) leads gemma (fine-tuned on 3,600) by 50.0 points "
        f"(95 % interval {100 * claim.gap.low:+.1f} to {100 * claim.gap.high:+.1f}, p = 0.0063)."
    )


def test_who_leads_is_named_first_whoever_was_asked_about(make_run: MakeRun) -> None:
    (claim,) = compare(make_run("gemma", SECOND), [make_run("bert", FIRST)])
    assert claim.gap.value == -0.5
    assert claim.sentence().startswith("bert (fine-tuned on 3,600) leads gemma (fine-tuned on 3,600) by 50.0 points")
    assert f"interval {-100 * claim.gap.high:+.1f} to {-100 * claim.gap.low:+.1f}" in claim.sentence()


def test_intervals_of_claims_made_together_are_wider_and_say_so(make_run: MakeRun) -> None:
    others = [make_run(name, SECOND) for name in ("gemma", "qwen", "smollm2")]
    (alone,) = compare(make_run("bert", FIRST), others[:1])
    together = compare(make_run("bert again", FIRST), others)
    assert all(claim.gap.high - claim.gap.low > alone.gap.high - alone.gap.low for claim in together)
    assert "both corrected for 3 comparisons" in together[0].sentence()
    assert "corrected" not in alone.sentence()


def test_the_p_value_is_scipys_exact_binomial_test(make_run: MakeRun) -> None:
    for number, (only_first, only_second) in enumerate([(3, 1), (8, 2), (12, 12), (0, 6), (30, 11)]):
        first = [T] * only_first + [F] * only_second + [T] * 5
        second = [F] * only_first + [T] * only_second + [T] * 5
        (claim,) = compare(make_run(f"a{number}", first), [make_run(f"b{number}", second)])
        assert claim.p_value == pytest.approx(binomtest(only_first, only_first + only_second).pvalue)


def test_a_difference_that_does_not_hold_is_not_claimed(make_run: MakeRun) -> None:
    first, second = [T, T, T, F, T, T, T, T], [F, F, F, T, T, T, T, T]
    (claim,) = compare(make_run("bert", first), [make_run("gemma", second)])
    assert claim.p_value == 0.625  # 4 coins, one or fewer heads: 2 * 5 / 16
    assert not claim.holds
    assert claim.sentence().startswith(
        "No difference can be claimed between bert (fine-tuned on 3,600) and gemma (fine-tuned on 3,600): +25.0 points"
    )
    assert "p = 0.62" in claim.sentence()


def test_equal_answers_are_no_difference(make_run: MakeRun) -> None:
    (claim,) = compare(make_run("a", FIRST), [make_run("b", FIRST)])
    assert (claim.gap.value, claim.p_value, claim.holds) == (0.0, 1.0, False)
    assert claim.gap.low < 0 < claim.gap.high


def test_every_further_claim_makes_each_one_harder(make_run: MakeRun) -> None:
    bert = make_run("bert", FIRST)
    others = [make_run(f"llm{number}", SECOND) for number in range(8)]
    p_values = [compare(bert, others[:count])[0].p_value for count in range(1, 9)]
    assert p_values == pytest.approx([count * 26 / 4096 for count in range(1, 9)])
    assert all(fewer < more for fewer, more in pairwise(p_values))
    assert compare(bert, others[:7])[0].holds
    assert not compare(bert, others)[0].holds  # 8 * 26 / 4096 is above 0.05


def test_claims_come_in_the_order_asked_for(make_run: MakeRun) -> None:
    others = [make_run("b", SECOND), make_run("c", FIRST)]
    assert [claim.second for claim in compare(make_run("a", FIRST), others)] == others
    assert compare(others[0], []) == []


def test_the_same_runs_give_the_same_interval(make_run: MakeRun) -> None:
    runs = make_run("a", FIRST), [make_run("b", SECOND)]
    assert compare(*runs) == compare(*runs)


def test_rows_are_paired_by_id_not_by_position(make_run: MakeRun) -> None:
    right = right_answers(make_run("a", [T, F], first_id=7))
    assert right == {("validation", "q7"): True, ("validation", "q8"): False}


@pytest.mark.parametrize(
    "other", [{"first_id": 1}, {"data": {"revision": "r2"}}, {"cell": {"task": "rte"}}], ids=["ids", "data", "task"]
)
def test_runs_on_different_rows_are_not_compared(make_run: MakeRun, other: dict[str, object]) -> None:
    first, second = make_run("a", FIRST), make_run("b", SECOND, **other)
    with pytest.raises(MisalignedError, match="same rows"):
        compare(first, [second])


def test_runs_of_different_length_are_not_compared(make_run: MakeRun) -> None:
    with pytest.raises(MisalignedError, match="'a' and 'b'"):
        compare(make_run("a", FIRST), [make_run("b", SECOND[:-1])])


def test_answers_to_an_unlabelled_split_are_not_compared(make_run: MakeRun) -> None:
    with pytest.raises(MisalignedError, match="unlabelled"):
        compare(make_run("a", FIRST), [make_run("b", SECOND, unlabelled=True)])
