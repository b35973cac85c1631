import dataclasses
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from watchful import WatchfulEngine

from beatingbert import RunRecord, run
from beatingbert.experiments.suite import rules
from beatingbert.experiments.suite.estimate import Estimator
from beatingbert.experiments.suite.load import Suite, SuiteCell
from beatingbert.experiments.suite.plan import parts_of, plan_suite, uncertainty
from beatingbert.experiments.suite.probe import ANSWERED_ROWS, TRAIN_ROWS, probe
from beatingbert.experiments.suite.stock import State, take_stock
from beatingbert.runs.files import write_json
from beatingbert.runs.store import RunFolder
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.load import open_source

Load = Callable[..., Suite]
BASELINES = "grid: [{engine: [majority, linear], task: sst2, seed: [1, 2]}]"
STORE = Path("store")


def do(one: SuiteCell, folder: str | None = None) -> RunRecord:
    return run(dataclasses.replace(one.config, output_dir=STORE / (folder or one.name), run_name=one.name))


def test_of_an_empty_store_everything_is_left(load: Load) -> None:
    plan = plan_suite(load(BASELINES), STORE)
    assert [one.id for one in plan.todo] == [one.id for one in plan.suite.cells]
    assert plan.count(State.LEFT) == 4
    assert not STORE.exists()


def test_what_is_left_is_grid_minus_store_whatever_the_folder_is_called(load: Load) -> None:
    suite = load(BASELINES)
    do(suite.cells[1], folder="by hand")
    plan = plan_suite(suite, STORE)
    assert [one.id for one in plan.todo] == [suite.cells[at].id for at in (0, 2, 3)]
    assert [record.cell.id for record in plan.records] == [suite.cells[1].id]


