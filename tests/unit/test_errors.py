import inspect

import pytest

from beatingbert import errors
from beatingbert.errors import BeatingBertError, UnknownNameError, UnreachableError, UsageError

EVERY = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, BaseException)]


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_failure_hangs_on_the_tree_that_is_drawn(kind: type[BeatingBertError]) -> None:
    assert issubclass(kind, BeatingBertError)
    assert kind.__name__ in (errors.__doc__ or "")
    assert kind.__doc__


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_misuse_exits_with_2_and_a_failed_run_with_1(kind: type[BeatingBertError]) -> None:
    assert kind.exit_status == (2 if issubclass(kind, UsageError) else 1)


def test_a_hub_that_does_not_answer_is_not_the_users_mistake() -> None:
    assert not issubclass(UnreachableError, UsageError)


def test_an_unknown_name_tells_the_closest_the_known_and_where_to_read_on() -> None:
    error = UnknownNameError("task", "sst", ["rte", "sst2", "boolq"], "See 'beatingbert show tasks'.")
    assert str(error) == (
        "unknown task 'sst'. Did you mean 'sst2'? Known: boolq, rte, sst2. See 'beatingbert show tasks'."
    )


def test_a_name_that_is_like_nothing_is_given_no_guess() -> None:
    assert str(UnknownNameError("engine", "xyz", ["linear", "llm"])) == "unknown engine 'xyz'. Known: linear, llm."


def test_an_empty_name_is_given_no_guess() -> None:
    assert "Did you mean" not in str(UnknownNameError("engine", "", ["linear", "llm"]))
