from typing import Any

import pytest

from beatingbert.engines.protocol import Access
from beatingbert.engines.served.budget import Budget
from beatingbert.engines.served.client import Reply
from beatingbert.errors import BudgetError, SettingsError
from engines.served.asking import ask

PRICED = {"price_in": 1.0, "price_out": 10.0}  # of a million tokens
USED = Reply(text="", input_tokens=100, output_tokens=2)  # 0.00012


def test_without_limits_nothing_stops_and_nothing_is_priced() -> None:
    budget = Budget(Access())
    for _ in range(50):
        budget.settle(budget.reserve(ask("x")), USED)
    assert (budget.sent, budget.spent) == (50, None)


def test_requests_are_counted_when_they_are_sent() -> None:
    budget = Budget(Access(max_requests=2))
    budget.reserve(ask("x"))
    budget.settle(budget.reserve(ask("x")), None)  # one that failed was sent as well
    with pytest.raises(BudgetError, match="--max_requests 2"):
        budget.reserve(ask("x"))


def test_money_is_what_the_tokens_cost() -> None:
    budget = Budget(Access(**PRICED))
    budget.settle(budget.reserve(ask("x")), USED)
    assert budget.spent == pytest.approx((100 * 1.0 + 2 * 10.0) / 1e6)


def test_money_is_not_spent_beyond_its_limit() -> None:
    budget = Budget(Access(max_cost=0.0005, **PRICED))
    with pytest.raises(BudgetError, match=r"--max_cost 0\.0005"):
        for _ in range(100):
            budget.settle(budget.reserve(ask("x" * 300)), USED)
    assert budget.spent == pytest.approx(4 * 0.00012)


def test_money_that_is_on_its_way_counts_as_spent() -> None:
    budget = Budget(Access(max_cost=0.0005, **PRICED))
    budget.settle(budget.reserve(ask("x")), USED)
    for _ in range(3):
        budget.reserve(ask("x"))  # none of them has come back yet
    with pytest.raises(BudgetError):
        budget.reserve(ask("x"))


def test_what_failed_costs_nothing() -> None:
    budget = Budget(Access(max_cost=1.0, **PRICED))
    budget.settle(budget.reserve(ask("x")), None)
    assert budget.spent == 0


def test_a_limit_on_money_needs_a_server_that_counts() -> None:
    budget = Budget(Access(max_cost=1.0, **PRICED))
    with pytest.raises(SettingsError, match="--max_requests"):
        budget.settle(budget.reserve(ask("x")), Reply(text=""))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"concurrency": 0}, "--concurrency"),
        ({"max_retries": -1}, "--max_retries"),
        ({"max_requests": 0}, "--max_requests"),
        ({"timeout_seconds": 0}, "--timeout"),
        ({"timeout_seconds": float("nan")}, "--timeout"),
        ({"max_cost": 1.0}, "--price_in"),
        ({"price_in": 1.0}, "--price_out"),
        ({"price_in": -1.0, "price_out": 1.0}, "--price_in"),
        ({"price_in": 1.0, "price_out": float("nan")}, "--price_out"),
    ],
)
def test_limits_that_cannot_be_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Access(**wrong)
