"""Who else is told how a training goes: TensorBoard, Weights & Biases or MLflow, each only if asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from beatingbert.errors import SettingsError

PACKAGES = {"tensorboard": ("tensorboard", "tensorboardX"), "wandb": ("wandb",), "mlflow": ("mlflow",)}
"""Packages any one of which will do; the first is the one to install."""


def require_reporter(report_to: str) -> None:
    """Refuse a reporter whose package is not here, before anything has been trained.

    Raises:
        SettingsError: an unknown reporter, or a package to install first.
    """
    if report_to == "none":
        return
    if report_to not in PACKAGES:
        raise SettingsError(f"--report_to must be one of none, {', '.join(PACKAGES)}, got {report_to!r}")
    if not any(find_spec(package) for package in PACKAGES[report_to]):
        package = PACKAGES[report_to][0]
        raise SettingsError(
            f"--report_to {report_to} needs the package {package!r}, which is not installed: pip install {package}"
        )


@contextmanager
def logs_in(run_folder: Path, report_to: str) -> Iterator[None]:
    """Within it the reporter writes to `logs/` of the run's folder, unless the environment sends it elsewhere."""
    logs = run_folder.resolve() / "logs"
    places = {
        "tensorboard": {"TENSORBOARD_LOGGING_DIR": str(logs / "tensorboard")},
        "wandb": {"WANDB_DIR": str(logs)},
        "mlflow": {"MLFLOW_TRACKING_URI": (logs / "mlflow").as_uri()},
    }.get(report_to, {})
    new = {name: place for name, place in places.items() if name not in os.environ}
    if new:
        logs.mkdir(parents=True, exist_ok=True)  # wandb writes elsewhere if its folder does not exist
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            del os.environ[name]
