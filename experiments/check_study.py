"""Run a few published cells again, drawn at random, and compare: `python experiments/check_study.py SUITE STUDY`."""

import random
import sys
import tempfile
from pathlib import Path

from beatingbert.cli.main import main
from beatingbert.runs.published import read_list

COUNT = 3

if __name__ == "__main__":
    suite, study = sys.argv[1], Path(sys.argv[2])
    there = [one.name for one in read_list(study).cells if (study / one.name).is_dir()]
    drawn = random.sample(there, min(COUNT, len(there)))
    differ = []
    with tempfile.TemporaryDirectory(prefix="beatingbert-") as scratch:
        runs, again = Path(scratch) / "runs", Path(scratch) / "again"
        for name in drawn:
            if main(["suite", "run", suite, "--store", str(runs), "--only", name]):
                sys.exit(f"{name} could not be run again")
        if main(["suite", "publish", suite, "--store", str(runs), "--to", str(again)]):
            sys.exit("what was run could not be published")
        for name in drawn:
            first, second = ((folder / name / "predictions.parquet").read_bytes() for folder in (study, again))
            sys.stdout.write(f"{name}: {'the same predictions' if first == second else 'OTHER PREDICTIONS'}\n")
            differ += [] if first == second else [name]
    sys.exit(1 if differ else 0)
