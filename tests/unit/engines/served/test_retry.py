from collections.abc import Callable

import pytest

from beatingbert.engines.served import retry
from beatingbert.engines.served.retry import seconds_of, with_retries


def failing(times: int) -> Callable[[], str]:
    left = [ValueError(str(number)) for number in range(times)]

    def call() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return call


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken: list[float] = []
    monkeypatch.setattr(retry.time, "sleep", taken.append)
    return taken


def test_pauses_double_up_to_a_limit_and_are_never_quite_the_same(pauses: list[float]) -> None:
    assert with_retries(failing(7), retries=7, wish=lambda error: None) == "done"
    for pause, longest in zip(pauses, [0.5, 1, 2, 4, 8, 8, 8], strict=True):
        assert 0.75 * longest <= pause <= longest
    assert len(set(pauses)) == len(pauses)


def test_a_wish_of_the_server_is_kept_to(pauses: list[float]) -> None:
    assert with_retries(failing(1), retries=1, wish=lambda error: 17.0) == "done"
    assert pauses == [17.0]


def test_who_asks_for_too_much_is_not_waited_for(pauses: list[float]) -> None:
    with pytest.raises(ValueError, match="0"):
        with_retries(failing(1), retries=3, wish=lambda error: 3600.0)
    assert pauses == []


def test_what_cannot_pass_is_not_tried_again(pauses: list[float]) -> None:
    with pytest.raises(ValueError, match="0"):
        with_retries(failing(5), retries=3, wish=lambda error: False)
    assert pauses == []


def test_the_last_failure_is_the_one_that_is_told(pauses: list[float]) -> None:
    with pytest.raises(ValueError, match="3"):
        with_retries(failing(9), retries=3, wish=lambda error: None)
    assert len(pauses) == 3


@pytest.mark.parametrize(("header", "seconds"), [("2", 2.0), ("0.5", 0.5), (None, None), ("soon", None), ("-1", None)])
def test_retry_after_is_read_in_seconds(header: str | None, seconds: float | None) -> None:
    assert seconds_of(header) == seconds
