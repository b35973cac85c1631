"""Suite files as texts, and an executor that does its jobs here and now."""

from __future__ import annotations

import os
import textwrap
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from beatingbert.errors import SuiteError
from beatingbert.execution.protocol import Event, Failed, Finished, Job, Started
from beatingbert.execution.work import load_work
from beatingbert.experiments.suite.load import Suite, load_suite


class Inline:
    """An executor without processes: what it is told to do is done before `run` returns."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def run(self, jobs: Sequence[Job], work: str, *, on_event: Callable[[Event], None]) -> None:
        for job in jobs:
            self.jobs.append(job)
            on_event(Started(job, "here"))
            try:
                result = load_work(work)(job.payload)
            except Exception as error:
                on_event(Failed(job, "".join(traceback.format_exception(error)), 1, will_retry=False))
            else:
                on_event(Finished(job, result))


@pytest.fixture
def inline() -> Inline:
    return Inline()


@pytest.fixture
def write_suite(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "mine.yaml"
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    return write


@pytest.fixture
def load(write_suite: Callable[[str], Path], data_dir: Path) -> Callable[..., Suite]:
    """load("grid: ...") is that suite on the small tasks."""

    def load_text(text: str, **instead: Any) -> Suite:
        return load_suite(write_suite(text), {"data_dir": data_dir, **instead})

    return load_text


@pytest.fixture
def complaints(load: Callable[..., Suite], tmp_path: Path) -> Callable[[str], list[str]]:
    """complaints("grid: ...") is what is wrong with it, a line each, without the file's name."""

    def complain(text: str) -> list[str]:
        with pytest.raises(SuiteError) as raised:
            load(text)
        told = str(raised.value)
        start = f"{tmp_path / 'mine.yaml'}: "
        assert told.startswith(start)
        return told.removeprefix(start).split("\n  ")

    return complain


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from beatingbert.experiments.kept import Kept

    monkeypatch.setattr("beatingbert.experiments.suite.work.KEPT", Kept())
    assert "BEATINGBERT_DATA" not in os.environ
