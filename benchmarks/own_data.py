"""Is `beatingbert decide` at least as good as the peers on users' own tables, in equal time on the same rows?

Everybody gets the rows of decide's own split: train and development rows to learn from, test rows without labels to
answer. Each works in a process of its own for the same time, on the same cores. Peers: TF-IDF with logistic regression
(of words, of letters), SetFit, AutoGluon (tabular by two presets, multimodal with two encoders). What a system has
answered of a table is kept, so that the same command goes on where it was interrupted, and several commands can fill
one table. How it is measured, and the tables: docs/OWN_DATA_BENCH.md.

    python benchmarks/own_data.py --install                                   # the peers' environments, once
    python benchmarks/own_data.py --data_dir DIR --budget 10m --write         # everything, one after the other
    python benchmarks/own_data.py --data_dir DIR --cores 0 --peers none &     # ours on one core, and at the same time
    python benchmarks/own_data.py --data_dir DIR --cores 1 --no_ours          # the peers on the other
    python benchmarks/own_data.py --data_dir DIR --decided results/decide_trec_TIME --files trec --peers setfit
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

# Run as a script, this folder would be searched, where `import vllm` means our peer and not the library.
sys.path[0] = str(Path(__file__).resolve().parents[1])

if TYPE_CHECKING:  # what is heavy is imported when it is needed, so that misuse is answered at once
    from benchmarks.own.contest import Conditions, Tell, Tick
    from benchmarks.own.figures import Table
    from benchmarks.own.files import File, Rows
    from benchmarks.own.kept import Result
    from benchmarks.own.systems import Peer

OUTPUT_DIR = Path("results") / "own_data_bench"
BUDGET = "10m"
NONE = "none"
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Let everybody play whose result is not kept yet, print a table each, write what was asked for."""
    arguments = read_arguments(argv)
    from beatingbert.cli.console import err, quiet_libraries
    from beatingbert.errors import BeatingBertError

    quiet_libraries()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever is at work must not be left alone
    try:
        return install_all(arguments) if arguments.install else run(arguments)
    except BeatingBertError as error:
        err.print(f"error: {error}", markup=False)
        return error.exit_status
    except KeyboardInterrupt:
        err.print("\nstopped; what is finished is kept, and the same command goes on")
        return INTERRUPTED


def read_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line, checked as far as it can be without looking at files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ["BEATINGBERT_DATA"]) / "own" if os.environ.get("BEATINGBERT_DATA") else None
    parser.add_argument(
        "--data_dir", type=Path, default=data, help="folder of the tables (default BEATINGBERT_DATA/own)"
    )
    parser.add_argument("--files", type=_names, metavar="A,B", help="banking77, sms_spam, trec, womens_clothing; all")
    parser.add_argument("--peers", type=_names, metavar="A,B", help="names, or families such as autogluon; none; all")
    parser.add_argument("--no_ours", action="store_true", help="do not run decide; its kept result is compared with")
    parser.add_argument("--budget", help=f"time of each, e.g. 90s (default {BUDGET}, or that of --decided)")
    parser.add_argument("--cores", type=_cores, metavar="0,1", help="numbers of the cores to run on (default: all)")
    parser.add_argument(
        "--decided", type=Path, nargs="+", default=[], metavar="DIR", help="folders that decide left; taken as ours"
    )
    parser.add_argument("--output_dir", type=Path, default=OUTPUT_DIR, help=f"what is kept (default {OUTPUT_DIR})")
    parser.add_argument("--install", action="store_true", help="only make the peers' environments, in the user's cache")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where all figures go")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/OWN_DATA_BENCH.md")
    arguments = parser.parse_args(argv)
    if arguments.data_dir is None and not arguments.install:
        parser.error("no data: give --data_dir DIR, with banking77/, sms_spam/, ... in it, or BEATINGBERT_DATA")
    if arguments.cores and not hasattr(os, "sched_setaffinity"):
        parser.error("--cores needs a system that lets a process choose its cores, such as Linux")
    return arguments


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _cores(text: str) -> set[int]:
    cores = {int(one) for one in text.split(",")}
    if not cores <= set(range(os.cpu_count() or 1)):
        raise argparse.ArgumentTypeError(f"{text!r}: this machine's cores are 0 to {(os.cpu_count() or 1) - 1}")
    return cores


def chosen_peers(arguments: argparse.Namespace) -> tuple[Peer, ...]:
    """Of the command line; all by default."""
    from benchmarks.own.systems import PEERS, choose_peers

    if arguments.peers is None:
        return PEERS
    return () if arguments.peers == [NONE] else choose_peers(arguments.peers)


def install_all(arguments: argparse.Namespace) -> int:
    """Make every environment that the chosen peers need; says of each whether it worked."""
    from beatingbert.cli.console import err, out
    from beatingbert.errors import BeatingBertError
    from benchmarks.own.environments import install

    failed = 0
    for name in dict.fromkeys(one.environment for one in chosen_peers(arguments)):
        try:
            python = install(name, lambda text: err.print(text, markup=False))
            out.print(f"{name or 'scikit-learn'}: {python}", markup=False)
        except BeatingBertError as error:
            err.print(f"error: {error}", markup=False)
            failed = 1
    return failed


