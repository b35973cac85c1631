"""Who is recommended, by hand-worked cases; the sentences say what the numbers say."""

from __future__ import annotations

import math
from typing import Any

import pytest
from tests.unit.decision.planted import answers, rows

from beatingbert.decision.candidates import Candidate
from beatingbert.decision.choice import Finalist, choose, pareto_front
from beatingbert.decision.curve import Crossing
from beatingbert.decision.limits import Limits
from beatingbert.decision.words import about, crossing_sentence
from beatingbert.runs.cell import Cell
from beatingbert.runs.record import RunRecord
from beatingbert.tasks.prediction import Prediction

ROWS = rows(400)
CELL = Cell(
    task="own",
    engine="linear",
    engine_version=1,
    mode="evaluate",
    settings={},
    train_size=None,
    eval_size=None,
    seed=1,
    select_on="development",
    data_revision="r",
)


def finalist(
    name: str,
    *,
    development: float,
    test: float = 0.8,
    ms: float = 10.0,
    memory_mib: float = 500.0,
    cost: float | None = 1.0,
    engine: str = "linear",
    limits: Limits | None = None,
) -> Finalist:
    efficiency: dict[str, Any] = {
        "latency": {"p50_ms": ms, "p95_ms": 2 * ms},
        "memory": {"answer": {"process_mib": memory_mib, "device_mib": None}},
        "disk_bytes": 5e6,
        "train_seconds": 1.0,
    }
    metric = {"value": test, "low": test - 0.02, "high": test + 0.02}
    record = RunRecord(
        run_name=name,
        cell=CELL,
        model=name,
        scores={"test": {"metrics": {"accuracy": metric}}},
        efficiency=efficiency,
        data={},
        checkpoint={},
        template={},
        notes={},
        environment={},
        started_at="",
        finished_at="",
    )
    found = answers(ROWS, test)
    return Finalist(
        candidate=Candidate(name=name, engine=engine),
        record=record,
        predictions=[Prediction(question_id=one, label=label) for one, label in found.items()],
        development=development,
        broken=tuple((limits or Limits()).broken_by(record)),
        cost_per_million=cost,
    )


def names(finalists: list[Finalist], *, margin: float = 0.01) -> tuple[str | None, str | None, str | None]:
    found = choose(finalists, examples=ROWS, labels=("no", "yes"), metric="accuracy", margin=margin, seed=1)
    chosen = (found.recommended, found.best, found.runner_up)
    first, best, second = (None if one is None else one.candidate.name for one in chosen)
    return first, best, second


def test_the_best_on_development_is_recommended_not_the_best_on_test() -> None:
    one = finalist("a", development=0.9, test=0.8)
    other = finalist("b", development=0.85, test=0.95)
    assert names([one, other]) == ("a", "a", "b")


def test_within_the_margin_the_cheaper_one_is_taken() -> None:
    best, near = finalist("a", development=0.900, cost=9.0), finalist("b", development=0.8901, cost=2.0)
    far = finalist("c", development=0.889, cost=0.1)
    assert names([best, near, far]) == ("b", "a", "a")
    assert names([best, near, far], margin=0.0) == ("a", "a", "b")
    assert names([best, near, far], margin=0.02) == ("c", "a", "a")


def test_a_limit_takes_out_the_best_and_its_sentence_says_which() -> None:
    slow = finalist("a", development=0.95, ms=30, limits=Limits(max_latency_ms=50))
    assert slow.broken == ("takes 60.0 ms a question, over --max_latency_ms 50",)
    assert names([slow, finalist("b", development=0.8)]) == ("b", "b", None)
    assert names([slow]) == (None, None, None)
    large = finalist("c", development=0.9, memory_mib=2000, limits=Limits(max_memory_gb=1.5))
    assert large.broken == ("takes 2.10 GB of memory, over --max_memory_gb 1.5",)


def test_the_floor_is_never_recommended() -> None:
    assert names([finalist("majority", development=0.99, engine="majority")]) == (None, None, None)


def test_the_gap_is_that_of_the_test_rows() -> None:
    pair = [finalist("a", development=0.9, test=0.9), finalist("b", development=0.5, test=0.7)]
    gap = choose(pair, examples=ROWS, labels=("no", "yes"), metric="accuracy", margin=0.01, seed=1).gap
    assert gap is not None
    assert gap.value == pytest.approx(0.2)
    # The rows on which only the first is right are a fifth: a binomial share.
    assert gap.low == pytest.approx(0.2 - 1.96 * (0.2 * 0.8 / 400) ** 0.5, abs=0.01)


def test_the_front_holds_whoever_is_somewhere_best() -> None:
    best = finalist("best", development=0.9, test=0.9, ms=50, memory_mib=900, cost=9)
    cheap = finalist("cheap", development=0.8, test=0.8, ms=1, memory_mib=100, cost=1)
    beaten = finalist("beaten", development=0.8, test=0.79, ms=2, memory_mib=100, cost=1)
    unknown = finalist("unknown", development=0.8, test=0.95, ms=90, memory_mib=900, cost=None)
    floor = finalist("majority", development=0.1, test=0.1, ms=0.1, memory_mib=1, cost=0, engine="majority")
    front = pareto_front([best, cheap, beaten, unknown, floor], "accuracy")
    assert [one.candidate.name for one in front] == ["best", "cheap", "unknown"]


def crossing(**given: Any) -> Crossing:
    usual = {"prompted": "Llm", "trained": "Bert", "kind": "crosses", "rows": 152.0, "low": 94.0, "high": 261.0}
    return Crossing(**{**usual, "fewest": 62, "most": 2400, **given})


def test_the_crossing_in_words() -> None:
    assert crossing_sentence(crossing(), have=2400) == (
        "Below about 150 labelled rows Llm is ahead, above them Bert (95 % band: 94 to 260); "
        "you have 2,400 to train on."
    )
    open_ended = crossing_sentence(crossing(low=0.0, high=math.inf), have=2400)
    assert "(95 % band: fewer than 62 to more than 2,400)" in open_ended
    ahead = crossing_sentence(crossing(kind="trained ahead", rows=None, low=0.0, high=0.0), have=2400)
    assert ahead == (
        "No crossing within your data: Bert is ahead of Llm with 62 labelled rows already, the fewest that were "
        "tried; you have 2,400."
    )
    behind = crossing_sentence(crossing(kind="prompted ahead", rows=None, low=300.0, high=math.inf), have=2400)
    assert "Llm is ahead of Bert up to 2,400 labelled rows, the most that were tried, though not surely" in behind


def test_rows_are_told_in_two_figures() -> None:
    assert [about(rows) for rows in (4.4, 94, 152, 1549, 23_456)] == ["4", "94", "150", "1,500", "23,000"]
