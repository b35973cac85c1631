from beatingbert.execution.backlog import Backlog, Needs
from beatingbert.execution.protocol import Job


def job(name: str, group: str = "", **needs: float) -> Job:
    return Job(id=name, name=name, payload={}, group=group, **needs)  # type: ignore[arg-type]


def taken(backlog: Backlog, group: str) -> list[str]:
    names = []
    while (one := backlog.take(group)) is not None:
        names.append(one.id)
    return names


def test_a_group_is_handed_out_in_the_order_given() -> None:
    backlog = Backlog([job("1", "a"), job("2", "b"), job("3", "a"), job("4", "a")])
    assert len(backlog) == 4
    assert taken(backlog, "a") == ["1", "3", "4"]
    assert taken(backlog, "a") == []
    assert len(backlog) == 1
    assert list(backlog.groups([])) == ["b"]


def test_a_job_that_is_put_back_waits_behind_the_others() -> None:
    backlog = Backlog([job("1"), job("2")])
    first = backlog.take("")
    assert first is not None
    backlog.put(first)
    assert taken(backlog, "") == ["2", "1"]


def test_groups_that_nobody_is_at_come_first_and_else_the_order_given() -> None:
    backlog = Backlog([job("1", "a"), job("2", "b"), job("3", "c")])
    assert list(backlog.groups([])) == ["a", "b", "c"]
    assert list(backlog.groups(["a"])) == ["b", "c", "a"]
    assert list(backlog.groups(["a", "b", "b", "c"])) == ["a", "c", "b"]


def test_a_group_needs_the_largest_of_each() -> None:
    backlog = Backlog(
        [job("1", cpus=2, memory_mib=100), job("2", cpus=1, gpus=0.5), job("3", "other", cpus=64, memory_mib=9999)]
    )
    assert backlog.needs("") == Needs(cpus=2, gpus=0.5, memory_mib=100)
