from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no data: give --data_dir"),
        (["--data_dir", "x", "--rows", "0"], "--rows must be at least 1, got 0"),
        (["--data_dir", "x", "--only", "peak", "--work", "sst2"], "--work chooses pieces of scoring"),
        (["--data_dir", "x", "--work", "sst2", "--write"], "cannot go with --work"),
    ],
    ids=["no data", "no rows", "work of another group", "half a table"],
)
def test_misuse_is_refused_with_the_way_out(arguments: list[str], message: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "BEATINGBERT_DATA"}
    done = subprocess.run(
        [sys.executable, "benchmarks/run.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
