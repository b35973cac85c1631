import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from beatingbert import BERTConfig, LLMConfig, run
from beatingbert.cli.main import INTERRUPTED, main, script
from beatingbert.engines.catalog import ENGINES
from beatingbert.engines.protocol import EngineFacts, Workplace
from beatingbert.errors import BeatingBertError
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction

VERSION = 1  # this module stands in for an engine's


class FailingEngine:
    """Fails in the way that `error` says."""

    error: BaseException = BeatingBertError("the loss became [bold]nan[/bold] in step 7")

    def __init__(self, settings: Any, workplace: Workplace) -> None:
        self.facts = EngineFacts()

    def fit(self, train: Sequence[Example], *, development: Sequence[Example], seed: int) -> "FailingEngine":
        raise self.error

    def predict(self, questions: Sequence[Question]) -> list[Prediction]:
        raise AssertionError("nothing was fitted")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> type[FailingEngine]:
    monkeypatch.setitem(ENGINES, "majority", replace(ENGINES["majority"], engine=f"{__name__}:FailingEngine"))
    return FailingEngine


@pytest.fixture
def majority(data_dir: Path) -> list[str]:
    """The command that every test here runs, in a folder of its own."""
    return ["run", "majority", "--task", "sst2", "--data_dir", str(data_dir), "--run_name", "mine"]


def flat(text: str) -> str:
    """A message as one line, however it was wrapped."""
    return " ".join(text.split())


def test_a_run_prints_its_table_and_where_it_lies(majority: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(majority) == 0
    printed = capsys.readouterr()
    assert "75.0" in printed.out
    assert "run: results/mine\n" in printed.out
    assert "majority on sst2: measuring latency ..." in printed.err
    assert json.loads(Path("results/mine/results.json").read_text(encoding="utf-8"))["run_name"] == "mine"


def test_an_unknown_task_is_misuse_and_the_closest_name_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "majority", "--task", "sst3"]) == 2
    printed = capsys.readouterr()
    assert "error: unknown task 'sst3'. Did you mean 'sst2'?" in flat(printed.err)
    assert "Traceback" not in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["rnu"],
        ["run"],
        ["run", "majority"],
        ["run", "majority", "--task", "sst2", "--bogus", "1"],
        ["run", "majority", "--task", "sst2", "--seed", "many"],
        ["run", "encoder", "--task", "sst2", "--mode", "tarin"],
        ["show", "nothing"],
    ],
    ids=" ".join,
)
def test_a_command_that_does_not_exist_is_misuse(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("config_type", "flags", "told"),
    [
        (BERTConfig, ["--mode", "eval"], "--model_path"),
        (BERTConfig, ["--max_samples", "0"], "--max_samples"),
        (LLMConfig, ["--mode", "dspy", "--num_few_shot", "0"], "num_few_shot"),
        (LLMConfig, ["--optimizer", "gepa"], "use --mode dspy"),
        (LLMConfig, ["--lora_rank", "8"], "use --mode lora"),
        (LLMConfig, ["--mode", "few-shot", "--num_few_shot", "0"], "--num_few_shot"),
        (LLMConfig, ["--temperature", "0.5", "--answer_by", "likelihood"], "temperature"),
    ],
)
def test_what_cannot_be_done_as_asked_is_misuse(
    config_type: Any,
    flags: list[str],
    told: str,
    data_dir: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("encoder", "llm"):
        monkeypatch.setitem(ENGINES, name, replace(ENGINES[name], engine=f"{__name__}:FailingEngine"))
    assert script(config_type, "run.py", ["--task", "sst2", "--data_dir", str(data_dir), *flags]) == 2
    assert told in flat(capsys.readouterr().err)
    assert list(Path().glob("results/*")) == []


def test_a_finished_run_is_not_overwritten(majority: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(majority) == 0
    before = Path("results/mine/results.json").read_bytes()
    assert main(majority) == 2
    assert "already holds a finished run" in flat(capsys.readouterr().err)
    assert Path("results/mine/results.json").read_bytes() == before


def test_a_failed_run_has_a_message_and_keeps_its_traceback(
    failing: type[FailingEngine], majority: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(majority) == 1
    printed = capsys.readouterr()
    assert printed.err == "error: the loss became [bold]nan[/bold] in step 7\n"
    assert "Traceback" in Path("results/mine/error.txt").read_text(encoding="utf-8")
    assert not Path("results/mine/results.json").exists()


def test_debug_shows_the_traceback(failing: type[FailingEngine], majority: list[str]) -> None:
    with pytest.raises(BeatingBertError, match="step 7"):
        main([*majority, "--debug"])
    with pytest.raises(BeatingBertError, match="step 7"):
        main(["--debug", *majority])


def test_a_stopped_run_says_so_and_is_no_result(
    failing: type[FailingEngine],
    majority: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(failing, "error", KeyboardInterrupt())
    assert main(majority) == INTERRUPTED == 130
    printed = capsys.readouterr()
    assert "stopped." in printed.err
    assert "Traceback" not in printed.err
    assert not Path("results/mine/results.json").exists()


def test_a_mistake_of_the_programs_own_is_not_swallowed(
    failing: type[FailingEngine], majority: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failing, "error", ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(majority)
    assert "ZeroDivisionError" in Path("results/mine/error.txt").read_text(encoding="utf-8")


def test_without_arguments_those_of_the_process_are_taken(
    majority: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["beatingbert", *majority])
    assert main() == 0
    assert "run: results/mine" in capsys.readouterr().out


def test_a_part_that_stands_in_for_a_split_is_told(
    majority: list[str], data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data_dir / "sst2" / "validation.jsonl").rename(data_dir / "sst2" / "validation_part.jsonl")
    assert main(majority) == 0
    assert "note: only a part of split validation was found (12 rows)" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["run_bert.py", "run_llm.py"])
def test_the_studys_scripts_exit_with_the_status_of_the_command(name: str) -> None:
    path = Path(__file__).resolve().parents[3] / "experiments" / name
    done = subprocess.run(
        [sys.executable, str(path), "--task", "sst3"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "Did you mean 'sst2'?" in flat(done.stderr)
    assert "Traceback" not in done.stderr


def test_a_collapsed_training_is_told_with_a_way_out(
    majority: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "beatingbert.cli.run.run_live", lambda config: replace(run(config), notes={"collapsed": config.seed == 1})
    )
    assert main([*majority, "--seed", "1"]) == 0
    assert "warning: the training collapsed: every answer on the development part" in flat(capsys.readouterr().out)
    assert main([*majority[:-1], "other"]) == 0
    assert "warning" not in capsys.readouterr().out


def test_of_several_processes_only_the_main_one_tells_what_is_wrong(
    majority: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, told in (("0", "2 processes were launched"), ("1", "")):
        monkeypatch.setenv("RANK", rank)
        assert main(majority) == 2
        printed = capsys.readouterr()
        assert told in flat(printed.err)
        assert bool(printed.err) == bool(told)
        assert printed.out == ""