@pytest.mark.parametrize("damage", ["half", "flipped", "empty", "other"])
def test_a_record_that_is_not_as_it_was_written_is_not_done(load: Load, damage: str) -> None:
    suite = load(BASELINES)
    path = do(suite.cells[0]).folder / "results.json"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    broken = {"half": data[: len(data) // 2], "flipped": data, "empty": b"", "other": b"{}"}[damage]
    path.write_bytes(bytes(broken))
    plan = plan_suite(suite, STORE)
    assert plan.count(State.DONE) == 0
    assert plan.stock.unreadable == (path,)


def test_failed_interrupted_and_running_cells_are_told_apart(load: Load) -> None:
    suite = load(BASELINES)
    failed, interrupted, running, left = suite.cells
    for one in (failed, interrupted):
        (STORE / one.name).mkdir(parents=True)
        (STORE / one.name / "config.json").write_text("{}", encoding="utf-8")
    (STORE / failed.name / "error.txt").write_text("ValueError: no\n", encoding="utf-8")
    with RunFolder(STORE / running.name):
        stock = take_stock(STORE)
        states = [stock.state_of(one) for one in (failed, interrupted, running, left)]
    assert states == [State.FAILED, State.LEFT, State.RUNNING, State.LEFT]
    assert stock.error_of(failed).read_text(encoding="utf-8") == "ValueError: no\n"


def test_a_plan_is_told_by_engine_and_checkpoint(load: Load) -> None:
    suite = load("grid: [{engine: [majority, linear], task: [sst2, mnli]}, {engine: llm, task: sst2}]")
    do(suite.cells[0])
    parts = {(part.engine, part.model): part for part in parts_of(plan_suite(suite, STORE))}
    assert list(parts) == [("majority", "majority"), ("linear", "linear"), ("llm", "google/gemma-3-1b-it")]
    majority = parts["majority", "majority"]
    assert (majority.cells, majority.done, majority.left, majority.failed) == (2, 1, 1, 0)
    assert majority.bases == {"scaled": 1}
    assert parts["llm", "google/gemma-3-1b-it"].bases == {"rule": 1}


def made_up(one: SuiteCell, *, seconds: float = 100.0, **efficiency: object) -> RunRecord:
    """A record of this cell: 60 s of training on 64 rows, 20 s for 24 answers, 50 ms each, 2 s of loading."""
    record = do(one)
    spent = {
        **record.efficiency,
        "train_seconds": 60.0,
        "throughput": {"questions_per_second": 1.2, "n": 24, "seconds": 20.0},
        "latency": {"p50_ms": 50.0, "p95_ms": 60.0, "n": 24, "warmup": 3},
        "load_seconds": 2.0,
        **efficiency,
    }
    begun = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
    record = dataclasses.replace(
        record,
        efficiency=spent,
        data={**record.data, "train_rows": 64},
        started_at=begun.isoformat(),
        finished_at=(begun + timedelta(seconds=seconds)).isoformat(),
    )
    (record.folder / "checksums.sha256").unlink()  # it is another record now
    write_json(record.folder / "results.json", record.to_json())
    return record


def test_an_estimate_scales_each_part_of_a_record_by_how_much_more_there_is_to_do(load: Load) -> None:
    """By hand: training 60 s x (0.9 x 40 rows) / 64 rows, answers 20 s x 12 / 24, timing 12 x 50 ms, loading 2 s; and
    what the record's 100 s hold besides: 100 - 60 - 20 - 2 - 27 x 50 ms."""
    suite = load("grid: [{engine: linear, task: sst2, max_samples: [40, ~], max_eval_samples: [12, ~]}]")
    small, whole = suite.cells[0], suite.cells[-1]
    assert (small.cell.train_size, small.cell.eval_size) == (40, 12)
    cost = Estimator([made_up(whole)]).cost(small)
    assert cost.basis == "same"
    assert cost.seconds == pytest.approx(60 * 36 / 64 + 20 * 12 / 24 + 12 * 0.05 + 2 + (100 - 60 - 20 - 2 - 27 * 0.05))


def test_another_tasks_record_is_scaled_by_the_length_of_the_questions_and_less_sure(load: Load) -> None:
    suite = load("grid: [{engine: majority, task: [mnli, sst2]}]")
    mnli, sst2 = suite.cells
    cost = Estimator([made_up(sst2, train_seconds=0.0)]).cost(mnli)
    longer = 40 / 25  # tokens of a question
    other = 100 - 20 - 2 - 27 * 0.05
    assert cost.basis == "scaled"
    assert cost.seconds == pytest.approx(20 * 15 / 24 * longer + 15 * 0.05 * longer + 2 + other)


def test_a_record_with_as_many_demonstrations_is_preferred(load: Load, watched: type[WatchfulEngine]) -> None:
    text = "grid: [{engine: llm, task: sst2, mode: [zero-shot, few-shot], model: a/b, max_eval_samples: [12, ~]}]"
    cells = {(one.cell.settings["shots"], one.cell.eval_size): one for one in load(text).cells}
    throughput = {"questions_per_second": 1.2, "n": 24, "seconds": 240.0}
    slow = made_up(cells[0, None], seconds=400.0, train_seconds=0.0, throughput=throughput)
    fast = made_up(cells[5, None], train_seconds=0.0)
    both = Estimator([slow, fast])
    assert both.cost(cells[5, 12]) == Estimator([fast]).cost(cells[5, 12])
    assert both.cost(cells[0, 12]) == Estimator([slow]).cost(cells[0, 12])
    assert both.cost(cells[0, 12]).seconds > both.cost(cells[5, 12]).seconds


def test_without_records_the_rule_says_so_and_grows_with_model_and_rows(load: Load) -> None:
    suite = load("""
        grid:
          - engine: encoder
            task: sst2
            max_samples: [40, ~]
            model: [bert-base-uncased, microsoft/deberta-v3-base]
    """)
    estimator = Estimator([])
    costs = {(one.config.model, one.cell.train_size): estimator.cost(one) for one in suite.cells}
    assert {cost.basis for cost in costs.values()} == {"rule"}
    small, large = (costs[model, None] for model in ("bert-base-uncased", "microsoft/deberta-v3-base"))
    assert small.seconds < large.seconds
    assert small.memory_mib < large.memory_mib
    assert small.disk_mib < large.disk_mib
    assert costs["bert-base-uncased", 40].seconds < small.seconds
    assert uncertainty(plan_suite(suite, STORE)) == 5.0


def test_records_elsewhere_under_the_results_are_learnt_from_too(load: Load, data_dir: Path) -> None:
    suite = load(BASELINES)
    run(dataclasses.replace(suite.cells[0].config, output_dir=Path("results/other/x"), seed=77))
    plan = plan_suite(suite, STORE, past=[Path("results")])
    assert plan.costs[suite.cells[0].id].basis == "same"
    assert plan.count(State.DONE) == 0


def test_a_probe_runs_one_small_cell_of_each_kind_and_leaves_nothing(load: Load, inline: Any) -> None:
    suite = load("grid: [{engine: [majority, linear], task: [sst2, mnli], seed: [1, 2]}]")
    do(suite.cells[0])  # of majority there is a record, so nothing of it is probed
    plan = plan_suite(suite, STORE)
    records = probe(plan, inline, on_event=lambda event: None)
    assert [job.name.split("_")[:2] for job in inline.jobs] == [["probe", "linear"]]
    assert [(record.cell.engine, record.cell.train_size, record.cell.eval_size) for record in records] == [
        ("linear", TRAIN_ROWS, ANSWERED_ROWS)
    ]
    assert len(list(STORE.iterdir())) == 1
    assert not Path(inline.jobs[0].payload["run"]["output_dir"]).parent.exists()
    again = plan_suite(suite, STORE, probed=records)
    assert {cost.basis for cost in again.costs.values()} == {"same", "scaled"}
    assert uncertainty(again) < uncertainty(plan)
    assert probe(again, inline, on_event=lambda event: None) == []


def test_a_probe_that_trains_does_so_for_one_epoch_and_one_that_does_not_reads_no_train_rows(
    load: Load, inline: Any, watched: type[WatchfulEngine]
) -> None:
    suite = load("""
        grid:
          - {engine: encoder, task: sst2, epochs: 5}
          - {engine: llm, task: sst2, mode: lora, epochs: 5, model: a/b}
          - {engine: llm, task: sst2, mode: zero-shot, model: a/b}
    """)
    records = probe(plan_suite(suite, STORE), inline, on_event=lambda event: None)
    found = {record.cell.engine: record.cell for record in records}
    assert found["encoder"].settings["epochs"] == found["lora"].settings["epochs"] == 1
    assert (found["llm"].train_size, found["llm"].eval_size) == (None, ANSWERED_ROWS)


def test_rows_are_counted_without_being_decoded(data_dir: Path, tmp_path: Path) -> None:
    import gzip

    import pyarrow as pa
    from pyarrow import parquet

    task = find_task("sst2")
    assert rules.rows_of(task, open_source(task, data_dir=data_dir), "train") == 80
    for ending, data in {
        ".csv": b"idx,sentence,label\n1,a,0\n2,b,1",
        ".tsv": b"idx\tsentence\tlabel\n1\ta\t0\n2\tb\t1\n",
        ".jsonl.gz": gzip.compress(b'{"a": 1}\n{"a": 2}\n'),
    }.items():
        folder = tmp_path / ending / "sst2"
        folder.mkdir(parents=True)
        (folder / f"train{ending}").write_bytes(data)
        assert open_source(task, data_dir=folder.parent).count("train") == 2, ending
    folder = tmp_path / "parquet" / "sst2"
    folder.mkdir(parents=True)
    parquet.write_table(pa.table({"idx": [1, 2, 3]}), folder / "train.parquet")
    assert open_source(task, data_dir=folder.parent).count("train") == 3
    (folder / "train.parquet").write_bytes(b"no parquet")
    assert open_source(task, data_dir=folder.parent).count("train") is None


@pytest.mark.parametrize(
    ("reference", "parameters"),
    [
        ("wheel:minilm-l6", 22_713_216),
        ("bert-base-uncased", 110e6),
        ("answerdotai/ModernBERT-base", 150e6),
        ("Qwen/Qwen2.5-1.5B-Instruct", 1.5e9),
        ("google/gemma-3-1b-it", 1e9),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", 135e6),
        ("someone/something", 150e6),
    ],
)
def test_the_size_of_a_checkpoint_is_told_by_its_name(reference: str, parameters: float) -> None:
    assert rules.parameters_of(reference) == parameters


def test_a_folder_of_weights_tells_its_size(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"0" * 4000)
    assert rules.parameters_of(str(tmp_path)) == 1000


def test_typical_sizes_are_those_of_the_catalogue_of_tasks() -> None:
    from beatingbert.tasks.catalog import TASKS

    assert rules.TYPICAL.keys() == TASKS.keys()


def test_a_plan_survives_json_beside_the_records(load: Load) -> None:
    """Other files of the name results.json, e.g. of another program, are unreadable, not fatal."""
    (STORE / "strange").mkdir(parents=True)
    (STORE / "strange" / "results.json").write_text(json.dumps([1, 2]), encoding="utf-8")
    plan = plan_suite(load(BASELINES), STORE)
    assert len(plan.stock.unreadable) == 1
    assert len(plan.todo) == 4
