"""`beatingbert show`: what there is to choose from, and one run whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.markup import escape
from rich.table import Table

from beatingbert.checkpoints.catalog import WHEEL_CHECKPOINTS
from beatingbert.checkpoints.hub import KNOWN_HUB_IDS
from beatingbert.checkpoints.reference import describe_download
from beatingbert.cli.console import out
from beatingbert.cli.run_page import print_run
from beatingbert.engines.catalog import ENGINES
from beatingbert.engines.optimized.settings import FOLDER, PROMPT
from beatingbert.errors import SettingsError
from beatingbert.prompts.template import shipped_text
from beatingbert.report.lookup import find_run
from beatingbert.tasks.catalog import TASKS, find_task


@dataclass(frozen=True, kw_only=True)
class Show:
    """List tasks, engines, prompts or checkpoints, or show one of them, or a finished run, whole.

    Attributes:
        what: What to show: tasks, engines, prompts, checkpoints, run, or the prompt of a run.
        name: A task, to see all that is declared of it or its prompt file; a run's folder or name.
        results_dir: Where runs are looked for by name.
    """

    what: tyro.conf.Positional[
        Annotated[Literal["tasks", "engines", "prompts", "checkpoints", "run", "prompt"], tyro.conf.arg(metavar="WHAT")]
    ]
    name: tyro.conf.Positional[Annotated[str | None, tyro.conf.arg(metavar="[NAME]")]] = None
    results_dir: Path = Path("results")

    def __call__(self) -> int:
        """Print it."""
        if self.what in ("run", "prompt"):
            if not self.name:
                raise SettingsError(f"'show {self.what}' needs a run: its folder, or its name under --results_dir")
            record = find_run(self.name, self.results_dir)
            if self.what == "run":
                print_run(record)
            else:
                out.out(_prompt_of(record.folder), end="")
            return 0
        if self.name and self.what not in ("tasks", "prompts"):
            raise SettingsError(
                f"'show {self.what}' takes no name, got {self.name!r}; 'show tasks NAME' and 'show prompts NAME' do"
            )
        if self.what == "tasks" and self.name:
            out.print(_task(self.name))
        elif self.what == "prompts" and self.name:
            # Word for word and never wrapped, so that it can be redirected to a file and edited.
            out.out(shipped_text(TASKS[self.name].prompt if self.name in TASKS else self.name), end="")
        else:
            out.print(
                {"tasks": _tasks, "engines": _engines, "prompts": _prompts, "checkpoints": _checkpoints}[self.what]()
            )
        return 0


def _prompt_of(folder: Path) -> str:
    """What an optimiser has made of the prompt; where there was none, the prompt file that the run was asked by.

    Word for word, but for characters that would move a terminal's cursor: a model may have written them.
    """
    for path in (folder / FOLDER / PROMPT, folder / "prompts" / "template.txt"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            return "".join(one if one.isprintable() or one in "\n\t" else "\ufffd" for one in text)
    raise SettingsError(f"run {str(folder)!r} was asked by no prompt; 'show run' shows what there is")


def _tasks() -> Table:
    table = _table("task", "title", "shape", "labels", "reported", "licence")
    for task in TASKS.values():
        labels = ", ".join(task.labels) or "one of the choices"
        table.add_row(task.name, task.title, task.shape, labels, ", ".join(task.evaluation), escape(task.licence))
    return table


def _task(name: str) -> Table:
    task = find_task(name)
    table = _table("", "")
    hub = f"{task.hub.dataset}{f' ({task.hub.config})' if task.hub.config else ''}" if task.hub else "none"
    wheel = f"{task.wheel.package} {task.wheel.version}" if task.wheel else "none"
    for label, value in (
        ("task", f"{task.name}: {task.title}"),
        ("shape", f"{task.shape}: {', '.join(task.text_fields)}"),
        ("labels", ", ".join(task.labels) or f"one of the choices in {', '.join(task.choice_columns)}"),
        ("train, reported, test", f"{task.train}; {', '.join(task.evaluation)}; {task.test}"),
        ("local folder", f"DATA_DIR/{task.folder}/"),
        ("hub data set", hub),
        ("wheel", wheel),
        ("licence", task.licence),
        ("cite", task.citation),
        *(("note", note) for note in task.notes),
    ):
        table.add_row(label, escape(value))
    return table


def _engines() -> Table:
    table = _table("engine", "what it is")
    for name, entry in ENGINES.items():
        table.add_row(name, entry.about)
    return table


def _prompts() -> Table:
    table = _table("prompt", "tasks", "instruction")
    for name in dict.fromkeys(task.prompt for task in TASKS.values()):
        tasks = ", ".join(task.name for task in TASKS.values() if task.prompt == name)
        instruction = shipped_text(name).partition("[question]")[0].partition("[instruction]")[2].strip()
        table.add_row(name, tasks, escape(instruction))
    return table


def _checkpoints() -> Table:
    table = _table("reference", "what it is", "licence", "download", "here")
    for entry in WHEEL_CHECKPOINTS:
        here = "yes" if describe_download(entry.reference) is None else "no"
        size = f"{entry.download_bytes / 1e6:.0f} MB"
        table.add_row(entry.reference, escape(entry.source), entry.licence.removeprefix("LicenseRef-"), size, here)
    for hub_id in KNOWN_HUB_IDS:
        table.add_row(hub_id, "from the Hugging Face hub, as any other hub id", "see its page", "", "")
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for column in columns:
        table.add_column(column, no_wrap=column in ("task", "reference", "engine", "prompt"))
    return table
