from collections.abc import Callable
from pathlib import Path

from beatingbert.report.comparisons import hold_contests
from beatingbert.report.frame import read_frame
from beatingbert.report.scattered import describe_scattered
from beatingbert.report.significance import significance_page
from beatingbert.runs.record import RunRecord

MakeRun = Callable[..., RunRecord]
SOME = [True, False, True, True]


def test_seeds_that_answered_different_rows_are_told_with_the_reason(make_run: MakeRun, runs_dir: Path) -> None:
    for seed in range(2):
        cell = {"seed": seed, "eval_size": 4}
        make_run(f"be*rt{seed}", SOME, model="be*rt", first_id=10 * seed, cell={**cell, "settings": {}})
        make_run(f"gemma{seed}", SOME, model="gemma", first_id=10 * seed, cell={**cell, "settings": {"a": 1}})
    frame = read_frame(runs_dir)
    (told,) = describe_scattered(frame.groups)
    assert told.startswith("sst2: runs of be*rt (fine-tuned on 3,600) and 1 more with different seeds")
    assert "drew --max_eval_samples by the seed" in told
    assert "runs of be\\*rt (fine-tuned on 3,600) and 1 more" in significance_page(hold_contests(frame))


def test_rows_that_changed_for_another_reason_are_told_without_one(make_run: MakeRun, runs_dir: Path) -> None:
    for seed in range(2):
        make_run(f"bert{seed}", SOME, model="bert", first_id=10 * seed, cell={"seed": seed})
    (told,) = describe_scattered(read_frame(runs_dir).groups)
    assert "different rows. Each set" in told
    assert "max_eval_samples" not in told


def test_seeds_on_the_same_rows_and_contenders_on_different_ones_are_nothing_to_tell(
    make_run: MakeRun, runs_dir: Path
) -> None:
    for seed in range(2):
        make_run(f"bert{seed}", SOME, model="bert", cell={"seed": seed})
    make_run("gemma", SOME, first_id=50, cell={"engine": "llm", "settings": {"shots": 0}})
    make_run("other", SOME, model="bert", first_id=70, cell={"task": "rte"})
    assert describe_scattered(read_frame(runs_dir).groups) == []
