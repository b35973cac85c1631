"""How long the report takes on many runs, and how much memory: `python benchmarks/analysis.py --runs 1000 --rows 1000`.

The runs are made up, in a folder that is removed again: all on the same rows, which is the hardest case, since then all
of them meet. They lie as a run of a suite leaves them: with the tables of its error analysis, without its pictures.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ENGINES = ("llm", "encoder", "lora", "linear")
LABELS = ("negative", "positive")


def make_runs(folder: Path, *, runs: int, rows: int, seeds: int = 1, seed: int = 99, analysed: bool = True) -> None:
    """Write so many finished runs under `folder`, a quarter each of LLMs, encoders, LoRA and linear models.

    Args:
        folder: where to.
        runs: how many.
        rows: that all of them answered.
        seeds: runs of a contender.
        seed: of the answers.
        analysed: whether each has its own error analysis, as runs have since these are made at a run's end.
    """
    from beatingbert.report.errors.analysis import analyse_errors
    from beatingbert.runs.evidence import write_predictions, write_questions
    from beatingbert.runs.files import write_json
    from beatingbert.scoring.scorecard import score
    from beatingbert.tasks.example import Example, Question
    from beatingbert.tasks.prediction import Prediction

    generator = np.random.default_rng(seed)
    gold = generator.integers(0, 2, rows)
    words = np.array(["a", "film", "of", "great", "dull", "warmth", "plot", "and", "never", "quite", "comes", "alive"])
    texts = [" ".join(words[generator.integers(0, len(words), count)]) for count in generator.integers(5, 40, rows)]
    examples = [
        Example(Question(f"q{at}", {"sentence": text}), LABELS[code])
        for at, (text, code) in enumerate(zip(texts, gold, strict=True))
    ]
    questions = [one.question for one in examples]
    truth = {("validation", one.question.id): one.label for one in examples}
    hard = generator.random(rows)
    skill = 0.0
    for number in range(runs):
        if number % seeds == 0:
            skill = generator.uniform(0.55, 0.95)
        right = generator.random(rows) < np.clip(skill + 0.3 * (0.5 - hard), 0, 1)
        sure = generator.uniform(0.5, 1.0, rows)
        answers = [
            Prediction(
                question_id=one.question.id,
                label=(label := LABELS[code if good else 1 - code]),
                probabilities={name: float(p if name == label else 1 - p) for name in LABELS},
                reply="This review reads as " + label,
            )
            for one, code, good, p in zip(examples, gold, right, sure, strict=True)
        ]
        run = folder / f"run{number:05d}"
        run.mkdir(parents=True)
        write_questions(run / "questions.parquet", {"validation": questions}, truth)
        write_predictions(run / "predictions.parquet", {"validation": answers}, truth)
        if ENGINES[number // seeds % len(ENGINES)] in ("llm", "lora"):
            _write_prompts(run / "prompts", questions)
        card = score(examples, answers, LABELS, draws=20).to_json()
        write_json(run / "results.json", _record(number, card, rows, seeds))
        if analysed:
            analyse_errors(run)


def _write_prompts(folder: Path, questions: Sequence[Any]) -> None:
    folder.mkdir()
    lines = [
        json.dumps({"split": "validation", "id": one.id, "prompt": f"Review: {one.texts['sentence']}\nSentiment:"})
        + "\n"
        for one in questions
    ]
    (folder / "prompts.jsonl").write_text("".join(lines), encoding="utf-8")


def _record(number: int, card: dict[str, Any], rows: int, seeds: int) -> dict[str, Any]:
    """A record as a run of today leaves it."""
    from beatingbert.runs.cell import Cell
    from beatingbert.runs.record import RunRecord

    engine = ENGINES[number // seeds % len(ENGINES)]
    settings = {"checkpoint": f"model-{number // seeds}", "shots": 0, "answer_by": "likelihood", "rank": 16}
    memory = {"process_mib": 700.0, "process_at_start_mib": 90.0, "device_mib": None, "device_at_start_mib": None}
    return RunRecord(
        run_name=f"run{number:05d}",
        cell=Cell(
            task="sst2",
            engine=engine,
            engine_version=1,
            mode="evaluate",
            settings=settings,
            train_size=None,
            eval_size=None,
            seed=99 + number % seeds,
            select_on="development",
            data_revision="r1",
        ),
        model=f"model-{number // seeds}",
        scores={"validation": card},
        efficiency={
            "latency": {"p50_ms": 10.0 + number, "p95_ms": 20.0 + number, "n": 50, "warmup": 3},
            "throughput": {"questions_per_second": 100.0 + number, "n": rows, "seconds": rows / (100 + number)},
            "memory": {"fit": memory, "answer": memory},
            "load_seconds": 0.5,
            "train_seconds": 60.0,
            "parameters": 22_700_000,
            "disk_bytes": 90_900_000,
            "device": "cpu",
            "precision": "bf16",
        },
        data={"train_rows": 60_000, "revision": "r1", "source": "files", "splits": {"validation": {"used": rows}}},
        checkpoint={"reference": f"model-{number // seeds}", "revision": "main"},
        template={},
        notes={},
        environment={"machine": {"cpu": "made up", "logical_cores": 2, "cpu_quota_cores": None, "gpus": []}},
        started_at="2026-01-01T12:00:00+00:00",
        finished_at="2026-01-01T12:01:00+00:00",
    ).to_json()


def main(argv: Sequence[str] | None = None) -> int:
    """Make the runs, analyse them in this process, and print what it took as JSON."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition(":")[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=1, help="runs of a contender")
    parser.add_argument("--format", default="all", choices=("all", "tables", "plots", "csv", "html"))
    parser.add_argument("--bare", action="store_true", help="runs without error analyses of their own")
    parser.add_argument(
        "--keep", type=Path, help="folder for runs and report; runs that lie there are taken as they are"
    )
    chosen = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.keep or Path(scratch) / "runs"
        if not folder.exists():
            make_runs(folder, runs=chosen.runs, rows=chosen.rows, seeds=chosen.seeds, analysed=not chosen.bare)
        before = _peak_mib()
        print(json.dumps({**_analyse(folder, chosen.format), "peak_mib_before": before}))  # noqa: T201
    return 0


def _analyse(folder: Path, formats: Any) -> dict[str, Any]:
    from beatingbert.report.analysis import analyse

    phases: dict[str, float] = {}
    started, worked = time.perf_counter(), time.process_time()

    def clock(phase: str, done: int, total: int) -> None:
        phases[phase] = round(time.perf_counter() - started, 2)

    written = analyse(folder, formats=formats, progress=clock)
    size = sum((written.folder / file).stat().st_size for file in written.files)
    return {
        "runs": len(written.findings.frame.records),
        "seconds": round(time.perf_counter() - started, 2),
        "processor_seconds": round(time.process_time() - worked, 2),
        "seconds_until_end_of": phases,
        "peak_mib": _peak_mib(),
        "written_mib": round(size / 2**20, 1),
    }


def _peak_mib() -> int:
    """The process's largest resident set so far; Linux counts it in units of 1024 bytes."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    sys.exit(main())
