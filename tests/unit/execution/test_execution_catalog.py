import subprocess
import sys

import pytest

from beatingbert.errors import NotAvailableError, SettingsError, UnknownNameError
from beatingbert.execution import catalog
from beatingbert.execution.catalog import EXECUTORS, build_executor
from beatingbert.execution.protocol import Job


def test_an_unknown_executor_is_told_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"executor 'slurm'.*processes, ray, serial"):
        build_executor("slurm")


@pytest.mark.parametrize("name", EXECUTORS)
@pytest.mark.parametrize(("what", "value"), [("workers", 0), ("retries", -1), ("threads", 0)])
def test_a_number_out_of_range_is_refused(name: str, what: str, value: int) -> None:
    with pytest.raises(SettingsError, match=f"{what} must be at least"):
        build_executor(name, **{what: value})  # type: ignore[arg-type]


def test_serial_has_one_worker() -> None:
    with pytest.raises(SettingsError, match="one worker, got 2; did you mean --executor processes"):
        build_executor("serial", workers=2)
    build_executor("serial", workers=1)


def test_only_a_cluster_has_an_address() -> None:
    with pytest.raises(SettingsError, match="did you mean --executor ray"):
        build_executor("processes", address="auto")


def test_without_ray_its_executor_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "find_spec", lambda name: None)
    with pytest.raises(NotAvailableError, match=r"pip install 'beatingbert\[ray\]'"):
        build_executor("ray")


def test_a_job_that_needs_more_gpus_than_a_worker_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    job = Job(id="a", name="a large one", payload={}, gpus=2)
    with pytest.raises(SettingsError, match="'a large one' needs 2 GPUs, but each of 2 workers has 1"):
        build_executor("processes", workers=2).run([job], "odd_jobs:obey", on_event=lambda _: None)


def test_the_catalog_loads_neither_ray_nor_a_site() -> None:
    look = "import sys, beatingbert.execution.catalog\nprint([n for n in sys.modules if n == 'ray' or 'cluster' in n])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
