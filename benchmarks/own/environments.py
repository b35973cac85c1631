"""Virtual environments for peers whose libraries do not go with ours: made on demand under the user's cache.

An environment counts once its `ready.json` is there, which is written last, and as long as it names what is asked for
now; what an interrupted installation has left is taken away and made anew. Nothing of them comes into the project.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from filelock import FileLock

from beatingbert.errors import MissingExtraError
from beatingbert.runs.files import write_json
from beatingbert.wheels import cache_dir

READY = "ready.json"
LATEST = 400  # characters of what pip said
LIMIT_SECONDS = 3600
Tell = Callable[[str], None]

# torch 2.13.0 is what we use ourselves; its CPU build will do, and no peer asks for another version. Left to itself pip
# may take a build with several gigabytes of CUDA.
PACKAGES: Mapping[str, tuple[str, ...]] = {
    "setfit-1.2.0": (
        "setfit==1.2.0",
        "sentence-transformers==6.2.0",
        "transformers==5.24.0",
        "scikit-learn==1.9.1",
        "torch==2.13.0",
    ),
    # AutoGluon 1.6.3 wants transformers below 5.15, pandas below 2.4 and pyarrow below 25: hence an environment of its
    # own. The models behind a hub ("all", "tabpfn", ...) are left out.
    "autogluon-1.6.3": (
        "autogluon.tabular[lightgbm,catboost,xgboost,fastai]==1.6.3",
        "autogluon.multimodal==1.6.3",
        "torch==2.13.0",
        "torchvision==0.28.0",
    ),
}


def folder_of(name: str) -> Path:
    """Where an environment lies, whether it does or not."""
    return cache_dir() / "peers" / name


def install(name: str, tell: Tell) -> Path:
    """Make an environment unless it is there; returns its Python.

    Args:
        name: a key of `PACKAGES`, or "" for ours, which needs nothing.
        tell: hears that something is being fetched.

    Raises:
        MissingExtraError: it cannot be made here; the message has pip's last words and the command.
    """
    if not name:
        return Path(sys.executable)
    folder = folder_of(name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{name}.lock")):
        if not _is_ready(name, folder):
            tell(f"installing {', '.join(PACKAGES[name])} into {folder}, once; gigabytes, and some minutes")
            _make(name, folder)
    return _python(folder)


def _make(name: str, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    command = [str(_python(folder)), "-m", "pip", "install", "--disable-pip-version-check", *PACKAGES[name]]
    _run([sys.executable, "-m", "venv", str(folder)], name, command)
    _run(command, name, command)
    listed = _run([*command[:3], "list", "--format", "json", "--disable-pip-version-check"], name, command)
    installed = {one["name"]: one["version"] for one in json.loads(listed)}
    write_json(folder / READY, {"asked": list(PACKAGES[name]), "installed": installed})


def _is_ready(name: str, folder: Path) -> bool:
    file = folder / READY
    return file.is_file() and json.loads(file.read_text(encoding="utf-8")).get("asked") == list(PACKAGES[name])


def _run(command: list[str], name: str, shown: list[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=LIMIT_SECONDS
        )
        said = done.stderr.strip() or done.stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        said, done = str(error), None
    if done is None or done.returncode != 0:
        raise MissingExtraError(
            f"{name} could not be installed here: {said[-LATEST:] or 'no reason given'}. By hand: {' '.join(shown)}"
        )
    return done.stdout


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
