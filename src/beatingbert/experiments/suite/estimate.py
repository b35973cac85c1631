"""What cells will cost, from records of cells like them, else by rule of thumb; each estimate says which and how sure.

A cell's work is counted in tokens: what it trains on, what it answers, and the questions that time its latency. A
record of the same engine and checkpoint tells how long a token of each takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from beatingbert.experiments.config import RunConfig
from beatingbert.experiments.planning import Planner
from beatingbert.experiments.suite import rules
from beatingbert.experiments.suite.load import SuiteCell
from beatingbert.runs.cell import Cell
from beatingbert.runs.record import RunRecord
from beatingbert.tasks.catalog import find_task

MIB = 2**20
MOST_RECORDS = 20  # of one kind; the latest tell of the machine as it is
TRAINING_FACTOR = 3  # forward, and backward at twice its cost (Kaplan et al. 2020, section 2.1: 6 N against 2 N)
TIMED_QUESTIONS, TIMED_SECONDS = 53, 20.0  # what `measure_latency` asks at most, and how long it takes at most
STARTING_SECONDS = 3.0  # libraries, data, tokenizer and writing, where no record tells
PER_SHOT = 0.05  # of a question's time: what attending to a demonstration costs that is in the cache already
SURENESS = {"same": 1.3, "scaled": 2.0, "rule": 5.0}
"""How far off an estimate may be, as a factor: from the same task, from another task, by rule of thumb."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How much a cell has to do.

    Attributes:
        trained: tokens that are trained on, over all epochs.
        answered: tokens of everything that is answered, the development part after each epoch included.
        questions: that are reported.
        question: tokens of one of them, with what its demonstrations add.
    """

    trained: float
    answered: float
    questions: int
    question: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a cell will cost.

    Attributes:
        seconds: on one worker.
        memory_mib: at its peak; of the device where there is one.
        disk_mib: of its folder.
        basis: "same", "scaled" or "rule"; see `SURENESS`.
    """

    seconds: float
    memory_mib: float
    disk_mib: float
    basis: str


