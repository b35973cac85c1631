from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beatingbert.errors import DataError
from beatingbert.report.prices import SHIPPED, read_prices
from beatingbert.runs.record import RunRecord

MakeRun = Callable[..., RunRecord]
SERVED = {"reference": "openai/small-one", "kind": "served"}
FILE = """
currency = "EUR"
[cpu]
per_core_hour = 0.05
[[gpu]]
name = "L4"
per_gpu_hour = 0.72
[[served]]
model = "small-one"
per_million_input_tokens = 0.5
per_million_output_tokens = 2
"""


@pytest.fixture
def price_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(FILE, encoding="utf-8")
    return path


def ran(make_run: MakeRun, per_second: float, device: str, **machine: Any) -> RunRecord:
    """A run of this throughput on such a machine."""
    record = make_run("timed", [True, False])
    efficiency = {**record.efficiency, "device": device, "throughput": {"questions_per_second": per_second, "n": 2}}
    return make_run("a", [True, False], efficiency=efficiency, environment={"machine": machine})


def test_a_machine_costs_its_time_at_the_measured_throughput(make_run: MakeRun, price_file: Path) -> None:
    cost = read_prices(price_file).cost(ran(make_run, 100, "cpu", logical_cores=4, cpu_quota_cores=None))
    assert cost.per_million == pytest.approx(10_000 / 3600 * 4 * 0.05)  # 10,000 seconds of four cores
    assert cost.basis == "4 cores"


def test_a_container_pays_for_its_share_of_the_cores(make_run: MakeRun, price_file: Path) -> None:
    cost = read_prices(price_file).cost(ran(make_run, 100, "cpu", logical_cores=64, cpu_quota_cores=1.0))
    assert cost.basis == "1 core"


def test_a_machine_with_gpus_costs_all_of_them(make_run: MakeRun, price_file: Path) -> None:
    record = ran(make_run, 200, "cuda", logical_cores=8, gpus=[{"name": "NVIDIA L4", "memory_mib": 1}] * 2)
    cost = read_prices(price_file).cost(record)
    assert cost.per_million == pytest.approx(5_000 / 3600 * 2 * 0.72)
    assert cost.basis == "2 x L4"


@pytest.mark.parametrize("name", ["NVIDIA L40S", "NVIDIA XL4", "GeForce"])
def test_a_gpu_whose_name_only_looks_alike_has_no_price_and_that_is_told(
    make_run: MakeRun, price_file: Path, name: str
) -> None:
    cost = read_prices(price_file).cost(ran(make_run, 200, "cuda", gpus=[{"name": name, "memory_mib": 1}]))
    assert (cost.per_million, cost.basis) == (None, f"no price for GPU '{name}': add [[gpu]] to the price file")


@pytest.mark.parametrize(("device", "told"), [("cpu", "how many cores"), ("cuda:0", "does not name its GPU")])
def test_a_record_that_names_no_machine_has_no_cost(
    make_run: MakeRun, price_file: Path, device: str, told: str
) -> None:
    cost = read_prices(price_file).cost(ran(make_run, 200, device))
    assert cost.per_million is None
    assert told in cost.basis


@pytest.mark.parametrize("engine", ["served", "optimized"])
def test_a_served_model_costs_its_tokens(make_run: MakeRun, price_file: Path, engine: str) -> None:
    usage = {"input_tokens": 8000, "output_tokens": 200, "answers": 100}
    record = make_run(
        "a", [True, False], model="small-one", cell={"engine": engine}, checkpoint=SERVED, notes={"usage": usage}
    )
    # 80 tokens read and 2 written per answer, a million times.
    assert read_prices(price_file).cost(record).per_million == pytest.approx(80 * 0.5 + 2 * 2)


@pytest.mark.parametrize("engine", ["served", "optimized"])
@pytest.mark.parametrize(
    ("about", "told"),
    [
        ({"model": "other"}, "no price for served model 'other'"),
        ({"model": "small-one"}, "how many tokens"),
        ({"model": "small-one", "notes": {"usage": {"input_tokens": 3, "output_tokens": 1, "answers": 0}}}, "tokens"),
    ],
)
def test_a_served_model_without_price_or_count_never_costs_the_askers_machine(
    make_run: MakeRun, price_file: Path, engine: str, about: dict[str, Any], told: str
) -> None:
    cost = read_prices(price_file).cost(
        make_run("a", [True, False], cell={"engine": engine}, checkpoint=SERVED, **about)
    )
    assert cost.per_million is None
    assert told in cost.basis


def test_the_shipped_file_has_prices_for_every_kind_and_says_that_it_was_used() -> None:
    prices = read_prices()
    assert prices.source == SHIPPED
    assert prices.per_core_hour
    assert prices.gpus
    assert prices.served


def test_a_file_of_ones_own_is_named(price_file: Path) -> None:
    prices = read_prices(price_file)
    assert (prices.source, prices.currency) == (str(price_file), "EUR")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[cpu", "cannot be read"),
        ("[tpu]\nper_hour = 1", "unknown entry 'tpu'"),
        ("[cpu]\nper_hour = 1", "exactly per_core_hour"),
        ("[cpu]\nper_core_hour = -1", "0 or more"),
        ("[cpu]\nper_core_hour = nan", "0 or more"),
        ("[cpu]\nper_core_hour = inf", "0 or more"),
        ('[cpu]\nper_core_hour = "1"', "0 or more"),
        ("[cpu]\nper_core_hour = true", "0 or more"),
        ('[gpu]\nname = "L4"\nper_gpu_hour = 1', r"\[\[gpu\]\]"),
        ('[[gpu]]\nname = ""\nper_gpu_hour = 1', "a text"),
    ],
)
def test_a_price_file_that_is_none_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=told):
        read_prices(path)


def test_a_price_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.toml"):
        read_prices(tmp_path / "gone.toml")
