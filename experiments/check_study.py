"""Run a few published cells again from nothing, drawn at random, and hold every answer against the published ones.

python experiments/check_study.py study studies/offline --count 3
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from beatingbert.checkpoints.device import best_device
from beatingbert.runs.published import read_list
from beatingbert.runs.record import RunRecord
from beatingbert.runs.store import RESULTS, read_record
from beatingbert.study.again import compare_runs


def main() -> int:
    """Draw, run, compare; 0 if every answer is the same."""
    asked = read_arguments()
    there, elsewhere = find_cells(asked.study)
    if not there:
        sys.exit(f"none of the {elsewhere:,} published cells ran on a {best_device()}, as this machine would")
    seed = random.SystemRandom().randrange(10**6) if asked.seed is None else asked.seed
    drawn = random.Random(seed).sample(there, min(asked.count, len(there)))
    sys.stdout.write(f"seed {seed} draws {len(drawn)} of {len(there)} published cells: {', '.join(drawn)}\n")
    if elsewhere:
        sys.stdout.write(f"{elsewhere:,} cells ran on another kind of device, which rounds otherwise: not drawn\n")
    differ = 0
    with tempfile.TemporaryDirectory(prefix="beatingbert-") as scratch:
        runs, again = Path(scratch) / "runs", Path(scratch) / "again"
        for name in drawn:
            run_again(asked.suite, name, runs, asked.study)
            beatingbert("suite", "publish", asked.suite, "--store", str(runs), "--to", str(again))
            found = compare_runs(asked.study / name, again / name)
            sys.stdout.write(f"{name}: {found}\n")
            differ += not found.holds
    return 1 if differ else 0


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", help="the suite that was run")
    parser.add_argument("study", type=Path, help="folder of its published records")
    parser.add_argument("--count", type=int, default=3, help="cells to draw (default 3)")
    parser.add_argument("--seed", type=int, help="of the draw; by default another one each time, which is printed")
    return parser.parse_args()


def find_cells(study: Path) -> tuple[list[str], int]:
    """Names of the cells that ran on this machine's kind of device, and how many did not."""
    names = [one.name for one in read_list(study).cells if (study / one.name).is_dir()]
    here = [name for name in names if computes_here(read_record(study / name / RESULTS))]
    return here, len(names) - len(here)


def computes_here(record: RunRecord) -> bool:
    """Whether this machine would compute it on the same kind of device."""
    device = str(record.efficiency["device"]).partition(":")[0]
    return record.cell.engine in ("linear", "majority") or device == best_device()


def run_again(suite: str, name: str, runs: Path, study: Path) -> None:
    """One cell, on as many threads as it had: with others, sums are made in another order."""
    threads = read_record(study / name / RESULTS).environment.get("threads")
    beatingbert("suite", "run", suite, "--store", str(runs), "--only", name, threads=threads)


def beatingbert(*command: str, threads: int | None = None) -> None:
    """The command, in a process of its own."""
    given = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run([sys.executable, "-m", "beatingbert", *command], env=os.environ | given, check=False)
    if done.returncode:
        sys.exit(f"beatingbert {' '.join(command)} failed with status {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())
