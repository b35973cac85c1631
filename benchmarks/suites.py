"""What a suite adds to its cells: processor milliseconds per cell beyond `run` alone, and the seconds of a large plan.

Needs no weights and no data: the rows are made here, and every cell answers with the majority label. Processor time is
counted, not the clock's, so that a busy machine tells the same; the clock's seconds are printed beside it.

    python -m benchmarks.suites --cells 60 --plan 10000
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from beatingbert.cli.console import out
from beatingbert.execution.catalog import build_executor
from beatingbert.experiments.config import MajorityConfig
from beatingbert.experiments.runner import run
from beatingbert.experiments.suite.jobs import Terms, run_cells
from beatingbert.experiments.suite.load import Suite, load_suite
from beatingbert.experiments.suite.plan import plan_suite

ROWS = 100


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=60, help="cells that are run (default 60)")
    parser.add_argument("--plan", type=int, default=10_000, help="cells that are planned (default 10,000)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        data = _write_rows(folder / "data")
        added, alone = overhead(folder, data, arguments.cells)
        out.print(f"a cell: {alone:.1f} ms of processor time by itself, {added:+.1f} ms more within a suite")
        spent, seconds, count = planning(folder, data, arguments.plan)
        out.print(f"a plan of {count:,} cells: {spent:.2f} s of processor time, {seconds:.2f} s by the clock")


def overhead(folder: Path, data: Path, cells: int) -> tuple[float, float]:
    """Milliseconds of processor time that a suite adds to a cell, and those of a cell by itself."""
    # The first run of a process imports what all need.
    run(MajorityConfig(task="sst2", data_dir=data, output_dir=folder / "first"))
    alone, _ = _spent(
        lambda: [
            run(MajorityConfig(task="sst2", data_dir=data, seed=seed, output_dir=folder / "alone" / str(seed)))
            for seed in range(cells)
        ]
    )
    # What a worker imports when it starts is the same for any number of cells, so it is left out by the difference.
    few, all_of_them = (_within_suite(folder, data, count) for count in (cells // 4, cells))
    each = (all_of_them - few) / (cells - cells // 4)
    return 1000 * (each - alone / cells), 1000 * alone / cells


def _within_suite(folder: Path, data: Path, cells: int) -> float:
    """Processor seconds of a suite of so many cells, its worker's included."""
    suite = _suite(folder / f"run_{cells}.yaml", data, f"seed: [{', '.join(map(str, range(cells)))}]")
    store = folder / f"store_{cells}"
    spent, _ = _spent(lambda: _run(suite, store))
    done = len(list(store.glob("*/results.json")))
    if done != cells:
        raise RuntimeError(f"{done} of {cells} cells were done")
    return spent


def _run(suite: Suite, store: Path) -> None:
    """As `beatingbert suite run` does it."""
    plan = plan_suite(suite, store)
    run_cells(plan.todo, plan, build_executor("serial"), Terms(), on_event=lambda event: None)


def planning(folder: Path, data: Path, cells: int) -> tuple[float, float, int]:
    """Processor seconds and clock seconds from a suite file to a plan, and the cells that it has."""
    side = math.isqrt(cells)
    sizes = ", ".join(str(2 * size) for size in range(1, side + 1))
    path = folder / "plan.yaml"
    _suite(path, data, f"max_eval_samples: [{sizes}]\n    seed: [{', '.join(map(str, range(side)))}]")
    spent, seconds = _spent(lambda: plan_suite(load_suite(path), folder / "nothing"))
    return spent, seconds, side * side


def _spent(work: Callable[[], object]) -> tuple[float, float]:
    """Processor seconds, those of processes that it started and that have ended included, and seconds by the clock."""
    processor, clock = _processor_seconds(), time.perf_counter()
    work()
    return _processor_seconds() - processor, time.perf_counter() - clock


def _processor_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _suite(path: Path, data: Path, axes: str) -> Suite:
    text = f"grid:\n  - engine: majority\n    task: sst2\n    data_dir: {json.dumps(str(data))}\n    {axes}\n"
    path.write_text(text, encoding="utf-8")
    return load_suite(path)


def _write_rows(data: Path) -> Path:
    folder = data / "sst2"
    folder.mkdir(parents=True)
    for split in ("train", "validation"):
        rows = [{"sentence": f"{split} text {at}", "label": at % 2, "idx": at} for at in range(ROWS)]
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return data


if __name__ == "__main__":
    main()
