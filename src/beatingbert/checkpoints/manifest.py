"""The list of what an installed checkpoint consists of: written last, so that a folder with one is complete.

Knows files, sizes and hashes, not where they came from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from beatingbert.checkpoints.weights import file_sha256

MANIFEST_NAME = "manifest.json"
LAYOUT = 1  # raised when what an installed folder must contain changes; older folders are then installed afresh


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What was installed.

    Attributes:
        reference: what the user asked for at that time.
        source_sha256: of the weights before conversion, which is also what the folder is named after.
        transformers: version that converted the weights, '' if they were only unpacked.
        files: name -> {"bytes": size, "sha256": hash}.
        layout: see `LAYOUT`.
    """

    reference: str
    source_sha256: str
    transformers: str
    files: Mapping[str, Mapping[str, Any]]
    layout: int = LAYOUT


def write_manifest(folder: Path, *, reference: str, source_sha256: str, transformers: str) -> Manifest:
    """Hash every file of a folder and write its manifest beside them."""
    files = {
        file.name: {"bytes": file.stat().st_size, "sha256": file_sha256(file)}
        for file in sorted(folder.iterdir())
        if file.is_file() and file.name != MANIFEST_NAME
    }
    manifest = Manifest(reference=reference, source_sha256=source_sha256, transformers=transformers, files=files)
    (folder / MANIFEST_NAME).write_text(json.dumps(asdict(manifest), indent=2) + "\n", encoding="utf-8")
    return manifest


def is_installed(folder: Path, source_sha256: str) -> bool:
    """The cheap check: a manifest of that source, and every file of the size it states. A few system calls."""
    manifest = _read(folder)
    if manifest is None or manifest.source_sha256 != source_sha256:
        return False
    try:
        return all((folder / name).stat().st_size == facts["bytes"] for name, facts in manifest.files.items())
    except (OSError, LookupError, TypeError):
        return False


def is_intact(folder: Path, source_sha256: str) -> bool:
    """The full check: the cheap one, and every hash. About a second per gigabyte, once per process."""
    manifest = _read(folder) if is_installed(folder, source_sha256) else None
    if manifest is None:
        return False
    try:
        return all(file_sha256(folder / name) == facts["sha256"] for name, facts in manifest.files.items())
    except (OSError, LookupError):
        return False


def _read(folder: Path) -> Manifest | None:
    """The manifest of a folder, None if there is none, it is damaged or of another layout."""
    try:
        manifest = Manifest(**json.loads((folder / MANIFEST_NAME).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    is_ours = manifest.layout == LAYOUT and isinstance(manifest.files, dict) and bool(manifest.files)
    return manifest if is_ours else None
