"""What makes a folder a checkpoint: config.json, a tokenizer and whole safetensors files.

Reads names, headers and bytes; loads no model.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from beatingbert.errors import CheckpointError
from beatingbert.wheels import sha256_of

INDEX_NAME = "model.safetensors.index.json"
TOKENIZER_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "tokenizer.model", "spm.model")
MODEL_FILES = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "chat_template.*",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    *TOKENIZER_VOCABULARIES,
)
"""The only files that are ever fetched or unpacked: nothing in them is code, except templates that run in a sandbox."""


def require_checkpoint(folder: Path, reference: str) -> tuple[Path, ...]:
    """The weight files of a folder that has all a checkpoint needs, sorted by name.

    Raises:
        CheckpointError: something is missing, pickled or cut short; the message says what and what to do.
    """
    missing = missing_parts(folder)
    if missing:
        raise CheckpointError(f"{reference!r} is not a usable checkpoint: {folder} {'; '.join(missing)}")
    files = weight_files(folder)
    for file in files:
        if not is_whole(file):
            raise CheckpointError(
                f"{reference!r}: {file} is damaged, its size does not fit its header (an interrupted copy or "
                "download?). Copy or download it again"
            )
    return files


def copy_checkpoint(source: Path, target: Path, *, link: bool) -> None:
    """Copy a folder's `MODEL_FILES`, and nothing else that may lie there.

    Args:
        source: the checkpoint's folder.
        target: to be made.
        link: give the files a second name instead where the file system can do that; for files that nobody writes to
            any more.
    """
    target.mkdir(parents=True)
    for file in sorted({file for pattern in MODEL_FILES for file in source.glob(pattern)}):
        if not (link and _is_linked(file, target / file.name)):
            shutil.copyfile(file, target / file.name)


def _is_linked(file: Path, second_name: Path) -> bool:
    """Give the file a second name; False where the file system cannot."""
    try:
        os.link(file, second_name)
    except OSError:
        return False
    return True


def missing_parts(folder: Path) -> list[str]:
    """What a folder lacks to be a checkpoint, in words; empty if it lacks nothing."""
    missing = []
    if not (folder / "config.json").is_file():
        adapter = (folder / "adapter_config.json").is_file()
        missing.append(
            "holds an adapter, name the model it was trained on instead" if adapter else "has no config.json"
        )
    if not weight_files(folder):
        pickled = next((name for name in ("*.bin", "*.pt", "*.pth", "*.ckpt") if any(folder.glob(name))), None)
        missing.append(
            "has its weights only as a pickle, which can run code when it is opened and is refused. Convert it "
            "where you trust it: AutoModel.from_pretrained(folder).save_pretrained(new_folder) writes safetensors"
            if pickled
            else "has no *.safetensors file"
        )
    missing += [
        f"lacks {name}, which its index lists" for name in _listed_shards(folder) if not (folder / name).is_file()
    ]
    if not any((folder / name).is_file() for name in (*TOKENIZER_VOCABULARIES, "sentencepiece.bpe.model")):
        missing.append(
            "has no tokenizer (tokenizer.json or a vocabulary); save it there with tokenizer.save_pretrained"
        )
    return missing


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The safetensors files directly inside a folder, sorted by name; only those the index lists where there is one."""
    listed = _listed_shards(folder)
    return tuple(sorted(file for file in folder.glob("*.safetensors") if not listed or file.name in listed))


def weights_sha256(hashes: Mapping[str, str]) -> str:
    """One hash over file name -> SHA-256; the same as `sha256sum *.safetensors | sha256sum` prints in the C locale."""
    return hashlib.sha256("".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes)).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, computed once per process as long as its size and time of change stay the same."""
    status = path.stat()
    return _file_sha256(path, status.st_size, status.st_mtime_ns)


def is_whole(file: Path) -> bool:
    """Whether a safetensors file is as long as its own header says; catches a cut file without reading it."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        header_bytes = int.from_bytes(stream.read(8), "little")
        if not 2 <= header_bytes <= size - 8:
            return False
        try:
            header: dict[str, Any] = json.loads(stream.read(header_bytes))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, LookupError, TypeError, AttributeError):
            return False
    return 8 + header_bytes + max(ends, default=0) == size


def _listed_shards(folder: Path) -> tuple[str, ...]:
    """File names in the folder's index, () where the weights are one file."""
    index = folder / INDEX_NAME
    if not index.is_file():
        return ()
    try:
        # An index that points outside of its folder is not followed.
        return tuple(sorted({Path(name).name for name in json.loads(index.read_text("utf-8"))["weight_map"].values()}))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise CheckpointError(
            f"{index} is damaged: expected JSON with a weight_map. Copy or download it again"
        ) from None


@cache
def _file_sha256(path: Path, size_bytes: int, changed_ns: int) -> str:
    return sha256_of(path)
