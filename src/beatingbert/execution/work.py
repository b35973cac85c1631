"""Finding and doing the work that jobs name, and whether jobs are fit to be run at all."""

from __future__ import annotations

import json
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from beatingbert.errors import SettingsError, UsageError
from beatingbert.execution.protocol import Job

Work = Callable[[Mapping[str, Any]], Any]


def load_work(work: str) -> Work:
    """The function that "module:function" names; imports its module."""
    module, _, function = work.partition(":")
    found: Work = getattr(import_module(module), function)
    return found


def answer(work: str, payload: Any) -> str:
    """What comes of one job, as one line of JSON: `{"result": ...}` or `{"error": ..., "final": ...}`."""
    try:
        return json.dumps({"result": load_work(work)(payload)}, allow_nan=False)
    except BaseException as error:  # also SystemExit: the worker has other jobs to do
        text = "".join(traceback.format_exception(error))
        return json.dumps({"error": text, "final": isinstance(error, UsageError)})


def require_runnable(jobs: Sequence[Job], work: str) -> None:
    """See that nothing speaks against starting; imports no work.

    Raises:
        SettingsError: a payload that is no plain JSON, two jobs of one id, or a work that no module can hold.
    """
    module, _, function = work.partition(":")
    if not (module and function.isidentifier() and _exists(module)):
        raise SettingsError(f"work {work!r} names no function; write it as 'module:function'")
    twice = [job for job, count in Counter(job.id for job in jobs).items() if count > 1]
    if twice:
        raise SettingsError(f"job id {twice[0]!r} is there {Counter(job.id for job in jobs)[twice[0]]} times, not once")
    for job in jobs:
        if job.timeout_s is not None and job.timeout_s <= 0:
            raise SettingsError(f"job {job.name!r}: timeout_s must be above 0, got {job.timeout_s}")
        try:
            back = json.loads(json.dumps(job.payload, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise SettingsError(f"job {job.name!r}: its payload is no plain JSON: {error}") from error
        if back != job.payload:  # e.g. a tuple, or a number as a key: they would arrive as something else
            raise SettingsError(f"job {job.name!r}: its payload is no plain JSON: it would arrive as {back!r}")


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
