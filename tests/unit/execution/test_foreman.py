"""The foreman with a site made of words: what each worker does is written down beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from beatingbert.execution.backlog import Needs
from beatingbert.execution.foreman import MAX_LOSSES, Foreman, Hand
from beatingbert.execution.outcomes import Died, Outcome, Raised, Returned, Taken
from beatingbert.execution.protocol import Event, Failed, Finished, Job, Started


class Scripted:
    """A worker that does what the site's script says."""

    def __init__(self, name: str, site: Site) -> None:
        self.name = name
        self.alive = True
        self.given: Job | None = None
        self._site = site

    def is_alive(self) -> bool:
        return self.alive

    def give(self, job: Job) -> None:
        self.given = job

    def dismiss(self) -> None:
        self.alive = False
        self._site.hands = [hand for hand in self._site.hands if hand is not self]


class Site:
    def __init__(self, script: dict[str, list[list[Outcome]]], *, places: int = 1) -> None:
        self.script = script
        self.places = places
        self.hands: list[Scripted] = []
        self.hired: list[Needs] = []
        self.dies_when_idle = False

    def require(self, job: Job) -> None: ...

    def has_room(self, needs: Needs) -> bool:
        return len(self.hands) < self.places

    def hire(self, needs: Needs) -> Hand:
        self.hired.append(needs)
        hand = Scripted(f"hand {len(self.hired)}", self)
        self.hands.append(hand)
        return hand

    def wait(self, seconds: float) -> list[tuple[Hand, Outcome]]:
        told: list[tuple[Hand, Outcome]] = []
        for hand in self.hands:
            if hand.given is not None:
                told += [(hand, outcome) for outcome in self.script[hand.given.id].pop(0)]
                hand.given = None
                hand.alive = not self.dies_when_idle
        return told


def run(site: Site, jobs: list[Job], *, retries: int = 0, fail_fast: bool = False) -> list[Event]:
    @contextmanager
    def opened(work: str) -> Iterator[Any]:
        yield site

    told: list[Event] = []
    Foreman(opened, retries=retries, fail_fast=fail_fast).run(jobs, "odd_jobs:obey", on_event=told.append)
    return told


def job(name: str, group: str = "", **more: Any) -> Job:
    return Job(id=name, name=name, payload={}, group=group, **more)


def summary(told: list[Event]) -> list[Any]:
    short: list[Any] = []
    for event in told:
        match event:
            case Started(one, worker):
                short.append(("started", one.id, worker))
            case Finished(one, result):
                short.append(("finished", one.id, result))
            case Failed(one, _, attempts, will_retry):
                short.append(("failed", one.id, attempts, will_retry))
    return short


WELL: list[Outcome] = [Taken(), Returned("well")]
LOST: list[Outcome] = [Taken(), Died("its node is gone", blameless=True)]


def test_a_job_lost_with_its_node_is_run_again_without_being_asked() -> None:
    told = run(Site({"a": [LOST, WELL]}), [job("a")], retries=0)
    assert summary(told) == [
        ("started", "a", "hand 1"),
        ("failed", "a", 1, True),
        ("started", "a", "hand 2"),
        ("finished", "a", "well"),
    ]


def test_a_job_that_loses_every_node_is_given_up() -> None:
    told = summary(run(Site({"a": [LOST] * 9}), [job("a")], retries=0))
    failed = [event for event in told if event[0] == "failed"]
    assert failed == [("failed", "a", at, at <= MAX_LOSSES) for at in range(1, MAX_LOSSES + 2)]


def test_a_worker_that_dies_before_it_begins_is_not_the_jobs_fault() -> None:
    told = run(Site({"a": [[Died("never came up")], WELL]}), [job("a")])
    assert [event[0] for event in summary(told)] == ["started", "failed", "started", "finished"]


def test_losses_do_not_use_up_the_retries() -> None:
    raised: list[Outcome] = [Taken(), Raised("no", final=False)]
    told = summary(run(Site({"a": [LOST, raised, LOST, raised, WELL]}), [job("a")], retries=1))
    assert [event[2:] for event in told if event[0] == "failed"] == [(1, True), (2, True), (3, True), (4, False)]


def test_an_idle_worker_that_is_found_dead_is_replaced_before_it_is_given_a_job() -> None:
    site = Site({"a": [WELL], "b": [WELL]})
    site.dies_when_idle = True
    told = summary(run(site, [job("a"), job("b")]))
    assert [event for event in told if event[0] == "started"] == [
        ("started", "a", "hand 1"),
        ("started", "b", "hand 2"),
    ]
    assert not [event for event in told if event[0] == "failed"]


def test_two_workers_take_different_groups_first_and_help_each_other_at_the_end() -> None:
    script = {name: [WELL] for name in ("a1", "a2", "a3", "a4", "b1")}
    jobs = [job(name, group=name[0]) for name in script]
    told = summary(run(Site(script, places=2), jobs))
    started = [event[1:] for event in told if event[0] == "started"]
    assert started == [("a1", "hand 1"), ("b1", "hand 2"), ("a2", "hand 1"), ("a3", "hand 3"), ("a4", "hand 1")]


def test_a_worker_is_hired_for_what_its_whole_group_needs() -> None:
    site = Site({"a": [WELL], "b": [WELL]})
    run(site, [job("a", cpus=1, memory_mib=10), job("b", cpus=4, gpus=1)])
    assert site.hired == [Needs(cpus=4, gpus=1, memory_mib=10)]


def test_what_would_be_retried_after_the_end_is_not_promised() -> None:
    raised: list[Outcome] = [Taken(), Raised("no", final=True)]
    again: list[Outcome] = [Taken(), Raised("no", final=False)]
    told = summary(run(Site({"a": [raised], "b": [WELL], "c": [again]}), [job("a"), job("b")], fail_fast=True))
    assert told == [("started", "a", "hand 1"), ("failed", "a", 1, False)]


@pytest.mark.parametrize("timeout_s", [0, -1])
def test_a_time_out_of_nothing_is_refused(timeout_s: float) -> None:
    from beatingbert.errors import SettingsError

    with pytest.raises(SettingsError, match="timeout_s must be above 0"):
        run(Site({}), [job("a", timeout_s=timeout_s)])