class Estimator:
    """Estimates cells; rows are counted once for each task.

    Args:
        past: records to learn from.
    """

    def __init__(self, past: Iterable[RunRecord]) -> None:
        self._planner = Planner()
        self._rows: dict[tuple[str, Path | None, str], int] = {}
        self._past: dict[tuple[str, str], list[RunRecord]] = {}
        for record in sorted(past, key=lambda one: one.finished_at, reverse=True):
            kind = (record.cell.engine, str(record.cell.settings.get("checkpoint", "")))
            kept = self._past.setdefault(kind, [])
            if len(kept) < MOST_RECORDS:
                kept.append(record)
        self._folders: dict[Path, float] = {}

    def cost(self, one: SuiteCell) -> Cost:
        """What a cell will cost."""
        work = self.work(one)
        like = self._past.get((one.cell.engine, str(one.cell.settings.get("checkpoint", ""))), [])
        same = [record for record in like if record.cell.task == one.cell.task]
        same = [record for record in same if _with_shots(record.cell) == _with_shots(one.cell)] or same
        if not like:
            return _by_rule(one, work)
        used = same or like
        seconds = sorted(self._seconds(one, work, record) for record in used)
        return Cost(
            seconds=seconds[len(seconds) // 2],
            memory_mib=max(_peak_mib(record) for record in used),
            # A probe's folders are gone.
            disk_mib=max(self._folder_mib(record.folder) for record in used) or _by_rule(one, work).disk_mib,
            basis="same" if same else "scaled",
        )

    def work(self, one: SuiteCell) -> Work:
        """How much a cell has to do."""
        config, cell, task = one.config, one.cell, find_task(one.cell.task)
        asked = (str(task.test),) if config.predicts_only else task.evaluation
        counts = [self._count(config, split) for split in asked]
        questions = sum(count if cell.eval_size is None else min(count, cell.eval_size) for count in counts)
        budget = 0
        if config.needs_train and task.train is not None:
            count = self._count(config, task.train)
            budget = count if cell.train_size is None else min(count, cell.train_size)
        epochs = int(cell.settings.get("epochs", 1))
        learns = cell.engine not in ("llm", "majority", "optimized", "served")
        tokens = rules.tokens_of(task)
        question = tokens * _with_shots(cell)
        developed = min(0.1 * budget, 2000) * epochs if learns else 0
        if cell.engine == "optimized" and cell.settings["program"] is None:
            tried = int(cell.settings["num_candidates"]) + int(cell.settings["num_trials"])
            developed = min(0.1 * budget, int(cell.settings["max_val_examples"])) * tried
        return Work(
            trained=0.9 * budget * epochs * tokens if learns else 0.0,
            answered=(questions + developed) * question,
            questions=questions,
            question=question,
        )

    def _count(self, config: RunConfig, split: str) -> int:
        key = (config.task, config.data_dir, split)
        if key not in self._rows:
            self._rows[key] = rules.rows_of(find_task(config.task), self._planner.source(config), split)
        return self._rows[key]

    def _seconds(self, one: SuiteCell, work: Work, record: RunRecord) -> float:
        """A record's seconds, each part scaled by how much more there is to do."""
        spent = record.efficiency
        done = _work_of(record)
        training = spent["train_seconds"] * (work.trained / done.trained if done.trained else 1)
        throughput = spent["throughput"]
        answering = throughput["seconds"] * (work.questions * work.question) / (throughput["n"] * done.question)
        timed = min(work.questions, TIMED_QUESTIONS) * spent["latency"]["p50_ms"] / 1000
        timed = min(TIMED_SECONDS, timed * work.question / done.question)
        return float(training + answering + timed + spent["load_seconds"] + _other_seconds(record))

    def _folder_mib(self, folder: Path) -> float:
        if folder not in self._folders:
            self._folders[folder] = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / MIB
        return self._folders[folder]


def _work_of(record: RunRecord) -> Work:
    """What a record's cell had to do."""
    cell, tokens = record.cell, rules.tokens_of(find_task(record.cell.task))
    rows = int(record.data.get("train_rows") or 0)
    question = tokens * _with_shots(cell)
    questions = int(record.efficiency["throughput"]["n"])
    trained = rows * int(cell.settings.get("epochs", 1)) * tokens
    return Work(trained=trained, answered=questions * question, questions=questions, question=question)


def _with_shots(cell: Cell) -> float:
    """How much longer a question takes with its demonstrations, which are the same for all and so are read once."""
    return 1 + PER_SHOT * int(cell.settings.get("shots", 0))


def _other_seconds(record: RunRecord) -> float:
    """What a run took besides training, answering, timing and loading: reading data, starting libraries, writing."""
    spent = record.efficiency
    took = datetime.fromisoformat(record.finished_at) - datetime.fromisoformat(record.started_at)
    latency = spent["latency"]
    told = spent["train_seconds"] + spent["throughput"]["seconds"] + spent["load_seconds"]
    told += (latency["n"] + latency["warmup"]) * latency["p50_ms"] / 1000
    return max(0.0, took.total_seconds() - float(told))


def _peak_mib(record: RunRecord) -> float:
    phases = record.efficiency["memory"].values()
    key = "device_mib" if any(phase["device_mib"] is not None for phase in phases) else "process_mib"
    return max(float(phase[key] or 0.0) for phase in phases)


def _by_rule(one: SuiteCell, work: Work) -> Cost:
    """Two operations for each weight and token that is read (Kaplan et al. 2020, section 2.1), and known sizes."""
    engine, settings = one.cell.engine, one.cell.settings
    if "checkpoint" not in settings:
        learning = work.trained / 5e5 if engine == "linear" else 0.0  # half a million tokens a second, all strengths
        return Cost(seconds=1 + learning, memory_mib=400, disk_mib=1, basis="rule")
    parameters = rules.parameters_of(str(settings["checkpoint"]))
    timed = min(work.questions, TIMED_QUESTIONS) * work.question
    operations = 2 * parameters * (TRAINING_FACTOR * work.trained + work.answered + timed)
    weights = parameters * rules.BYTES_PER_PARAMETER / MIB
    trains = work.trained > 0
    kept = {"encoder": 2 * weights if trains else 0.0, "lora": 0.03 * weights}.get(engine, 0.0)
    # Adam keeps two more numbers for each weight that is trained, next to the weight and its gradient.
    memory = {"encoder": 4 * weights if trains else weights, "lora": 2 * weights}.get(engine, weights)
    return Cost(
        seconds=operations / rules.flops_here() + STARTING_SECONDS,
        memory_mib=memory + 1000,
        disk_mib=kept + work.answered * 6 / MIB + 1,
        basis="rule",
    )
