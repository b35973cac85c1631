"""Finished runs at a URL: the same for a folder and for a store in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from beatingbert.errors import DamagedRecordError, SettingsError, UnreachableError
from beatingbert.runs.record import RunRecord
from beatingbert.runs.remote import RemoteStore, is_url
from beatingbert.runs.store import RESULTS, RunFolder, find_damage, read_record


@pytest.fixture(params=["memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    yield "memory://bucket/study" if request.param == "memory" else f"file://{tmp_path}/remote/study"
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


@pytest.fixture
def folder(tmp_path: Path, record: RunRecord, outcome: dict[str, Any]) -> Path:
    with RunFolder(tmp_path / "here" / "a_run") as folder:
        (folder.path / "model").mkdir()
        (folder.path / "model" / "model.safetensors").write_bytes(b"large")
        folder.finish(record, **outcome)
    return folder.path


def files_at(url: str) -> set[str]:
    files, root = fsspec.core.url_to_fs(url)
    return {str(path).partition("/study/")[2] for path in files.find(root)}


def test_nothing_is_done_where_nothing_is(url: str) -> None:
    assert RemoteStore(url).done() == set()


def test_a_run_that_was_put_is_done_and_comes_back_as_it_was(
    url: str, folder: Path, record: RunRecord, tmp_path: Path
) -> None:
    RemoteStore(url).put(folder)
    store = RemoteStore(url)
    assert store.done() == {record.cell.id}
    fetched = store.fetch(record.cell.id, tmp_path / "there")
    assert fetched == tmp_path / "there" / record.cell.id
    assert find_damage(fetched) is None
    assert read_record(fetched / RESULTS) == record
    assert (fetched / "predictions.parquet").read_bytes() == (folder / "predictions.parquet").read_bytes()
    assert (fetched / "error_analysis" / "validation" / "errors.csv").exists()
    assert [path.name for path in (tmp_path / "there").iterdir()] == [record.cell.id]


def test_weights_and_locks_stay_here(url: str, folder: Path, record: RunRecord) -> None:
    (folder / ".lease").touch()
    (folder / "half.json.part").touch()
    RemoteStore(url).put(folder)
    names = {name.removeprefix(f"{record.cell.id}/") for name in files_at(url)}
    assert {"results.json", "checksums.sha256", "predictions.parquet", "log.txt"} <= names
    assert not {name for name in names if name.startswith(("model", ".")) or name.endswith(".part")}


class Breaking:
    """A file system that fails when a certain file is written."""

    def __init__(self, files: Any, name: str) -> None:
        self._files = files
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def put_file(self, here: str, there: str) -> None:
        if Path(there).name.startswith(self._name):
            raise OSError("connection lost")
        self._files.put_file(here, there)


@pytest.mark.parametrize("name", ["checksums", "predictions", "results"])
def test_an_upload_that_breaks_off_leaves_nothing_done_and_can_be_repeated(
    url: str, folder: Path, record: RunRecord, name: str
) -> None:
    store = RemoteStore(url)
    whole = store._files
    store._files = Breaking(whole, name)
    with pytest.raises(UnreachableError, match="connection lost"):
        store.put(folder)
    assert store.done() == set()
    store._files = whole
    store.put(folder)
    assert store.done() == {record.cell.id}


def test_what_is_done_there_is_not_overwritten(url: str, folder: Path, record: RunRecord) -> None:
    RemoteStore(url).put(folder)
    store = RemoteStore(url)
    store._files = Breaking(store._files, "")
    store.put(folder)


def test_a_damaged_run_is_not_uploaded(url: str, folder: Path) -> None:
    with (folder / "predictions.parquet").open("ab") as file:
        file.write(b"!")
    with pytest.raises(DamagedRecordError, match="was not uploaded"):
        RemoteStore(url).put(folder)
    assert files_at(url) == set()


def test_what_arrives_damaged_is_not_kept(url: str, folder: Path, record: RunRecord, tmp_path: Path) -> None:
    store = RemoteStore(url)
    store.put(folder)
    store._files.pipe_file(f"{store._root}/{record.cell.id}/predictions.parquet", b"cut")
    with pytest.raises(DamagedRecordError, match=r"predictions\.parquet is not as it was written"):
        store.fetch(record.cell.id, tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []


def test_a_url_is_told_from_a_folder() -> None:
    assert is_url("s3://bucket/x")
    assert not is_url("results/x")


@pytest.mark.parametrize(
    ("url", "told"),
    [("s3://me:secret@host/x", "no password"), ("gibberish://x", "gibberish")],
)
def test_a_url_that_cannot_be_used_is_refused(url: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told) as error:
        RemoteStore(url)
    assert "secret" not in str(error.value)
