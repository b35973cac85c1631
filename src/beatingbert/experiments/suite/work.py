"""One cell of a suite as a job: JSON in, JSON out, in a worker process on this machine or another.

The process keeps the checkpoint and the rows that it has loaded last. Nothing here knows who else runs cells.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from beatingbert.errors import MisalignedError, RunExistsError
from beatingbert.experiments.config import RunConfig
from beatingbert.experiments.kept import Kept
from beatingbert.experiments.planning import plan_cell
from beatingbert.experiments.runner import run
from beatingbert.experiments.suite.flags import from_plain
from beatingbert.experiments.suite.travel import pack
from beatingbert.runs.record import RunRecord
from beatingbert.runs.remote import RemoteStore
from beatingbert.runs.store import RESULTS, read_record

WORK = f"{__name__}:run_job"
KEPT = Kept()


def run_job(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Do one cell and keep it.

    Args:
        payload: as `jobs.jobs_for` writes it: "run", the flags; "id", the cell that they must come to; "url", where its
            folder is copied to, or null; "bring", whether its files are to come back with the result, because nobody
            else can read this machine's disk.

    Returns:
        "state": "done", or "elsewhere" where another process is doing the cell.
        "metrics", "seconds": of a cell that was done here.
        "files": name to base64 of what was written, models apart, where they are to be brought back.

    Raises:
        MisalignedError: the flags come to another cell here, so data, prompts or versions are others.
        BeatingBertError: the cell has failed.
    """
    _quiet()
    config = from_plain(payload["run"])
    cell = plan_cell(config)
    if cell.id != payload["id"]:
        raise MisalignedError(
            f"here these flags come to cell {cell.id} (data {cell.data_revision[:12]}, engine version "
            f"{cell.engine_version}), but the runner wants {payload['id']}; give every machine the same data, prompts "
            "and version of beatingbert"
        )
    if not payload["bring"]:
        return _run(config, payload["url"])
    with tempfile.TemporaryDirectory(prefix="beatingbert-") as scratch:
        folder = Path(scratch) / str(config.run_name)
        told = _run(replace(config, output_dir=folder), payload["url"])
        return told | {"files": pack(folder)}


def _run(config: RunConfig, url: str | None) -> dict[str, Any]:
    folder = Path(str(config.output_dir))
    try:
        record = run(config, kept=KEPT)
    except RunExistsError:
        if not (folder / RESULTS).exists():
            return {"state": "elsewhere"}
        record = read_record(folder / RESULTS)  # done by another runner since this one has planned
    except BaseException:
        KEPT.clear()  # it may have been left half changed
        raise
    if url is not None:
        RemoteStore(url).put(folder)
    return _told(record)


def _told(record: RunRecord) -> dict[str, Any]:
    spent = record.efficiency
    seconds = spent["load_seconds"] + spent["train_seconds"] + spent["throughput"]["seconds"]
    return {"state": "done", "metrics": record.metrics, "seconds": seconds}


def _quiet() -> None:
    """What libraries tell each other is no news of a cell; what matters is in its log."""
    warnings.filterwarnings("ignore", module=r"(transformers|torch|huggingface_hub|datasets|accelerate|peft)\b.*")
    logging.getLogger("transformers").setLevel(logging.ERROR)
