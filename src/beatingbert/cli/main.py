"""The `beatingbert` command, and how every failure reaches the user: a message, an exit status, no traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_
from typing import Annotated, Any

import tyro
from rich.markup import escape

from beatingbert.cli.at_work import Export, Predict, Serve
from beatingbert.cli.console import err, quiet_libraries
from beatingbert.cli.decide import Decide
from beatingbert.cli.demo import Demo
from beatingbert.cli.diff import Diff
from beatingbert.cli.inspect import Inspect
from beatingbert.cli.report import Report
from beatingbert.cli.run import run_and_tell
from beatingbert.cli.show import Show
from beatingbert.cli.suite import SuiteCommand, SuitePlan, SuitePublish, SuiteReport, SuiteRun, SuiteStatus
from beatingbert.errors import BeatingBertError
from beatingbert.experiments import company
from beatingbert.experiments.config import RUNS, RunConfig

ABOUT = (
    "Fine-tune BERT or use a small LLM? Start with 'beatingbert demo'.\n\n"
    "Runs both under the same rules and says who wins, how surely and at what cost.\n\n"
    "With --debug any command shows the traceback of a failure."
)
DEBUG = "--debug"
BROKEN_PIPE = 141  # as shells tell of SIGPIPE
INTERRUPTED = 130  # what shells expect of a program that Ctrl-C has stopped

Choice = tyro.conf.subcommand
Runs: Any = reduce(or_, (Annotated[kind, Choice(name)] for name, kind in RUNS.items()))
Suites = (
    Annotated[SuitePlan, Choice("plan")]
    | Annotated[SuiteRun, Choice("run")]
    | Annotated[SuiteStatus, Choice("status")]
    | Annotated[SuitePublish, Choice("publish")]
    | Annotated[SuiteReport, Choice("report")]
)
ABOUT_SUITES = "A grid of runs as a file: what it would cost, doing it, going on with it, and what came of it."


def main(argv: Sequence[str] | None = None) -> int:
    """`beatingbert demo|run|suite|inspect|show|diff|report|decide|predict|export|serve`; returns the exit status."""

    def command(arguments: Sequence[str]) -> int:
        if arguments[:1] == ["run"]:
            config = parse(Runs, arguments[1:], prog="beatingbert run", about="Do one run and keep it under results/.")
            return run_and_tell(config)
        if arguments[:1] == ["suite"]:
            return int(parse(Suites, arguments[1:], prog="beatingbert suite", about=ABOUT_SUITES)())
        chosen = parse(
            Annotated[Demo, Choice("demo")]
            | Annotated[RunConfig, Choice("run", description="Do one run: encoder, llm, linear or majority.")]
            | Annotated[SuiteCommand, Choice("suite", description="Plan, run and report a grid of runs from a file.")]
            | Annotated[Inspect, Choice("inspect")]
            | Annotated[Show, Choice("show")]
            | Annotated[Diff, Choice("diff")]
            | Annotated[Report, Choice("report")]
            | Annotated[Decide, Choice("decide")]
            | Annotated[Predict, Choice("predict")]
            | Annotated[Export, Choice("export")]
            | Annotated[Serve, Choice("serve")],
            arguments,
            prog="beatingbert",
            about=ABOUT,
        )
        return int(chosen())

    return guarded(command, sys.argv[1:] if argv is None else argv)


def script(config_type: type[RunConfig], prog: str, argv: Sequence[str] | None = None) -> int:
    """One of the study's scripts, whose flags are the fields of `config_type`; returns the exit status."""

    def command(arguments: Sequence[str]) -> int:
        return run_and_tell(parse(config_type, arguments, prog=prog, about=None))

    return guarded(command, sys.argv[1:] if argv is None else argv)


def report_script(prog: str, argv: Sequence[str] | None = None) -> int:
    """The study's script that writes the report; returns the exit status."""

    def command(arguments: Sequence[str]) -> int:
        report: Report = parse(Report, arguments, prog=prog, about=None)
        return report()

    return guarded(command, sys.argv[1:] if argv is None else argv)


def parse(kind: Any, arguments: Sequence[str], *, prog: str, about: str | None) -> Any:
    """Flags to a config; `--batch_size` and `--batch-size` are the same. Exits with status 2 on misuse."""
    return tyro.cli(
        kind,
        args=list(arguments),
        prog=prog,
        description=about,
        use_underscores=True,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff, tyro.conf.OmitSubcommandPrefixes),
    )


def guarded(command: Callable[[Sequence[str]], int], argv: Sequence[str]) -> int:
    """Run a command; failures that can be foreseen become one message and their exit status."""
    arguments = [argument for argument in argv if argument != DEBUG]
    debug = len(arguments) < len(argv)
    if not debug:
        quiet_libraries()
    try:
        return command(arguments)
    except BeatingBertError as error:
        if debug:
            raise
        if not company.is_main():
            return error.exit_status  # of several processes the main one tells what is wrong
        err.print(f"[bold red]error:[/bold red] {escape(str(error))}")
        return error.exit_status
    except BrokenPipeError:  # whoever reads the output, `head` for example, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python would complain once more at its end
        return BROKEN_PIPE
    except KeyboardInterrupt:
        if debug:
            raise
        err.print("\nstopped. What was not finished does not count as a result; finished runs are kept.")
        return INTERRUPTED
