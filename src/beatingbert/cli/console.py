"""What the user sees while work is done: live bars in a terminal, a line per phase elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

WIDE = 160  # columns where nobody looks at a terminal, e.g. in a log file

out = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else WIDE)
err = Console(stderr=True, highlight=False, emoji=False, width=None if sys.stderr.isatty() else WIDE)


class LiveProgress:
    """Shows phases as they come, one bar each, the latest below."""

    def __init__(self, bars: Progress, title: str) -> None:
        self._bars = bars
        self._title = title
        self._rows: dict[str, TaskID] = {}

    def __call__(self, phase: str, done: int, total: int) -> None:
        """As `beatingbert.progress.Progress`."""
        if phase not in self._rows:
            if not self._bars.console.is_terminal:
                err.print(f"{escape(self._title)}: {escape(phase)} ...")
            self._rows[phase] = self._bars.add_task(escape(f"{self._title}: {phase}"), total=total)
        self._bars.update(self._rows[phase], completed=done, total=total)


@contextmanager
def live(title: str) -> Iterator[LiveProgress]:
    """Bars on standard error while the block runs; nothing of them stays in a redirected output."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not sys.stderr.isatty()) as bars:
        yield LiveProgress(bars, title)


def quiet_libraries() -> None:
    """Nobody who compares models needs to read that a library will rename an argument next year."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else each process warns of how it shares gradients
    warnings.filterwarnings("ignore", module=r"(transformers|torch|huggingface_hub|datasets|accelerate)\b.*")
    logging.getLogger("transformers").setLevel(logging.ERROR)
