"""Tiny cells with mishaps, and a runner for them that tests may kill. `python cells_at_work.py JSON` is the runner.

A cell's payload names its store, its run and its engine; "mishap" is what befalls its engine when it answers, "times"
how often. Each time a cell is really run leaves a line in STORE.trace/NAME.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from beatingbert.engines import majority
from beatingbert.errors import RunBusyError, RunExistsError
from beatingbert.execution.catalog import build_executor
from beatingbert.execution.protocol import Event, Failed, Finished, Job, Started, Stopping
from beatingbert.experiments.config import BERTConfig, LinearConfig, MajorityConfig
from beatingbert.experiments.runner import run
from beatingbert.runs.store import RESULTS, RunStore
from beatingbert.tasks.prediction import Prediction
from tiny_tasks import sentiment

ANSWER = majority.MajorityClassifier._answer
CONFIGS = {"majority": MajorityConfig, "linear": LinearConfig, "encoder": BERTConfig}


def write_data(folder: Path) -> Path:
    for split, rows in (("train", sentiment(40)), ("validation", sentiment(12, start=500))):
        path = folder / "sst2" / f"{split}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        told = [{"idx": at, **x.question.texts, "label": int(x.label == "positive")} for at, x in enumerate(rows)]
        path.write_text("".join(json.dumps(row) + "\n" for row in told), encoding="utf-8")
    return folder


def do_cell(payload: Mapping[str, Any]) -> str:
    """One cell as a suite does it: "done", "done before", or "busy" where another runner is at it."""
    store, name = Path(payload["store"]), payload["name"]
    try:
        _befall(payload, store, name)
        run(
            CONFIGS[payload["engine"]](
                task="sst2",
                data_dir=Path(payload["data"]),
                output_dir=store / name,
                run_name=name,
                **payload.get("settings", {}),
            ),
            progress=lambda phase, done, total: (
                _note(store, name) if (phase, done) == ("measuring latency", 0) else None
            ),
        )
    except RunBusyError:
        return "busy"
    except RunExistsError:
        return "done before"
    finally:
        majority.MajorityClassifier._answer = ANSWER  # type: ignore[method-assign]
    return "done"


def times_run(store: Path, name: str) -> int:
    trace = Path(f"{store}.trace") / name
    return len(trace.read_text(encoding="utf-8").splitlines()) if trace.exists() else 0


def _note(store: Path, name: str) -> None:
    trace = Path(f"{store}.trace") / name
    trace.parent.mkdir(exist_ok=True)
    with trace.open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")


def _befall(payload: Mapping[str, Any], store: Path, name: str) -> None:
    mishap = payload.get("mishap")
    if mishap is None or times_run(store, name) >= payload.get("times", 1):
        return

    def answer(self: Any, question: Any) -> Prediction:
        match mishap:
            case "raise":
                raise RuntimeError("the engine has raised")
            case "hang":
                time.sleep(600)
            case "wait":
                time.sleep(0.05)
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "not a number":
                return replace(ANSWER(self, question), probabilities={"negative": float("nan"), "positive": 0.5})
        return ANSWER(self, question)

    majority.MajorityClassifier._answer = answer  # type: ignore[method-assign]


def jobs_left(cells: Sequence[Mapping[str, Any]], store: Path, data: Path) -> list[Job]:
    """Grid minus store."""
    return [
        Job(
            id=cell["name"],
            name=cell["name"],
            payload={**cell, "store": str(store), "data": str(data)},
            timeout_s=cell.get("timeout_s"),
        )
        for cell in cells
        if not (store / cell["name"] / RESULTS).exists()
    ]


def do_suite(given: Mapping[str, Any], say: Callable[..., None]) -> None:
    """Set damaged runs aside, do what is left, tell each event; killed after "dies_after" finished cells."""
    store = Path(given["store"])
    finished = 0

    def tell(event: Event) -> None:
        nonlocal finished
        match event:
            case Started(job, worker):
                say("started", job.name, worker)
            case Failed(job, error, attempts, will_retry):
                say("failed", job.name, error, attempts, will_retry)
            case Stopping(running):
                say("stopping", running)
            case Finished(job, result):
                say("finished", job.name, result)
                finished += 1
                if finished == given.get("dies_after"):
                    os.kill(os.getpid(), signal.SIGKILL)

    for folder, damage in RunStore(store).quarantine().items():
        say("quarantined", folder.name, damage)
    executor = build_executor(given.get("executor", "serial"), **given.get("settings", {}))
    executor.run(jobs_left(given["cells"], store, Path(given["data"])), "cells_at_work:do_cell", on_event=tell)


def _print(*words: Any) -> None:
    print(json.dumps(words), flush=True)  # noqa: T201


if __name__ == "__main__":
    do_suite(json.loads(sys.argv[1]), _print)
