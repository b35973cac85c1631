"""Runs as they travel back from a machine whose disk nobody else can read, or from a store that is a URL.

Models stay where they were trained: what travels is what scores and tables are made of.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

from beatingbert.errors import DamagedRecordError, SettingsError
from beatingbert.experiments.suite.load import SuiteCell
from beatingbert.experiments.suite.stock import take_stock
from beatingbert.runs.remote import STAYS_HERE, RemoteStore
from beatingbert.runs.store import RESULTS


def pack(folder: Path) -> dict[str, str]:
    """The files of a finished run, name within its folder to base64."""
    found = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {
        name.as_posix(): base64.b64encode(path.read_bytes()).decode("ascii")
        for name, path in found.items()
        if name.parts[0] not in STAYS_HERE
    }


def unpack(brought: Mapping[str, str], folder: Path) -> None:
    """Write the files that a worker has sent, results.json last, so that a run that is half there is not done.

    Raises:
        SettingsError: a name that leads out of the folder.
    """
    for name in sorted(brought, key=lambda name: name == RESULTS):
        if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
            raise SettingsError(f"a worker has sent a file named {name!r}, which leads out of its run's folder")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".part")
        beside.write_bytes(base64.b64decode(brought[name], validate=True))
        beside.replace(path)


def pull(cells: Iterable[SuiteCell], url: str, root: Path) -> list[str]:
    """Download what of these cells is done at a URL and not under `root` yet.

    Returns:
        What is wrong with runs there that are damaged; their cells count as not done.

    Raises:
        SettingsError: no URL that can be read.
        UnreachableError: nobody answers.
    """
    store, here = RemoteStore(url), take_stock(root).records
    done, damaged = store.done(), []
    for one in cells:
        if one.id in done and one.id not in here:
            try:
                store.fetch(one.id, root)
            except DamagedRecordError as error:
                damaged.append(str(error))
    return damaged
