"""One run by the words in which a user names it: its folder, or its name under the results folder."""

from __future__ import annotations

from pathlib import Path

from beatingbert.errors import DataError, UnknownNameError
from beatingbert.report.frame import read_sound_record
from beatingbert.runs.record import RunRecord
from beatingbert.runs.store import RESULTS

MOST_NAMED = 20


def find_run(name: str, results_dir: Path) -> RunRecord:
    """The finished run that `name` means.

    Args:
        name: a folder, its `results.json`, or a name: of a folder under `results_dir`, however deep.
        results_dir: where names are looked for.

    Raises:
        UnknownNameError: there is no such run; the message names some that there are.
        DataError: there is, but it cannot be read; or there are several of that name.
    """
    given = Path(name)
    for folder in (given, given.parent, results_dir / name):
        if (folder / RESULTS).is_file() and (folder != given.parent or given.name == RESULTS):
            return _read(folder / RESULTS)
    paths = sorted(results_dir.glob(f"**/{RESULTS}"))
    found = [path for path in paths if path.parent.name == name]
    if len(found) > 1:
        raise DataError(
            f"several runs are named {name!r}: {', '.join(str(one.parent) for one in found)}; name a folder"
        )
    if not found:
        known = [path.parent.relative_to(results_dir).as_posix() for path in paths[:MOST_NAMED]]
        hint = f"Looked under {str(results_dir)!r}; give a folder, or --results_dir."
        raise UnknownNameError("run", name, known or ["none"], hint)
    return _read(found[0])


def _read(path: Path) -> RunRecord:
    try:
        return read_sound_record(path)
    except DataError as error:
        raise DataError(f"{str(path)!r} cannot be shown: {error}") from error
