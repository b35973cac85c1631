from collections.abc import Callable
from typing import Any

import pytest

from beatingbert.engines.catalog import ENGINES
from beatingbert.report.contenders import SIDES, Side, describe, gather_contenders
from beatingbert.runs.record import RunRecord

MakeRun = Callable[..., RunRecord]
GOOD = [True] * 9 + [False]


def test_runs_that_differ_in_nothing_but_the_seed_are_one_contender(make_run: MakeRun) -> None:
    runs = [make_run(f"run{seed}", GOOD, model="bert", cell={"seed": seed}) for seed in (7, 99, 3)]
    (one,) = gather_contenders(runs)
    assert [record.cell.seed for record in one.records] == [3, 7, 99]
    assert one.name == "bert (fine-tuned on 3,600)"
    assert one.repeats == ()


@pytest.mark.parametrize(
    "other", [{"settings": {"peak_lr": 1e-5}}, {"train_size": 100}, {"engine_version": 2}, {"data_revision": "r9"}]
)
def test_runs_that_differ_in_anything_else_are_two_and_their_names_say_in_what(
    make_run: MakeRun, other: dict[str, Any]
) -> None:
    first = make_run("a", GOOD, model="bert", cell={"settings": {"peak_lr": 2e-5}})
    second = make_run("b", GOOD, model="bert", cell={"settings": {"peak_lr": 2e-5}, **other})
    one, two = gather_contenders([first, second])
    assert one.name != two.name
    key, value = next(iter((other.get("settings") or other).items()))
    shown = "1e-05" if value == 1e-5 else value
    assert two.how == f"fine-tuned on 3,600, {key} {shown}"


def test_names_stay_short_where_nobody_has_the_same(make_run: MakeRun) -> None:
    runs = [make_run(name, GOOD, cell={"settings": {"checkpoint": name}}) for name in ("bert", "electra")]
    assert [one.how for one in gather_contenders(runs)] == ["fine-tuned on 3,600"] * 2


def test_a_setting_that_an_older_run_does_not_name_tells_it_from_none(make_run: MakeRun) -> None:
    runs = [
        make_run(f"run{at}", GOOD, model="bert", cell={"settings": settings})
        for at, settings in enumerate(({}, {"patience": None}, {"patience": 2}))
    ]
    assert [one.how.partition(", patience ")[2] for one in gather_contenders(runs)] == ["not named", "none", "2"]


def test_of_a_cell_that_was_run_again_the_latest_counts_and_the_others_are_kept_apart(make_run: MakeRun) -> None:
    old = make_run("z_old", GOOD, model="bert", finished_at="2026-01-01T12:00:00+01:00")
    new = make_run("a_new", GOOD, model="bert", finished_at="2026-01-02T12:00:00+01:00")
    for order in ([old, new], [new, old]):
        (one,) = gather_contenders(order)
        assert (one.records, one.repeats) == ((new,), (old,))


def test_every_engine_has_its_side() -> None:
    assert set(ENGINES) <= SIDES.keys()
    assert {name for name, side in SIDES.items() if side is Side.BASELINE} == {"linear", "majority"}


@pytest.mark.parametrize(
    ("engine", "settings", "data", "words"),
    [
        ("llm", {"shots": 0, "answer_by": "likelihood"}, {}, "zero-shot"),
        ("lora", {"shots": 0, "rank": 8, "answer_by": "likelihood"}, {"train_rows": 1800}, "LoRA r8 on 1,800"),
        ("lora", {"shots": 0, "rank": 8, "answer_by": "generation"}, {}, "LoRA r8, written"),
        ("llm", {"shots": 5, "answer_by": "likelihood"}, {"train_rows": 90}, "5-shot"),
        ("llm", {"shots": 5, "answer_by": "generation"}, {}, "5-shot, written"),
        ("llm", {"shots": 5, "answer_by": "likelihood", "calibration": "none"}, {}, "5-shot"),
        ("llm", {"shots": 5, "answer_by": "likelihood", "calibration": "batch"}, {}, "5-shot, batch calibration"),
        ("llm", {"shots": 0, "answer_by": "likelihood", "choice_by": "ending"}, {}, "zero-shot"),
        ("llm", {"shots": 2, "answer_by": "generation", "choice_by": "letter"}, {}, "2-shot, by letter, written"),
        ("optimized", {"shots": 4, "optimizer": "miprov2"}, {}, "4-shot, optimized by miprov2"),
        ("served", {"answer_by": "generation"}, {}, "zero-shot, served, written"),
        ("encoder", {}, {"train_rows": 12345}, "fine-tuned on 12,345"),
        ("encoder", {}, {"train_rows": 0}, "fine-tuned"),
        ("linear", {}, {"train_rows": 90}, "trained on 90"),
    ],
)
def test_how_a_run_answers_is_said_in_a_few_words(
    make_run: MakeRun, engine: str, settings: dict[str, Any], data: dict[str, Any], words: str
) -> None:
    assert describe(make_run("a", GOOD, cell={"engine": engine, "settings": settings}, data=data)) == words
