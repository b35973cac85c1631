"""Whether this process trains with others, told by the launcher's environment; torch comes in only if it does.

`torchrun` and `accelerate launch` set RANK and WORLD_SIZE. The process of rank 0 alone has a run's folder, prints and
scores; the others take part in the training and then wait for its record.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from beatingbert.errors import SettingsError, TrainingError
from beatingbert.experiments.config import RunConfig
from beatingbert.runs.store import RESULTS

LOOK_EVERY_SECONDS = 0.2


def size() -> int:
    """How many processes the launcher has started."""
    return int(os.environ.get("WORLD_SIZE") or 1)


def is_main() -> bool:
    """Whether this process keeps, prints and scores."""
    return size() == 1 or int(os.environ.get("RANK") or 0) == 0


def require_training(config: RunConfig) -> None:
    """Refuse a run that several processes cannot do together.

    Raises:
        SettingsError: it would be done once per process.
    """
    if not (config.trains_in_company and config.needs_train):
        raise SettingsError(
            f"{size()} processes were launched (WORLD_SIZE), but only the training of an encoder can be shared; start "
            "this run as one process"
        )


def join() -> None:
    """Meet the other processes."""
    from beatingbert.engines.encoder import company

    company.join()


def tell(folder: Path) -> None:
    """Tell the others where the run is kept; they must be able to see that folder."""
    if size() > 1:
        from beatingbert.engines.encoder import company

        company.tell(str(folder.resolve()))


def hear() -> Path:
    """Where the main process keeps the run."""
    from beatingbert.engines.encoder import company

    return Path(company.tell(None))


def await_results(folder: Path) -> Path:
    """The record's file, once the main process has written it.

    Raises:
        TrainingError: the main process has failed.
    """
    while not (folder / RESULTS).exists():
        if (folder / "error.txt").exists() or not folder.exists():
            raise TrainingError(f"the main process has failed; its folder {str(folder)!r} tells how")
        time.sleep(LOOK_EVERY_SECONDS)
    return folder / RESULTS
