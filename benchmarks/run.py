"""How fast ours is, against the peers, on the same rows and prompts in one run: `make bench`.

Only ratios within one run mean anything: clocks differ between machines and hours. Answers are held against the peer's
before a ratio is printed. What is measured and how to read it: docs/PERFORMANCE.md.

    python benchmarks/run.py --only scoring --json FILE --data_dir DIR
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

# Run as a script, this folder would be searched, where `import vllm` means our peer and not the library.
sys.path[0] = str(Path(__file__).resolve().parents[1])
os.environ.setdefault("TQDM_DISABLE", "1")  # read when tqdm is imported: the peers' bars would hide ours

if TYPE_CHECKING:  # what is heavy is imported when it is needed, so that misuse is answered at once
    from benchmarks.material import Place
    from benchmarks.work import Figure

ROWS = {
    "scoring": 32,
    "invariance": 32,
    "peak": 256,
    "memory": 0,
    "training": 2000,
    "lora": 96,
    "seeds": 2000,
}  # by default
ALL_ROWS = 1_000_000
Tell = Callable[[str], None]


def main() -> int:
    """Run the benches, print a table each, write what was asked for."""
    arguments = read_arguments()
    from beatingbert.checkpoints.device import best_device, keep_freed_memory, set_threads
    from beatingbert.cli.console import err, out, quiet_libraries
    from beatingbert.errors import BeatingBertError
    from benchmarks.material import Place
    from benchmarks.table import describe_machine, render_terminal, write_page

    quiet_libraries()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing here is fetched from a hub
    figures: list[Figure] = []
    try:
        threads = set_threads()
        keep_freed_memory()
        out.print(describe_machine())
        for group in arguments.groups:
            rows = ALL_ROWS if arguments.full else arguments.rows or ROWS[group]
            place = Place(data_dir=arguments.data_dir, rows=rows, device=best_device(), threads=threads)
            found = watch(group, partial(start, group, arguments, place))
            figures += found
            if found:
                out.print(render_terminal(group, found))
            if arguments.json:
                text = json.dumps([figure.to_json() for figure in figures], indent=2)
                arguments.json.write_text(text + "\n", encoding="utf-8")
            if arguments.write and found:
                write_page(group, found)
    except BeatingBertError as error:
        err.print(f"error: {error}", markup=False)
        return 2
    return 0


def read_arguments() -> argparse.Namespace:
    """The command line, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(ROWS), help="one group instead of all")
    parser.add_argument("--work", metavar="PART", help="of scoring, only work whose name or peer contains this")
    parser.add_argument(
        "--rows",
        type=int,
        help="most rows of each piece of work (default 32; peak 256, training, seeds 2,000, lora 96)",
    )
    parser.add_argument("--full", action="store_true", help="all rows and 100,000 questions on SmolLM2; hours")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures go: a list of {work, ours, ...}")
    parser.add_argument("--data_dir", type=Path, default=os.environ.get("BEATINGBERT_DATA"), help="folder of the data")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/PERFORMANCE.md")
    arguments = parser.parse_args()
    if arguments.data_dir is None:
        parser.error("no data: give --data_dir DIR or BEATINGBERT_DATA, with sst2/train, sst2/validation, ... in it")
    if arguments.rows is not None and arguments.rows < 1:
        parser.error(f"--rows must be at least 1, got {arguments.rows}")
    if arguments.write and arguments.work:
        parser.error("--write replaces a whole table, so it cannot go with --work")
    if arguments.work and arguments.only not in (None, "scoring"):
        parser.error(f"--work chooses pieces of scoring, so it cannot go with --only {arguments.only}")
    chosen = arguments.only or ("scoring" if arguments.work else None)
    arguments.groups = [chosen] if chosen else list(ROWS)
    return arguments


def start(group: str, arguments: argparse.Namespace, place: Place, tell: Tell) -> Iterator[Figure]:
    """The figures of one group, as they come."""
    if group == "scoring":
        from benchmarks.scoring import bench_scoring
        from benchmarks.work import choose_works

        return bench_scoring(choose_works(arguments.work), place, tell)
    if group == "invariance":
        from benchmarks.invariance import bench_invariance

        return bench_invariance(place, tell)
    if group == "peak":
        from benchmarks.peak import bench_peak

        return bench_peak(place, tell)
    if group == "training":
        from benchmarks.training import bench_training

        return bench_training(place, tell)
    if group == "seeds":
        from benchmarks.seeds import bench_seeds

        return bench_seeds(place, tell)
    if group == "lora":
        from benchmarks.lora import bench_lora

        return bench_lora(place, tell)
    from benchmarks.memory import bench_memory

    return bench_memory(arguments.full, tell)


def watch(group: str, begin: Callable[[Tell], Iterator[Figure]]) -> list[Figure]:
    """Collect a group's figures while saying on standard error what is being done."""
    from beatingbert.cli.console import err

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    started = time.perf_counter()
    with Progress(*columns, console=err, transient=True, disable=not sys.stderr.isatty()) as bars:
        row = bars.add_task(group, total=None)

        def tell(text: str) -> None:
            err.print(f"{time.perf_counter() - started:5.0f} s  {text}", markup=False)
            bars.update(row, description=f"{group}: {text}")

        return list(begin(tell))


if __name__ == "__main__":
    raise SystemExit(main())