def run(arguments: argparse.Namespace) -> int:
    """The contest."""
    from beatingbert.cli.console import err, out
    from beatingbert.cores import usable_cores
    from beatingbert.decision.budget import read_budget
    from benchmarks.own.contest import Conditions
    from benchmarks.own.files import FILES, choose_files, hand_out
    from benchmarks.own.kept import require_same_settings
    from benchmarks.own.page import render_terminal, sentences, write_page

    peers = chosen_peers(arguments)
    files = FILES if arguments.files is None else choose_files(arguments.files)
    budget = budget_from(arguments.decided) if arguments.decided else read_budget(arguments.budget or BUDGET)
    if arguments.budget and read_budget(arguments.budget) != budget:
        _refuse_budget(arguments.budget, budget)
    if arguments.cores:
        os.sched_setaffinity(0, arguments.cores)  # whatever is started from here has these cores and no others
    threads = usable_cores()
    require_same_settings(arguments.output_dir, budget=budget, cores=threads)
    tables: list[Table] = []
    with telling(budget) as (tell, tick):
        conditions = Conditions(budget=budget, threads=threads, tell=tell, tick=tick)
        given = {}
        for file in files:
            tell(f"{file.name}: the rows")
            given[file] = hand_out(file, arguments.data_dir, arguments.output_dir / file.name / "rows")
        take_decided(arguments.decided, given, arguments.output_dir, cores=threads)
        for file, rows in given.items():
            table = play(file, rows, peers, arguments, conditions)
            tables.append(table)
            out.print(render_terminal(table))
            for sentence in sentences(table):
                out.print(sentence, markup=False)
            out.print()
            if arguments.json:
                write_figures(arguments.json, tables, budget=budget, cores=threads)
    if arguments.write:
        write_page(tables, budget=budget, cores=threads)
    if any(table.missing for table in tables):
        err.print("some are missing, see above; the same command tries them again")
        return 1
    return 0


def budget_from(decided: Sequence[Path]) -> float:
    """What the decisions were given, which must be the same for all."""
    from beatingbert.errors import SettingsError
    from benchmarks.own.decided import budget_of

    found = {budget_of(one) for one in decided}
    if len(found) > 1:
        raise SettingsError(f"--decided: budgets of {', '.join(f'{one:g} s' for one in sorted(found))}; give one each")
    return found.pop()


def _refuse_budget(asked: str, found: float) -> None:
    from beatingbert.errors import SettingsError

    raise SettingsError(f"--budget {asked}, but --decided had {found:g} s; leave --budget out")


def take_decided(decided: Sequence[Path], given: dict[File, Rows], output_dir: Path, *, cores: int) -> None:
    """Keep decisions that are there already as our results, each for the table whose bytes it was made of."""
    from beatingbert.errors import SettingsError
    from benchmarks.own.contest import keep_decided
    from benchmarks.own.decided import data_revision, read_decided
    from benchmarks.own.systems import OURS

    for folder in decided:
        revision = data_revision(folder)
        found = [(file, rows) for file, rows in given.items() if rows.revision == revision]
        if not found:
            raise SettingsError(f"--decided {str(folder)!r} is about none of {', '.join(file.name for file in given)}")
        ((file, rows),) = found
        one = read_decided(folder, rows)
        if one.cores != cores:
            raise SettingsError(
                f"--decided {str(folder)!r} ran on {one.cores} core(s), the peers would on {cores}; see --cores"
            )
        keep_decided(one, file, rows, output_dir / file.name / OURS)


def play(file: File, rows: Rows, peers: Sequence[Peer], arguments: argparse.Namespace, conditions: Conditions) -> Table:
    """Ours and the peers on one table; whoever fails is missing from it with the reason, and stops nobody else."""
    from benchmarks.own.contest import play_ours, play_peer
    from benchmarks.own.figures import compare
    from benchmarks.own.kept import Result, read_failure, read_result
    from benchmarks.own.systems import OURS

    folder = arguments.output_dir / file.name
    found: dict[str, Result | str] = {}
    if arguments.no_ours:
        found[OURS] = read_result(folder / OURS) or read_failure(folder / OURS) or "not run yet"
    else:
        source = arguments.data_dir / file.path
        ours = partial(play_ours, file, source, rows, folder / OURS, conditions)
        found[OURS] = attempt(ours, folder / OURS, conditions)
    for peer in peers:
        theirs = partial(play_peer, peer, file, rows, folder / peer.name, conditions)
        found[peer.name] = attempt(theirs, folder / peer.name, conditions)
    results = [one for one in found.values() if isinstance(one, Result)]
    missing = {name: reason for name, reason in found.items() if isinstance(reason, str)}
    return compare(file.name, rows, results, missing)


def attempt(work: Callable[[], Result], folder: Path, conditions: Conditions) -> Result | str:
    """A result, or why there is none, which is remembered."""
    from beatingbert.errors import BeatingBertError, RunBusyError
    from benchmarks.own.kept import keep_failure

    try:
        return work()
    except BeatingBertError as error:
        conditions.tell(f"{folder.name} is missing: {error}")
        if not isinstance(error, RunBusyError):
            keep_failure(folder, str(error))
        return str(error)


def write_figures(path: Path, tables: Sequence[Table], *, budget: float, cores: int) -> None:
    """All figures as JSON."""
    from beatingbert.runs.files import write_json

    write_json(path, {"budget": budget, "cores": cores, "tables": [table.to_json() for table in tables]})


@contextmanager
def telling(budget: float) -> Iterator[tuple[Tell, Tick]]:
    """Say on standard error who is at work, with a bar of the budget at a terminal."""
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from beatingbert.cli.console import err

    started = time.perf_counter()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not sys.stderr.isatty()) as bars:
        row = bars.add_task("", total=budget)

        def tell(text: str) -> None:
            err.print(f"{time.perf_counter() - started:5.0f} s  {text}", markup=False)
            bars.reset(row, description=escape(text.partition("\n")[0]), total=budget)

        def tick(seconds: float) -> None:
            bars.update(row, completed=min(seconds, budget))

        yield tell, tick


if __name__ == "__main__":
    raise SystemExit(main())
