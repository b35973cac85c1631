import base64
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from watchful import WatchfulEngine

from beatingbert.errors import MisalignedError, SettingsError, TrainingError
from beatingbert.experiments.suite import work
from beatingbert.experiments.suite.jobs import Terms, jobs_for, keep_error, run_cells
from beatingbert.experiments.suite.load import Suite
from beatingbert.experiments.suite.plan import Plan, plan_suite
from beatingbert.experiments.suite.stock import State
from beatingbert.experiments.suite.travel import pack, pull, unpack
from beatingbert.experiments.suite.work import run_job
from beatingbert.runs.remote import RemoteStore
from beatingbert.runs.store import RunFolder, RunStore
from beatingbert.tasks.files import FilesSource

Load = Callable[..., Suite]
STORE = Path("store")
THREE = "grid: [{engine: majority, task: [sst2, mnli]}, {engine: linear, task: sst2}]"


def ignore(event: object) -> None:
    """Nobody listens."""


def payloads(suite: Suite, **terms: Any) -> list[dict[str, Any]]:
    jobs = jobs_for(suite.cells, plan_suite(suite, STORE), Terms(**terms))
    return [json.loads(json.dumps(job.payload)) for job in jobs]


def done(suite: Suite) -> Plan:
    return plan_suite(suite, STORE)


def test_a_job_leaves_the_run_in_the_folder_that_bears_the_cells_name(load: Load) -> None:
    suite = load(THREE)
    told = run_job(payloads(suite)[0])
    assert told["state"] == "done"
    (record,) = RunStore(STORE).records()
    assert (record.cell.id, record.folder, record.run_name) == (
        suite.cells[0].id,
        STORE / suite.cells[0].name,
        suite.cells[0].name,
    )
    assert told["metrics"]["accuracy"] == record.metrics["accuracy"]


