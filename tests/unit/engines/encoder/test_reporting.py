from __future__ import annotations

import os
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, ClassVar

import pytest
from transformers import TrainerCallback
from transformers.integrations import integration_utils

from beatingbert.engines.encoder import reporting
from beatingbert.engines.encoder.engine import EncoderEngine
from beatingbert.engines.encoder.reporting import logs_in, require_reporter
from beatingbert.engines.encoder.settings import EncoderSettings
from beatingbert.engines.protocol import Upkeep, Workplace
from beatingbert.errors import SettingsError
from tiny_tasks import sentiment

VARIABLES = {"tensorboard": "TENSORBOARD_LOGGING_DIR", "wandb": "WANDB_DIR", "mlflow": "MLFLOW_TRACKING_URI"}


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES.values():
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """installed("wandb") makes it look as if that package alone were there."""

    def only(*packages: str) -> None:
        monkeypatch.setattr(reporting, "find_spec", lambda name: ModuleSpec(name, None) if name in packages else None)

    return only


class Listener(TrainerCallback):  # type: ignore[misc]
    """Stands in for TensorBoard's callback and keeps what it is told, and where it would write."""

    told: ClassVar[list[dict[str, Any]]] = []
    place: ClassVar[str | None] = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        type(self).place = os.environ.get("TENSORBOARD_LOGGING_DIR")

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        self.told.append(dict(logs))


@pytest.mark.parametrize("name", VARIABLES)
def test_a_missing_package_is_named_with_the_way_to_get_it(installed: Callable[..., None], name: str) -> None:
    installed()
    with pytest.raises(SettingsError, match=f"needs the package '{name}', which is not installed: pip install {name}"):
        require_reporter(name)
    installed(name)
    require_reporter(name)


def test_nobody_is_told_by_default(installed: Callable[..., None]) -> None:
    installed()
    require_reporter("none")


def test_an_unknown_reporter_is_refused() -> None:
    with pytest.raises(SettingsError, match="one of none, tensorboard, wandb, mlflow, got 'carrier pigeon'"):
        require_reporter("carrier pigeon")


def test_a_missing_package_stops_the_run_before_it_begins(
    installed: Callable[..., None], workplace: Callable[[str], Workplace]
) -> None:
    installed()
    place = workplace("sst2")
    with pytest.raises(SettingsError, match="pip install wandb"):
        EncoderEngine(
            EncoderSettings(checkpoint="never read"),
            Workplace(task=place.task, folder=place.folder, upkeep=Upkeep(report_to="wandb")),
        )


@pytest.mark.parametrize("name", VARIABLES)
def test_logs_lie_in_the_runs_folder_and_the_environment_is_put_back(tmp_path: Path, name: str) -> None:
    with logs_in(tmp_path, name):
        assert str(tmp_path / "logs") in os.environ[VARIABLES[name]]
        assert (tmp_path / "logs").is_dir()
    assert VARIABLES[name] not in os.environ


def test_a_place_of_the_users_own_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example")
    with logs_in(tmp_path, "mlflow"):
        assert os.environ["MLFLOW_TRACKING_URI"] == "https://mlflow.example"
    assert os.environ["MLFLOW_TRACKING_URI"] == "https://mlflow.example"
    assert not (tmp_path / "logs").exists()


def test_the_reporter_hears_loss_and_development_metrics(
    installed: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    workplace: Callable[[str], Workplace],
    tiny_bert: Path,
) -> None:
    installed("tensorboard")
    monkeypatch.setitem(integration_utils.INTEGRATION_TO_CALLBACK, "tensorboard", Listener)
    monkeypatch.setattr(Listener, "told", [])
    place = workplace("sst2")
    rows = sentiment(40)
    settings = EncoderSettings(checkpoint=str(tiny_bert), epochs=2, batch_size=8, full_precision=True)
    hearing = Workplace(task=place.task, folder=place.folder, upkeep=Upkeep(report_to="tensorboard"))
    heard = EncoderEngine(settings, hearing).fit(rows, development=rows, seed=99)
    assert Listener.place == str(place.folder / "logs" / "tensorboard")
    losses = [logs["loss"] for logs in Listener.told if "loss" in logs]
    assert len(losses) == 10  # every step of so short a training
    means = [sum(losses[:5]) / 5, sum(losses[5:]) / 5]
    assert [epoch["train_loss"] for epoch in heard.facts.history] == pytest.approx(means, rel=1e-5)
    assert [logs["eval_accuracy"] for logs in Listener.told if "eval_accuracy" in logs] == [
        epoch["accuracy"] for epoch in heard.facts.history
    ]
