"""Whole runs against a stand-in server: what they keep, what they never keep, and what a second run pays."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from beatingbert import LLMConfig, RunRecord, run
from beatingbert.errors import BudgetError, UnreachableError
from stand_in import Fault, StandIn, serving
from tiny_tasks import sentiment

KEY = "sk-geheim-0123456789"
ROWS = 30


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BEATINGBERT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MY_KEY", KEY)
    folder = tmp_path / "data" / "sst2"
    folder.mkdir(parents=True)
    for split, rows in (("train", sentiment(40)), ("validation", sentiment(ROWS, start=100))):
        lines = [
            json.dumps({**row.question.texts, "label": int(row.label == "positive"), "idx": number})
            for number, row in enumerate(rows)
        ]
        (folder / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "data"


@pytest.fixture
def place() -> Iterator[StandIn]:
    with serving(StandIn(key=KEY, seconds=0.03)) as stand_in:
        yield stand_in


def answer(place: StandIn, data_dir: Path, **changes: Any) -> RunRecord:
    asked: dict[str, Any] = {
        "task": "sst2",
        "model_name": "openai/tiny",
        "base_url": place.openai_url,
        "api_key_env": "MY_KEY",
        "data_dir": data_dir,
        "concurrency": 4,
        "max_retries": 0,
    }
    return run(LLMConfig(**asked | changes))


def test_a_run_keeps_scores_speed_and_usage_and_says_that_memory_is_unknown(place: StandIn, data_dir: Path) -> None:
    record = answer(place, data_dir, mode="few-shot", num_few_shot=4)
    assert record.metrics["accuracy"]["value"] == 1.0
    efficiency = json.loads((record.folder / "results.json").read_text(encoding="utf-8"))["efficiency"]
    assert efficiency["memory"]["answer"]["process_mib"] is None
    assert "process of its own" in efficiency["memory"]["answer"]["reason"]
    assert (efficiency["parameters"], efficiency["device"]) == (None, "server")
    assert efficiency["latency"]["p50_ms"] >= 30
    assert efficiency["latency"]["n"] == ROWS // 2
    # Four at a time are faster than one after the other.
    assert efficiency["throughput"]["questions_per_second"] > 1.2 * 1000 / efficiency["latency"]["p50_ms"]
    assert efficiency["throughput"]["n"] == ROWS
    assert record.notes["usage"]["answers"] == ROWS
    assert record.notes["scoring"] == "log-probabilities of the answer's first tokens"
    assert place.answered == ROWS + 1  # each row once, whether it was asked for latency or not, and one to see how


def test_a_second_run_pays_nothing_and_tells_the_same(place: StandIn, data_dir: Path) -> None:
    first = answer(place, data_dir)
    place.asked.clear()
    second = answer(place, data_dir, run_name="second")
    assert place.asked == []
    assert second.metrics == first.metrics
    assert second.notes["usage"] == first.notes["usage"]
    for name in ("latency", "throughput"):
        assert second.efficiency[name] == first.efficiency[name], name


def test_a_server_that_dies_leaves_no_result_but_every_answer(place: StandIn, data_dir: Path) -> None:
    place.dies_after = 12
    with pytest.raises(UnreachableError, match="12 answers are kept"):
        answer(place, data_dir, run_name="broken")
    assert not Path("results/broken/results.json").exists()
    place.dies_after = None
    kept = place.answered
    assert answer(place, data_dir).metrics["accuracy"]["value"] == 1.0
    assert kept == 12
    assert place.answered == ROWS + 1


def test_ollamas_protocol_is_spoken_through_faults_and_a_death_as_well(data_dir: Path) -> None:
    passing = [Fault(500), Fault(kind="cut"), Fault(429, {"Retry-After": "0.05"}), Fault(503)]
    with serving(StandIn(names=["tiny", "tiny:latest"], faults=passing, dies_after=12)) as place:
        asked = {"model_name": "ollama/tiny", "base_url": place.url, "api_key_env": None}
        with pytest.raises(UnreachableError, match="12 answers are kept"):
            answer(place, data_dir, run_name="broken", max_retries=4, **asked)
        assert not Path("results/broken/results.json").exists()
        place.dies_after = None
        record = answer(place, data_dir, max_retries=4, **asked)
    assert passing == []
    assert record.metrics["accuracy"]["value"] == 1.0
    assert place.answered == ROWS + 1


def test_a_budget_ends_a_run_without_a_result_and_the_next_one_goes_on(place: StandIn, data_dir: Path) -> None:
    for _ in range(2):
        with pytest.raises(BudgetError, match="--max_requests 12"):
            answer(place, data_dir, max_requests=12)
    assert list(Path("results").glob("*/results.json")) == []
    record = answer(place, data_dir, max_requests=12)
    assert record.notes["requests"] == {"sent": ROWS + 1 - 24, "kept_from_earlier_runs": 24}
    assert place.answered == ROWS + 1


def test_the_key_is_nowhere_in_what_is_left(place: StandIn, data_dir: Path, capfd: pytest.CaptureFixture[str]) -> None:
    answer(place, data_dir, run_name="good")
    place.dies_after = 0
    with pytest.raises(UnreachableError):
        answer(place, data_dir, run_name="dead", ask_again=True)
    place.key = "another"  # and the server repeats the key that it refuses
    script = (
        "import sys; from beatingbert.cli.main import main; sys.exit(main(sys.argv[1:]))",
        *("run", "llm", "--task", "sst2", "--model", "openai/tiny", "--base_url", place.openai_url),
        *("--data_dir", str(data_dir), "--api_key_env", "MY_KEY", "--run_name", "refused"),
    )
    for debug in ([], ["--debug"]):
        done = subprocess.run([sys.executable, "-c", *script, *debug], capture_output=True, text=True, check=False)
        assert done.returncode == (1 if debug else 2)
        assert "HTTP 401" in done.stderr
        assert KEY not in done.stdout + done.stderr
    files = [path for path in Path.cwd().rglob("*") if path.is_file()]
    assert {"results.json", "error.txt", "log.txt", "config.json", "answers.sqlite"} <= {path.name for path in files}
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    printed = capfd.readouterr()
    assert KEY not in printed.out + printed.err


def test_a_served_run_starts_light(place: StandIn, data_dir: Path) -> None:
    look = """
import sys
from pathlib import Path
from beatingbert import LLMConfig, run
run(LLMConfig(task="sst2", model_name="openai/tiny", base_url=sys.argv[1], api_key_env="MY_KEY", data_dir=Path("data")))
print(*(name for name in ("torch", "transformers", "peft", "datasets") if name in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", look, place.openai_url], capture_output=True, text=True, check=True, cwd=data_dir.parent
    )
    assert done.stdout.split() == []
    assert place.answered == ROWS + 1