def test_a_job_that_comes_to_another_cell_here_is_not_done(load: Load, data_dir: Path) -> None:
    (payload,) = payloads(load("grid: [{engine: majority, task: sst2}]"))
    with (data_dir / "sst2" / "validation.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"idx": 999, "sentence": "one more", "label": 1}\n')
    with pytest.raises(MisalignedError, match=f"the runner wants {payload['id']}"):
        run_job(payload)
    assert not STORE.exists()


def test_a_cell_that_is_done_meanwhile_is_not_done_again(load: Load) -> None:
    (payload,) = payloads(load("grid: [{engine: majority, task: sst2}]"))
    first = run_job(payload)
    path = next(STORE.glob("*/results.json"))
    before = path.read_bytes()
    assert run_job(payload)["metrics"] == first["metrics"]
    assert path.read_bytes() == before


def test_a_cell_that_another_process_is_doing_is_left_to_it(load: Load) -> None:
    suite = load("grid: [{engine: majority, task: sst2}]")
    with RunFolder(STORE / suite.cells[0].name):
        assert run_job(payloads(suite)[0]) == {"state": "elsewhere"}


def test_rows_are_read_once_for_the_cells_that_follow_each_other(
    load: Load, watched: type[WatchfulEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    honest = FilesSource.read
    monkeypatch.setattr(FilesSource, "read", lambda self, split: read.append(split) or honest(self, split))
    for payload in payloads(load("grid: [{engine: [majority, linear], task: sst2, seed: [1, 2]}]")):
        run_job(payload)
    assert sorted(read) == ["train", "validation"]


def test_what_a_cell_does_to_its_rows_is_not_seen_by_the_next(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = payloads(load("grid: [{engine: [majority, linear], task: sst2}]"))
    from beatingbert.engines.majority import MajorityEngine

    honest = MajorityEngine.fit

    def spoil(self: MajorityEngine, train: Any, **rest: Any) -> Any:
        fitted = honest(self, train, **rest)
        train.clear()
        return fitted

    monkeypatch.setattr(MajorityEngine, "fit", spoil)
    run_job(first)
    run_job(second)
    linear = next(record for record in RunStore(STORE).records() if record.cell.engine == "linear")
    assert linear.data["train_rows"] == 72


def test_a_failure_lets_go_of_what_was_kept(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    (payload,) = payloads(load("grid: [{engine: majority, task: sst2}]"))
    work.KEPT.shelf.take("weights", lambda: "loaded")

    def fail(*rest: object, **more: object) -> None:
        raise TrainingError("the loss is no number")

    monkeypatch.setattr(work, "run", fail)
    with pytest.raises(TrainingError):
        run_job(payload)
    assert work.KEPT.shelf.take("weights", lambda: "again") == ("again", False)


def test_jobs_say_what_they_need(load: Load) -> None:
    suite = load("grid: [{engine: majority, task: sst2}, {engine: llm, task: sst2, model: wheel:gemma-3-270m}]")
    majority, llm = jobs_for(suite.cells, plan_suite(suite, STORE), Terms(cpus=4, gpus=1, timeout_s=60))
    assert (majority.cpus, majority.gpus, majority.timeout_s) == (1, 0, 60)
    assert (llm.cpus, llm.gpus, llm.group) == (4, 1, suite.cells[1].group)
    assert llm.memory_mib is None  # a rule of thumb is no promise


def test_cells_of_one_group_declare_one_memory_once_a_record_tells_it(load: Load) -> None:
    suite = load("grid: [{engine: majority, task: sst2, seed: [1, 2, 3]}]")
    run_job(payloads(suite)[0])
    plan = plan_suite(suite, STORE)
    memory = {job.memory_mib for job in jobs_for(plan.todo, plan, Terms())}
    assert len(memory) == 1
    assert None not in memory


def test_cells_are_run_and_a_failed_one_stops_no_other(load: Load, inline: Any, data_dir: Path) -> None:
    suite = load(THREE)
    plan = plan_suite(suite, STORE)
    (data_dir / "mnli" / "train.jsonl").write_text('{"premise": "", "hypothesis": ""}\n', encoding="utf-8")
    outcome = run_cells(plan.todo, plan, inline, Terms(), on_event=ignore)
    mnli = suite.cells[0]
    assert mnli.cell.task == "mnli"
    assert outcome.done == [one.name for one in suite.cells[1:]]
    assert outcome.failed == {mnli.name: STORE / mnli.name / "error.txt"}
    assert "MisalignedError" in outcome.failed[mnli.name].read_text(encoding="utf-8")
    states = plan_suite(load(THREE), STORE).states
    assert list(states.values()) == [State.LEFT, State.DONE, State.DONE]  # with other data it is another cell


def test_a_traceback_that_the_cell_left_is_not_written_over(tmp_path: Path) -> None:
    assert keep_error(tmp_path / "a", "killed").read_text(encoding="utf-8") == "killed\n"
    (tmp_path / "a" / "error.txt").write_text("its own", encoding="utf-8")
    assert keep_error(tmp_path / "a", "told by the executor").read_text(encoding="utf-8") == "its own"


def test_the_traceback_of_an_earlier_call_is_not_taken_for_this_ones(load: Load, inline: Any) -> None:
    suite = load("grid: [{engine: majority, task: sst2}]")
    error = keep_error(STORE / suite.cells[0].name, "of yesterday")
    plan = plan_suite(suite, STORE)
    assert plan.count(State.FAILED) == 1
    outcome = run_cells(plan.todo, plan, inline, Terms(), on_event=ignore)
    assert outcome.failed == {}
    assert not error.exists()


def test_a_run_on_a_disk_that_nobody_else_reads_comes_back_whole(load: Load, inline: Any) -> None:
    suite = load(THREE)
    here, there = Path("here"), Path("there")
    for root, bring in ((here, False), (there, True)):
        plan = plan_suite(suite, root)
        run_cells(plan.todo, plan, inline, Terms(bring=bring), on_event=ignore)
    names = [sorted(path.relative_to(root).as_posix() for path in root.rglob("*.*")) for root in (here, there)]
    assert names[0] == names[1]
    assert plan_suite(suite, there).count(State.DONE) == 3
    assert plan_suite(suite, there).stock.unreadable == ()
    for one in suite.cells:
        kept = [(root / one.name / "predictions.parquet").read_bytes() for root in (here, there)]
        assert kept[0] == kept[1]


def test_a_cell_that_another_runner_began_and_gave_up_is_done_in_the_end(load: Load, inline: Any) -> None:
    suite = load(THREE)
    plan = plan_suite(suite, STORE)
    other = RunFolder(STORE / suite.cells[0].name)
    other.__enter__()

    def give_up(event: object) -> None:
        if len(inline.jobs) == 3:  # the other runner's process ends while the last cell is run
            other.__exit__(None, None, None)

    outcome = run_cells(plan.todo, plan, inline, Terms(), on_event=give_up)
    assert [job.name for job in inline.jobs] == [*(one.name for one in suite.cells), suite.cells[0].name]
    assert outcome.elsewhere == []
    assert sorted(outcome.done) == sorted(one.name for one in suite.cells)


def test_a_cell_that_another_runner_is_still_at_is_left_to_it(load: Load, inline: Any) -> None:
    suite = load(THREE)
    plan = plan_suite(suite, STORE)
    with RunFolder(STORE / suite.cells[0].name):
        outcome = run_cells(plan.todo, plan, inline, Terms(), on_event=ignore)
    assert outcome.elsewhere == [suite.cells[0].name]
    assert len(inline.jobs) == 3


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out"])
def test_no_file_that_a_worker_sends_leads_out_of_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="leads out"):
        unpack({name: base64.b64encode(b"x").decode()}, tmp_path / "run")
    assert not (tmp_path / "out").exists()


def test_weights_stay_where_they_are(tmp_path: Path) -> None:
    for name in ("results.json", "model/best_model/x.safetensors", "adapter/y", "error_analysis/validation/errors.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x", encoding="utf-8")
    assert pack(tmp_path).keys() == {"results.json", "error_analysis/validation/errors.csv"}


def test_runs_at_a_url_are_shared_with_who_has_none_of_them(load: Load, tmp_path: Path) -> None:
    url = f"file://{tmp_path / 'bucket'}"
    suite = load(THREE)
    for payload in payloads(suite, url=url)[:2]:
        run_job(payload)
    assert RemoteStore(url).done() == {one.id for one in suite.cells[:2]}
    assert pull(suite.cells, url, tmp_path / "elsewhere") == []
    assert plan_suite(suite, tmp_path / "elsewhere").count(State.DONE) == 2
    assert pull(suite.cells, url, tmp_path / "elsewhere") == []  # nothing twice


def test_a_damaged_run_at_a_url_is_told_and_not_done(load: Load, tmp_path: Path) -> None:
    url = f"file://{tmp_path / 'bucket'}"
    suite = load("grid: [{engine: majority, task: sst2}]")
    run_job(payloads(suite, url=url)[0])
    path = next((tmp_path / "bucket").glob("*/predictions.parquet"))
    path.write_bytes(path.read_bytes()[:-1])
    (told,) = pull(suite.cells, url, tmp_path / "elsewhere")
    assert "predictions.parquet" in told
    assert plan_suite(suite, tmp_path / "elsewhere").count(State.DONE) == 0


def test_the_config_of_a_job_is_its_cells_but_for_its_place(load: Load) -> None:
    suite = load(THREE)
    for one, payload in zip(suite.cells, payloads(suite), strict=True):
        config = work.from_plain(payload["run"])
        assert dataclasses.replace(config, output_dir=None, run_name=None) == one.config
