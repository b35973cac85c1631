"""Whether a finished run's files are still what was written: SHA-256 sums, as `sha256sum --check` reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

CHECKSUMS = "checksums.sha256"


def write_checksums(folder: Path, files: Mapping[str, Path]) -> None:
    """Keep the sums of a run's evidence.

    Args:
        folder: the run's.
        files: the name of each file within the folder, to where it lies now.
    """
    lines = [f"{sha256_of(path)}  {name}\n" for name, path in files.items()]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def find_changed(folder: Path, only: str | None = None) -> str | None:
    """Which file is not as it was written, told in a few words; None where all are, or where no sums were kept.

    Args:
        folder: the run's.
        only: look at this file alone.
    """
    try:
        *lines, rest = (folder / CHECKSUMS).read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return None  # a run of an earlier version
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines) if name}
    if rest or len(sums) != len(lines) or only not in (None, *sums):
        return f"{CHECKSUMS} cannot be read"
    for name, digest in sums.items():
        if only not in (None, name):
            continue
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if sha256_of(path) != digest:
            return f"{name} is not as it was written (its SHA-256 has changed)"
    return None


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
