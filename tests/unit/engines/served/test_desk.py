from pathlib import Path

import pytest

from beatingbert.engines.protocol import Access
from beatingbert.engines.served.cache import AnswerCache
from beatingbert.engines.served.desk import Desk
from beatingbert.errors import BudgetError, NotOfferedError, SettingsError, UnreachableError
from engines.served.asking import HASTY, ask, openai_server
from stand_in import Fault, StandIn, serving

REQUESTS = [ask(f"film {number} is {'great' if number % 2 else 'awful'}") for number in range(12)]
EXPECTED = ["positive" if number % 2 else "negative" for number in range(12)]


def desk(place: StandIn, file: Path, *, model: str = "tiny", **access: object) -> Desk:
    told = Access(**{**HASTY, **access})  # type: ignore[arg-type]
    return Desk(openai_server(place), AnswerCache(file), told, {"model": model})


def texts(one: Desk) -> list[str]:
    return [reply.text for reply in one.ask(REQUESTS)]


def test_replies_come_in_the_order_of_the_requests(kept_answers: Path) -> None:
    with serving(StandIn(seconds=0.01)) as place:
        assert texts(desk(place, kept_answers)) == EXPECTED


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_requests_are_on_their_way_than_allowed(kept_answers: Path, concurrency: int) -> None:
    with serving(StandIn(seconds=0.3)) as place:
        replies = desk(place, kept_answers, concurrency=concurrency).ask(REQUESTS)
    assert place.most_at_once == concurrency
    assert {reply.company for reply in replies} == {concurrency}
    assert min(reply.seconds for reply in replies) >= 0.3


def test_equal_requests_are_sent_once(kept_answers: Path) -> None:
    with serving(StandIn()) as place:
        replies = desk(place, kept_answers).ask([REQUESTS[1]] * 5)
    assert [reply.text for reply in replies] == ["positive"] * 5
    assert len(place.asked) == 1


def test_a_later_run_pays_nothing_twice(kept_answers: Path) -> None:
    with serving(StandIn()) as place:
        texts(desk(place, kept_answers))
        later = desk(place, kept_answers, max_requests=1)
        assert texts(later) == EXPECTED
    assert len(place.asked) == len(REQUESTS)
    assert (later.kept, later.budget.sent) == (len(REQUESTS), 0)


def test_another_model_does_not_answer_with_the_first_ones_words(kept_answers: Path) -> None:
    with serving(StandIn()) as place:
        texts(desk(place, kept_answers))
        texts(desk(place, kept_answers, model="another"))
    assert len(place.asked) == 2 * len(REQUESTS)


def test_all_is_asked_anew_where_that_is_wished(kept_answers: Path) -> None:
    with serving(StandIn()) as place:
        texts(desk(place, kept_answers))
        texts(desk(place, kept_answers, ask_again=True))
    assert len(place.asked) == 2 * len(REQUESTS)


def test_a_server_that_dies_half_way_is_told_with_what_is_kept_and_gone_on_with(kept_answers: Path) -> None:
    with serving(StandIn(dies_after=5)) as place:
        with pytest.raises(UnreachableError, match="5 answers are kept: the same command"):
            desk(place, kept_answers, concurrency=2, max_retries=0).ask(REQUESTS)
        place.dies_after = None
        place.asked.clear()
        assert texts(desk(place, kept_answers)) == EXPECTED
    assert len(place.asked) == 12 - 5


def test_every_request_is_answered_once_whatever_goes_wrong_in_between(kept_answers: Path) -> None:
    wait = {"Retry-After": "0.02"}
    faults = [Fault(429, wait), Fault(500, wait), Fault(kind="cut"), Fault(503, wait)]
    with serving(StandIn(faults=faults)) as place:
        assert texts(desk(place, kept_answers, max_retries=5)) == EXPECTED
    assert place.answered == len(REQUESTS)


def test_after_a_failure_nothing_more_is_sent(kept_answers: Path) -> None:
    with serving(StandIn(faults=[Fault(400, says="no")], seconds=0.02)) as place:
        with pytest.raises(NotOfferedError, match="HTTP 400"):
            desk(place, kept_answers, concurrency=2).ask(REQUESTS)
    assert len(place.asked) <= 4


def test_a_limit_stops_cleanly_and_the_next_run_goes_on(kept_answers: Path) -> None:
    with serving(StandIn()) as place:
        for expected in (5, 10):
            with pytest.raises(BudgetError, match=rf"--max_requests 5 says. {expected} answers are kept"):
                desk(place, kept_answers, max_requests=5).ask(REQUESTS)
        last = desk(place, kept_answers, max_requests=5)
        assert texts(last) == EXPECTED
    assert (len(place.asked), last.budget.sent) == (12, 2)


def test_an_answer_that_was_paid_for_is_kept_also_where_the_server_does_not_count(kept_answers: Path) -> None:
    priced = {"max_cost": 1.0, "price_in": 1.0, "price_out": 1.0}
    with serving(StandIn(counts=False)) as place:
        with pytest.raises(SettingsError, match="1 answers are kept"):
            desk(place, kept_answers, **priced).ask(REQUESTS[:1])
        assert desk(place, kept_answers).ask(REQUESTS[:1])[0].text == EXPECTED[0]
    assert len(place.asked) == 1


def test_what_is_asked_alone_is_asked_one_after_the_other(kept_answers: Path) -> None:
    with serving(StandIn(seconds=0.02)) as place:
        first = desk(place, kept_answers)
        replies = first.ask_alone(REQUESTS[:4])
        assert place.most_at_once == 1
        assert {reply.company for reply in replies} == {1}
        assert desk(place, kept_answers).ask_alone(REQUESTS[:4]) == replies  # kept with the time they took
        assert len(place.asked) == 4


def test_what_was_asked_in_company_is_asked_once_more_for_its_time_alone(kept_answers: Path) -> None:
    with serving(StandIn()) as place:
        one = desk(place, kept_answers)
        one.ask(REQUESTS)
        assert {reply.company for reply in one.ask_alone(REQUESTS[:2])} == {1}
    assert len(place.asked) == len(REQUESTS) + 2


def test_progress_counts_what_is_answered_and_what_was_kept(kept_answers: Path) -> None:
    seen: list[int] = []
    with serving(StandIn()) as place:
        one = desk(place, kept_answers)
        one.ask(REQUESTS[:4])
        one.ask(REQUESTS, seen.append)
    assert seen == list(range(4, 13))


def test_the_file_of_answers_holds_no_prompt(kept_answers: Path) -> None:
    with serving(StandIn()) as place:
        texts(desk(place, kept_answers))
    assert b"film" not in kept_answers.read_bytes()
