"""A model behind a server does not tell what it takes; every table says so, and nobody else may leave it out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from beatingbert.report.fields import find_fields
from beatingbert.report.frame import read_frame
from beatingbert.report.leaderboard import standings
from beatingbert.report.machines import machine_of
from beatingbert.report.prices import read_prices
from beatingbert.report.tables import efficiency_table
from beatingbert.report.text import many, storage, whole
from beatingbert.report.unknown import known_median, peak_mib
from beatingbert.runs.record import RunRecord

MakeRun = Callable[..., RunRecord]
GOOD = [True] * 9 + [False]
URL = "http://127.0.0.1:8000/v1"


def efficiency(**changes: Any) -> dict[str, Any]:
    memory = {"process_mib": None, "device_mib": None, "method": "unknown", "reason": "behind a server"}
    usual = {
        "latency": {"p50_ms": 1.25, "p95_ms": 20.0, "n": 50, "warmup": 3},
        "throughput": {"questions_per_second": 1234.5, "n": 10, "seconds": 0.01},
        "memory": {"fit": memory, "answer": memory},
        "load_seconds": 0.5,
        "train_seconds": 0.0,
        "parameters": None,
        "disk_bytes": None,
        "device": "server",
        "precision": "unknown",
    }
    return usual | changes


def serve(make_run: MakeRun, name: str, **about: Any) -> RunRecord:
    settings = {"model": f"openai/{name}", "base_url": URL, "shots": 2, "answer_by": "auto"}
    asked: dict[str, Any] = {"engine": "served", "settings": settings}
    return make_run(
        name,
        GOOD,
        **{
            "cell": asked,
            "checkpoint": {"reference": f"openai/{name}", "kind": "served"},
            "efficiency": efficiency(),
            "notes": {"answer_by": "generation"},
            **about,
        },
    )


def test_a_served_run_is_read_and_its_unknowns_are_dashes(make_run: MakeRun, runs_dir: Path) -> None:
    serve(make_run, "remote")
    frame = read_frame(runs_dir)
    assert frame.skipped == ()
    (one,) = standings(frame.records)
    assert (one.cells()["how"], one.cells()["MiB"]) == ("2-shot, served", "-")
    table = efficiency_table(find_fields(frame), read_prices())
    (row,) = [line for line in table.splitlines() if line.startswith("| remote")]
    assert [cell.strip() for cell in row.split("|")].count("-") >= 4  # memory, parameters, disk, training


def test_an_optimized_prompt_for_a_served_model_is_read_as_one(make_run: MakeRun, runs_dir: Path) -> None:
    here = {"machine": {"cpu": "Some CPU", "logical_cores": 4, "cpu_quota_cores": None, "gpus": []}}
    cell = {"engine": "optimized", "settings": {"optimizer": "gepa", "base_url": URL}}
    record = serve(make_run, "remote", cell=cell, environment=here)
    assert read_frame(runs_dir).skipped == ()
    assert URL in machine_of(record)


def test_what_is_known_of_some_is_not_lost_for_others(make_run: MakeRun, runs_dir: Path) -> None:
    serve(make_run, "remote", efficiency=efficiency(parameters=494_000_000, disk_bytes=352_000_000))
    table = efficiency_table(find_fields(read_frame(runs_dir)), read_prices())
    assert "494 M" in table
    assert "352 MB" in table


def test_no_other_engine_may_leave_them_out(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("local", GOOD, efficiency=efficiency(device="cpu"))
    (skipped,) = read_frame(runs_dir).skipped
    assert "damaged" in skipped.reason


def test_times_of_a_server_are_not_those_of_the_machine_that_asks(make_run: MakeRun) -> None:
    here = {"machine": {"cpu": "Some CPU", "logical_cores": 4, "cpu_quota_cores": None, "gpus": []}}
    remote, local = serve(make_run, "remote", environment=here), make_run("local", GOOD, environment=here)
    assert URL in machine_of(remote)
    assert machine_of(local) == "Some CPU, 4 cores"


def test_unknown_is_never_zero() -> None:
    assert (many(None), storage(None), whole(None)) == ("-", "-", "-")
    assert (whole(0), whole(1234.4)) == ("0", "1,234")
    assert known_median([]) is None
    assert known_median([None, None]) is None
    assert known_median([None, 4.0, 2.0]) == 3.0
    assert peak_mib({"memory": {"answer": {"process_mib": 5.0, "device_mib": None}}}) == 5.0
    assert peak_mib({"memory": {"answer": {"process_mib": 5.0, "device_mib": 9.0}}}) == 9.0
    assert peak_mib(efficiency()) is None
