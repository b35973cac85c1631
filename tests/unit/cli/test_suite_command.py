import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beatingbert.cli.main import main
from beatingbert.cli.suite_live import SuiteLive
from beatingbert.cli.suite_tables import span
from beatingbert.errors import SuiteError
from beatingbert.execution.protocol import Failed, Finished, Job, Started, Stopping
from beatingbert.experiments.suite.load import SuiteCell, load_suite
from beatingbert.experiments.suite.plan import plan_suite
from beatingbert.experiments.suite.work import run_job
from beatingbert.runs.store import RunStore

SUITE = """
about: Two [baselines].
defaults: {task: sst2, max_samples: 30}
grid:
  - {engine: [majority, linear], seed: [1, 2]}
"""


@pytest.fixture
def suite(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEATINGBERT_DATA", str(data_dir))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    path = Path("mine.yaml")
    path.write_text(SUITE, encoding="utf-8")
    return path


class Here:
    """An executor that does jobs in this process; `until` is how many it does before Ctrl-C."""

    def __init__(self, until: int | None = None) -> None:
        self.until = until
        self.told: dict[str, Any] = {}

    def build(self, name: str, **told: Any) -> "Here":
        self.told = {"name": name, **told}
        return self

    def run(self, jobs: list[Job], work: str, *, on_event: Callable[[Any], None]) -> None:
        for job in jobs[: self.until]:
            on_event(Started(job, "here"))
            try:
                result = run_job(job.payload)
            except Exception as error:
                on_event(Failed(job, f"Traceback\n{type(error).__name__}: {error}", 1, will_retry=False))
            else:
                on_event(Finished(job, result))
        if self.until is not None:
            raise KeyboardInterrupt


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    executor = Here()
    monkeypatch.setattr("beatingbert.cli.suite.build_executor", executor.build)
    return executor


def ids(root: str) -> set[str]:
    return {record.cell.id for record in RunStore(Path(root)).records()}


def test_a_plan_is_printed_and_nothing_is_run(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suite", "plan", "mine.yaml", "--workers", "2"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Two [baselines].\n")
    assert re.search(r"^linear +linear +2 +0 +0 +2 ", out, flags=re.MULTILINE)
    assert "4 cells, 4 to run: about" in out
    assert "on 2 workers, give or take a factor 5.0" in out
    assert "--probe" in out
    assert not Path("results").exists()


def test_a_suite_is_run_and_running_it_again_does_nothing_more(
    suite: Path, here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["suite", "run", "mine.yaml"]) == 0
    printed = capsys.readouterr()
    assert "mine: 4 cells, 0 done, 4 to run" in printed.out
    assert "4 finished, 0 failed; runs: results/mine/" in printed.out
    assert re.search(r"^4/4 linear_sst2_n30_s2_[0-9a-f]{8}: accuracy \d+\.\d \(", printed.err, flags=re.MULTILINE)
    before = {path: path.stat().st_mtime_ns for path in Path("results").rglob("results.json")}
    assert len(before) == 4
    assert main(["suite", "run", "mine.yaml"]) == 0
    assert "4 cells, 4 done, 0 to run" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in Path("results").rglob("results.json")}
    assert main(["suite", "plan", "mine.yaml"]) == 0
    assert "all 4 cells are done: 'beatingbert suite report mine.yaml'" in capsys.readouterr().out


