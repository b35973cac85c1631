"""Published studies on disk, made from how many of their rows each cell got right; no engine and no data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from beatingbert.runs.cell import Cell
from beatingbert.runs.evidence import write_predictions
from beatingbert.runs.files import write_json
from beatingbert.runs.published import LIST, Listed, write_list
from beatingbert.runs.record import RunRecord
from beatingbert.scoring.scorecard import score
from beatingbert.tasks.catalog import TASKS
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction

ROWS = 200
ENCODER = {"checkpoint": "bert", "max_length": 512}
ASKED = {"answer_by": "likelihood", "calibration": "none", "chat_template": "auto", "constrained": False}


class Press:
    """Publishes made-up cells: `press.cell("encoder", right=0.9)`, then `press.close()`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listed: list[Listed] = []

    def cell(
        self,
        engine: str,
        *,
        right: float,
        task: str = "sst2",
        seed: int = 99,
        rows: int | None = None,
        template: str | None = None,
        select_on: str = "development",
        silent: Sequence[int] = (),
        draw: int = 0,
        done: bool = True,
        p50: float = 10.0,
        gpu: str | None = None,
        **settings: Any,
    ) -> Cell:
        """One cell.

        Args:
            engine: whose.
            right: share of the rows that it gets right.
            task: whose rows.
            seed: of the cell.
            rows: train rows.
            template: the folder of its prompt files.
            select_on: as in a cell.
            silent: positions of rows whose reply names no label.
            draw: which rows are right: the first ones for 0, else drawn by this and the seed.
            done: whether it has been run.
            p50: median latency in milliseconds.
            gpu: where it has run; None for the processor.
            settings: that differ from the usual.
        """
        usual = ENCODER if engine == "encoder" else {"checkpoint": "gpt", **ASKED} if engine in ("llm", "lora") else {}
        shape = {"train_size": rows, "eval_size": None, "seed": seed, "select_on": select_on}
        cell = Cell(
            task=task,
            engine=engine,
            engine_version=1,
            mode="evaluate",
            settings={**usual, **settings},
            data_revision="r1",
            prompt_sha256=template or "",
            **shape,
        )
        name = f"{engine}_{task}_{cell.id[:8]}"
        model = str(cell.settings.get("checkpoint", engine))
        self.listed.append(
            Listed(id=cell.id, name=name, task=task, engine=engine, model=model, how=engine, template=template)
        )
        if done:
            self._write(name, cell, model, right, silent, draw, p50, gpu)
        return cell

    def close(self) -> Path:
        """Write the list of cells; the folder."""
        write_list(self.folder / LIST, "made", "Made up.", self.listed)
        return self.folder

    def _write(
        self,
        name: str,
        cell: Cell,
        model: str,
        share: float,
        silent: Sequence[int],
        draw: int,
        p50: float,
        gpu: str | None,
    ) -> None:
        labels = TASKS[cell.task].labels
        examples = [Example(Question(f"q{at:03d}", {}), labels[at % len(labels)]) for at in range(ROWS)]
        right = np.zeros(ROWS, dtype=bool)
        count = round(share * ROWS)
        order = np.random.default_rng([draw, cell.seed]).permutation(ROWS) if draw else np.arange(ROWS)
        right[order[:count]] = True
        answers = [
            None if at in silent else labels[(at + (not good)) % len(labels)] for at, good in enumerate(right.tolist())
        ]
        predictions = [
            Prediction(question_id=one.question.id, label=label, probabilities=dict.fromkeys(labels, 1 / len(labels)))
            for one, label in zip(examples, answers, strict=True)
        ]
        split = TASKS[cell.task].evaluation[0]
        folder = self.folder / name
        folder.mkdir(parents=True)
        gold = {(split, one.question.id): one.label for one in examples}
        write_predictions(folder / "predictions.parquet", {split: predictions}, gold)
        record = RunRecord(
            run_name=name,
            cell=cell,
            model=model,
            scores={split: score(examples, predictions, labels, draws=20).to_json()},
            efficiency={
                "latency": {"p50_ms": p50, "p95_ms": 2 * p50, "n": 50, "warmup": 3},
                "throughput": {"questions_per_second": 100.0, "n": ROWS, "seconds": 2.0},
                "memory": {"fit": {}, "answer": {"process_mib": 512.4, "device_mib": None}},
                **{"load_seconds": 0.5, "train_seconds": 60.0 if engine_trains(cell.engine) else 0.0},
                **{"parameters": 100, "disk_bytes": 400, "device": "cuda" if gpu else "cpu", "precision": "fp32"},
            },
            data={"train_rows": cell.train_size, "revision": "r1", "splits": {}},
            environment={
                "machine": {"cpu": "Processor", "logical_cores": 2, "gpus": [{"name": gpu}] if gpu else []},
            },
            **{name: {} for name in ("checkpoint", "template", "notes")},
            **dict.fromkeys(("started_at", "finished_at"), "2026-01-01T12:00:00+01:00"),
        )
        write_json(folder / "results.json", record.to_json())


def engine_trains(engine: str) -> bool:
    return engine in ("encoder", "lora", "linear")
