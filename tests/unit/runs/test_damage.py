"""A record that is not what was written is noticed, set aside and told; a full disk leaves no half of one."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path
from typing import Any

import pytest

from beatingbert.errors import DamagedRecordError
from beatingbert.runs import store
from beatingbert.runs.checksums import CHECKSUMS
from beatingbert.runs.files import write_json
from beatingbert.runs.record import RunRecord
from beatingbert.runs.store import DAMAGED, RESULTS, RunFolder, RunStore, find_damage, read_record

Outcome = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path, record: RunRecord, outcome: Outcome) -> Path:
    with RunFolder(tmp_path / "store" / "a_run") as folder:
        folder.finish(record, **outcome)
    return folder.path


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_sound_run_has_no_damage(folder: Path) -> None:
    assert find_damage(folder) is None
    assert RunStore(folder.parent).quarantine() == {}


def test_the_sums_are_those_that_coreutils_check(folder: Path) -> None:
    done = subprocess.run(["sha256sum", "--check", "--strict", CHECKSUMS], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b": OK") == 5


@pytest.mark.parametrize(
    "file", [RESULTS, "predictions.parquet", "history.json", "prompts/template.txt", "prompts/prompts.jsonl", CHECKSUMS]
)
def test_any_flipped_bit_of_the_evidence_is_noticed(folder: Path, file: str) -> None:
    size = (folder / file).stat().st_size
    for at in {0, size // 3, size // 2, size - 1}:
        flip(folder / file, at)
        assert find_damage(folder) is not None, at
        flip(folder / file, at)
        assert find_damage(folder) is None


@pytest.mark.parametrize("length", [0, 1, 500])
@pytest.mark.parametrize("file", [RESULTS, "predictions.parquet", CHECKSUMS])
def test_a_cut_file_is_noticed(folder: Path, file: str, length: int) -> None:
    with (folder / file).open("r+b") as opened:
        opened.truncate(length if file != CHECKSUMS else min(length, 100))
    assert find_damage(folder) is not None


def test_a_changed_number_is_noticed_when_the_record_is_read(folder: Path) -> None:
    text = (folder / RESULTS).read_text(encoding="utf-8")
    (folder / RESULTS).write_text(text.replace('"features": 12', '"features": 13'), encoding="utf-8")
    with pytest.raises(DamagedRecordError, match=r"results\.json is not as it was written.*run the cell again"):
        read_record(folder / RESULTS)


def test_a_missing_file_is_damage(folder: Path) -> None:
    (folder / "predictions.parquet").unlink()
    assert find_damage(folder) == "predictions.parquet is missing"


def test_what_was_kept_without_sums_is_read_as_before(folder: Path, record: RunRecord) -> None:
    (folder / CHECKSUMS).unlink()
    assert find_damage(folder) is None
    assert read_record(folder / RESULTS) == record


def test_a_damaged_run_is_set_aside_and_can_be_done_again(folder: Path, record: RunRecord, outcome: Outcome) -> None:
    with RunFolder(folder.parent / "sound") as sound:
        sound.finish(record, **outcome)
    flip(folder / "predictions.parquet", 100)
    store = RunStore(folder.parent)
    found = store.quarantine()
    assert list(found) == [folder]
    assert "predictions.parquet is not as it was written" in found[folder]
    assert (folder / DAMAGED).exists()
    assert (folder / "damage.txt").read_text(encoding="utf-8").strip() == found[folder]
    assert [one.folder.name for one in store.records()] == ["sound"]
    assert store.quarantine() == {}
    with RunFolder(folder) as again:
        again.finish(record, **outcome)
    assert find_damage(folder) is None
    assert len(list(store.records())) == 2


class FullDisk:
    """Lets this many bytes of text through, then there is no space left."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.room = room
        self._write = Path.write_text
        monkeypatch.setattr(Path, "write_text", lambda path, text, **how: self.write(path, text, **how))

    def write(self, path: Path, text: str, **how: Any) -> int:
        fits = text[: self.room]
        self.room -= len(fits)
        self._write(path, fits, **how)
        if len(fits) < len(text):
            raise OSError(errno.ENOSPC, "No space left on device")
        return len(text)


@pytest.mark.parametrize("room", [0, 10, 60, 150, 700, 1500])
def test_a_full_disk_leaves_no_half_record(
    tmp_path: Path, record: RunRecord, outcome: Outcome, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    with monkeypatch.context() as patch:
        FullDisk(patch, room)
        with pytest.raises(OSError, match="No space left"), RunFolder(tmp_path / "run") as folder:
            folder.finish(record, **outcome)
    assert not (tmp_path / "run" / RESULTS).exists()
    assert not list(tmp_path.rglob("*.part"))
    with RunFolder(tmp_path / "run") as folder:
        folder.finish(record, **outcome)
    assert find_damage(tmp_path / "run") is None


def test_what_stood_there_before_survives_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(tmp_path / "x.json", {"old": 1})
    FullDisk(monkeypatch, 3)
    with pytest.raises(OSError, match="No space left"):
        write_json(tmp_path / "x.json", {"new": 2})
    assert (tmp_path / "x.json").read_text(encoding="utf-8") == '{\n  "old": 1\n}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_a_run_that_another_finished_meanwhile_is_not_done_again(
    tmp_path: Path, record: RunRecord, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Meanwhile(store.Lease):
        def acquire(self, *, patient: bool = True) -> bool:
            if not (tmp_path / "run" / RESULTS).exists():
                write_json(tmp_path / "run" / RESULTS, {})
            return super().acquire(patient=patient)

    monkeypatch.setattr(store, "Lease", Meanwhile)
    with pytest.raises(store.RunExistsError, match="already holds a finished run"), RunFolder(tmp_path / "run"):
        pass
    assert [path.name for path in (tmp_path / "run").iterdir()] == [RESULTS]