def test_what_ctrl_c_stopped_is_gone_on_with_and_ends_as_if_unbroken(
    suite: Path, here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    here.until = 2
    assert main(["suite", "run", "mine.yaml"]) == 130
    assert "2 finished, 0 failed" in capsys.readouterr().out
    here.until = None
    assert main(["suite", "run", "mine.yaml"]) == 0
    assert "2 done, 2 to run" in capsys.readouterr().out
    assert main(["suite", "run", "mine.yaml", "--store", "unbroken"]) == 0
    assert ids("results/mine") == ids("unbroken")
    for path in Path("results/mine").glob("*/predictions.parquet"):
        assert path.read_bytes() == (Path("unbroken") / path.parent.name / path.name).read_bytes()


def test_a_failed_cell_makes_the_command_fail_and_says_where_its_traceback_is(
    suite: Path, here: Here, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from beatingbert.engines.linear import LinearEngine

    honest = LinearEngine.fit

    def fail(self: LinearEngine, *rest: Any, seed: int, **more: Any) -> Any:
        if seed == 1:
            raise ValueError("the [red]matrix[/red] is singular")
        return honest(self, *rest, seed=seed, **more)

    monkeypatch.setattr(LinearEngine, "fit", fail)
    assert main(["suite", "run", "mine.yaml"]) == 1
    printed = capsys.readouterr()
    assert "3 finished, 1 failed" in printed.out
    assert "ValueError: the [red]matrix[/red] is singular" in printed.out
    assert "ValueError: the [red]matrix[/red] is singular" in printed.err
    (told,) = re.findall(r"traceback: (\S+)", printed.out)
    assert "in fail" in Path(told).read_text(encoding="utf-8")
    assert main(["suite", "status", "mine.yaml"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^failed +1$", shown, flags=re.MULTILINE)
    assert re.search(r"^done +3$", shown, flags=re.MULTILINE)
    assert told in shown
    monkeypatch.setattr(LinearEngine, "fit", honest)
    assert main(["suite", "run", "mine.yaml"]) == 0
    assert "3 done, 1 to run" in capsys.readouterr().out
    assert not Path(told).exists()


def test_only_some_cells_are_run(suite: Path, here: Here, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suite", "run", "mine.yaml", "--only", "linear*s2"]) == 0
    assert [record.model for record in RunStore(Path("results")).records()] == ["linear"]
    assert main(["suite", "run", "mine.yaml", "--only", "bert"]) == 2
    assert "--only 'bert' matches none of 4 cells" in capsys.readouterr().err


def test_flags_reach_executor_and_cells(suite: Path, here: Here) -> None:
    flags = ["--executor", "processes", "--workers", "3", "--retries", "2", "--fail-fast", "--timeout", "60"]
    assert main(["suite", "run", "mine.yaml", *flags, "--max_eval_samples", "7", "--only", "majority*s1"]) == 0
    assert here.told == {"name": "processes", "workers": 3, "retries": 2, "fail_fast": True, "address": None}
    (record,) = RunStore(Path("results/mine")).records()
    assert record.scores["validation"]["rows"] == 7


def test_a_damaged_record_is_set_aside_and_its_cell_run_again(
    suite: Path, here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["suite", "run", "mine.yaml"]) == 0
    path = sorted(Path("results/mine").glob("*/results.json"))[0]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    capsys.readouterr()
    assert main(["suite", "status", "mine.yaml"]) == 0
    assert f"damaged, so not done: {path}" in capsys.readouterr().out
    assert main(["suite", "run", "mine.yaml"]) == 0
    printed = capsys.readouterr()
    assert f"set aside, to be run again: {path.parent}" in printed.err
    assert "3 done, 1 to run" in printed.out
    assert len(ids("results/mine")) == 4


def test_a_report_is_of_the_suites_runs_and_says_what_is_missing(
    suite: Path, here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    here.until = 3
    assert main(["suite", "run", "mine.yaml"]) == 130
    capsys.readouterr()
    assert main(["suite", "report", "mine.yaml"]) == 0
    out = capsys.readouterr().out
    assert "note: 1 of 4 cells are not done yet" in out
    assert "linear" in out
    assert any(Path("results/mine/analysis").iterdir())
    here.until = None
    assert main(["suite", "run", "mine.yaml", "--report"]) == 0
    assert "linear" in capsys.readouterr().out


def test_runs_kept_at_a_url_are_not_done_again_elsewhere(
    suite: Path, here: Here, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    url = f"file://{tmp_path / 'bucket'}"
    assert main(["suite", "run", "mine.yaml", "--store", url, "--results_dir", "one"]) == 0
    capsys.readouterr()
    assert main(["suite", "run", "mine.yaml", "--store", url, "--results_dir", "two"]) == 0
    assert "4 done, 0 to run" in capsys.readouterr().out
    assert ids("one") == ids("two")


def test_what_is_published_is_not_run_again_and_what_is_run_is_published(
    suite: Path, here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    here.until = 2
    assert main(["suite", "run", "mine.yaml", "--published", "study", "--results_dir", "one"]) == 130
    assert len(ids("study")) == 2
    here.until = None
    capsys.readouterr()
    assert main(["suite", "plan", "mine.yaml", "--published", "study", "--results_dir", "two"]) == 0
    assert "4 cells, 2 to run" in capsys.readouterr().out
    assert main(["suite", "run", "mine.yaml", "--published", "study", "--results_dir", "two"]) == 0
    assert "2 done, 2 to run" in capsys.readouterr().out
    assert len(ids("two")) == 2
    assert len(ids("study")) == 4
    assert main(["suite", "publish", "mine.yaml", "--results_dir", "two", "--to", "other"]) == 0
    assert "other/: 2 cells published, 0 were there before, 2 of the suite are not finished" in capsys.readouterr().out


def test_what_cannot_be_published_is_told_in_the_end_and_everything_is_run(
    suite: Path, here: Here, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(one: SuiteCell, *_: Any) -> None:
        if one.cell.engine == "linear":
            raise SuiteError(f"{one.name} cannot be published: [odd]")

    monkeypatch.setattr("beatingbert.experiments.suite.publish.publish_cell", refuse)
    assert main(["suite", "run", "mine.yaml", "--published", "study"]) == 1
    told = capsys.readouterr()
    assert "4 finished, 0 failed" in told.out
    assert " ".join(told.err.split()).count("cannot be published: [odd]") == 2
    assert main(["suite", "publish", "mine.yaml", "--to", "study"]) == 1
    assert "cannot be published: [odd]" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["plan", "none"], "there is no suite file 'none'"),
        (["plan", "mine.yaml", "--max_eval_samples", "1"], "--max_eval_samples must be at least 2, got 1"),
        (["plan", "mine.yaml", "--workers", "0"], "--workers must be at least 1, got 0"),
        (["run", "mine.yaml", "--workers", "2"], "executor 'serial' has one worker, got 2"),
        (["run", "mine.yaml", "--address", "auto"], "executor 'serial' has no address"),
        (["plan", "mine.yaml", "--data_dir", "nowhere"], "no folder 'sst2'"),
        (["report", "mine.yaml"], "no finished run"),
    ],
)
def test_misuse_is_told_with_status_2(
    suite: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["suite", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_a_shipped_suite_goes_by_its_name(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("experiments/suites")
    folder.mkdir(parents=True)
    os.rename(suite, folder / "tiny.yaml")  # noqa: PTH104
    assert main(["suite", "plan", "tiny"]) == 0
    assert "4 cells" in capsys.readouterr().out
    assert main(["suite", "plan", "tiniest"]) == 2
    assert "shipped ones: tiny" in capsys.readouterr().err


def test_the_progress_counts_and_says_how_long_it_will_take(
    suite: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from beatingbert.cli.console import err

    now = [0.0]
    monkeypatch.setattr("beatingbert.cli.suite_live.time.monotonic", lambda: now[0])
    plan = plan_suite(load_suite(suite), Path("store"))
    live = SuiteLive(plan, "mine", plan.todo)
    jobs = [Job(id=one.id, name=one.name, payload={}) for one in plan.todo]
    assert live.seconds_left is None
    live(Started(jobs[0], "here"))
    now[0] = 10.0
    live(Failed(jobs[0], "killed", 1, will_retry=True))
    live(Started(jobs[0], "here"))
    live(Finished(jobs[0], {"state": "done", "metrics": {}}))
    live(Started(jobs[1], "here"))
    live(Failed(jobs[1], "a\nValueError: [b]no[/b]", 1, will_retry=False))
    live(Started(jobs[2], "here"))
    live(Stopping(1))
    costs = [plan.costs[one.id].seconds for one in plan.todo]
    assert live.seconds_left == pytest.approx(10 * (costs[2] + costs[3]) / (costs[0] + costs[1]))
    err.print(live)
    told = capsys.readouterr().err
    assert "mine: 1 done, 1 running, 1 failed of 4, about" in told
    assert "to be tried again (attempt 1)" in told
    assert "2/4 failed: " in told
    assert "ValueError: [b]no[/b]" in told
    assert "stopping: 1 running cell(s) are finished first" in told


@pytest.mark.parametrize(
    ("seconds", "told"), [(12, "12 s"), (3599, "59 min 59 s"), (9000, "2.5 h"), (864_000, "10.0 days")]
)
def test_long_times_are_told_in_hours_and_days(seconds: float, told: str) -> None:
    assert span(seconds) == told
