"""DSPy within one run: its cache and its chatter lie in the run's folder, and its global settings are put back."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path

import dspy
import tqdm  # type: ignore[import-untyped]

LOGGERS = ("dspy", "gepa", "optuna")


@contextmanager
def shut_in(folder: Path) -> Iterator[None]:
    """Within it nothing that DSPy and its optimisers do is seen outside the folder.

    The cache there takes back plain data only: DSPy's is made of pickles, and an unrestricted one runs what it is
    given. Prices and sizes of models are not looked up on the network.
    """
    folder.mkdir(parents=True, exist_ok=True)
    variables = {"DSPY_CACHEDIR": str(folder / "cache"), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        with ExitStack() as stack:
            said = stack.enter_context((folder / "log.txt").open("a", encoding="utf-8"))
            stack.enter_context(redirect_stdout(said))
            stack.enter_context(_own_cache(folder / "cache"))
            stack.enter_context(_own_logs(logging.StreamHandler(said)))
            stack.enter_context(_no_bars())
            yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def _own_cache(folder: Path) -> Iterator[None]:
    there = vars(dspy).get("cache")
    dspy.configure_cache(disk_cache_dir=str(folder), restrict_pickle=True)
    own = dspy.cache
    try:
        yield
    finally:
        own.disk_cache.close()
        vars(dspy).pop("cache", None)
        if there is not None:
            dspy.cache = there


@contextmanager
def _own_logs(handler: logging.Handler) -> Iterator[None]:
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(one.handlers[:], one.propagate, one.level) for one in loggers]
    for one in loggers:
        one.handlers, one.propagate = [handler], False
        one.setLevel(logging.INFO)
    try:
        yield
    finally:
        for one, (handlers, propagate, level) in zip(loggers, before, strict=True):
            one.handlers, one.propagate = handlers, propagate
            one.setLevel(level)


@contextmanager
def _no_bars() -> Iterator[None]:
    """DSPy offers no switch for the bars of its bootstrapping."""
    begin = tqdm.tqdm.__init__

    def quietly(bar: tqdm.tqdm, *args: object, **kwargs: object) -> None:
        begin(bar, *args, **(kwargs | {"disable": True}))

    tqdm.tqdm.__init__ = quietly
    try:
        yield
    finally:
        tqdm.tqdm.__init__ = begin
