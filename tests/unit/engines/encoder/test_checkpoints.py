from __future__ import annotations

from pathlib import Path

import pytest

from beatingbert.engines.encoder.checkpoints import (
    drop_broken_checkpoints,
    last_checkpoint,
    read_attempts,
    read_ended,
    write_whole,
)


def checkpoint(scratch: Path, step: int, *, state: str | None = "{}", processes: int = 1) -> Path:
    folder = scratch / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    for rank in range(processes):
        name = "rng_state.pth" if processes == 1 else f"rng_state_{rank}.pth"
        (folder / name).touch()
    if state is not None:
        (folder / "trainer_state.json").write_text(state)
    return folder


def test_the_newest_checkpoint_counts_by_its_number(tmp_path: Path) -> None:
    newest = checkpoint(tmp_path, 100)
    checkpoint(tmp_path, 20)
    checkpoint(tmp_path, 9)
    assert last_checkpoint(tmp_path) == newest


@pytest.mark.parametrize("state", [None, "", '{"global_step": 1'])
def test_a_checkpoint_that_was_cut_short_is_passed_over_and_removed(tmp_path: Path, state: str | None) -> None:
    whole = checkpoint(tmp_path, 8)
    broken = checkpoint(tmp_path, 16, state=state)
    assert last_checkpoint(tmp_path) == whole
    drop_broken_checkpoints(tmp_path, whole)
    assert whole.is_dir()
    assert not broken.exists()


def test_every_process_must_have_kept_its_random_state(tmp_path: Path) -> None:
    both = checkpoint(tmp_path, 8, processes=2)
    checkpoint(tmp_path, 16, processes=1)
    assert last_checkpoint(tmp_path, processes=2) == both
    assert last_checkpoint(tmp_path, processes=3) is None


def test_nothing_kept_is_nothing_found(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "trainer") is None
    assert read_attempts(tmp_path) == []
    assert read_ended(tmp_path) is None


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_whole(tmp_path / "attempts.json", [{"seed": 99, "collapsed": True}])
    write_whole(tmp_path / "training.json", {"history": []})
    assert read_attempts(tmp_path) == [{"seed": 99, "collapsed": True}]
    assert read_ended(tmp_path) == {"history": []}
    assert [path.name for path in tmp_path.glob("*.part")] == []
