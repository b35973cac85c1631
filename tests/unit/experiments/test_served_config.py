import dataclasses
from pathlib import Path
from typing import Any

import pytest

from beatingbert import LLMConfig
from beatingbert.engines.protocol import Access
from beatingbert.errors import SettingsError
from beatingbert.experiments.config.server import ACCESS_FIELDS, SERVED_FLAGS
from beatingbert.experiments.runner import plan_cell

KEY = "skgeheim0123456789"
HERE: dict[str, Any] = {"task": "sst2", "model_name": "openai/tiny", "base_url": "http://127.0.0.1:8000/v1"}
ACCESS: dict[str, Any] = {
    "concurrency": 3,
    "timeout": 7.5,
    "max_retries": 1,
    "max_requests": 100,
    "max_cost": 2.0,
    "price_in": 0.5,
    "price_out": 1.5,
    "ask_again": True,
    "pull": True,
    "api_key_env": "MY_KEY",
}
ASKING: dict[str, Any] = {
    "model_name": "openai/another",
    "base_url": "http://127.0.0.1:9000/v1",
    "mode": "few-shot",
    "answer_by": "generation",
    "temperature": 0.5,
    "constrained": True,
    "max_new_tokens": 7,
    "chat_template": "never",
    "seed": 3,
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OLLAMA_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MY_KEY", KEY)


def test_every_flag_of_servers_is_known_to_these_tests() -> None:
    assert {"base_url", *ACCESS} == set(SERVED_FLAGS)
    assert set(ACCESS_FIELDS.values()) == {field.name for field in dataclasses.fields(Access)}


@pytest.mark.parametrize("name", ASKING)
def test_what_is_asked_and_where_reaches_the_cell(data_dir: Path, name: str) -> None:
    before = LLMConfig(**HERE, data_dir=data_dir)
    assert plan_cell(dataclasses.replace(before, **{name: ASKING[name]})).id != plan_cell(before).id


def test_how_the_server_is_reached_changes_no_cell_but_reaches_the_engine(data_dir: Path) -> None:
    ollama: dict[str, Any] = {"task": "sst2", "model_name": "ollama/tiny", "data_dir": data_dir}
    before, after = LLMConfig(**ollama), LLMConfig(**ollama, **ACCESS)
    assert plan_cell(after) == plan_cell(before)
    assert {own: getattr(after.access, name) for own, name in ACCESS_FIELDS.items()} == ACCESS
    assert before.access == Access()


@pytest.mark.parametrize("name", SERVED_FLAGS)
def test_what_only_servers_know_is_refused_elsewhere(name: str) -> None:
    given = {"base_url": "http://127.0.0.1:1", **ACCESS}[name]
    with pytest.raises(SettingsError, match=rf"--{name} would change nothing .*ollama/NAME"):
        LLMConfig(task="sst2", model_name="wheel:smollm2-135m-instruct", **{name: given})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"batch_size": 8}, "--batch_size"),
        ({"no_fp16": True}, "--no_fp16"),
        ({"rank_only": True}, "--rank_only"),
        ({"calibration": "contextual"}, "--calibration"),
        ({"max_length": 512}, "--max_length"),
        ({"pull": True}, "--pull"),
        ({"mode": "lora"}, "behind a server"),
        ({"task": "arc_challenge", "choice_by": "ending"}, "by letter"),
        ({"choice_by": "letter"}, "multiple choice"),
        ({"task": "arc_challenge", "normalise_by": "none"}, "--normalise_by"),
        ({"model_name": "openai/"}, "ollama/NAME"),
        ({"max_cost": 1.0}, "--price_in"),
        ({"concurrency": 0}, "--concurrency"),
        ({"base_url": "localhost:8000"}, "http://"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
    ],
)
def test_what_no_server_can_do_is_refused_before_anything_is_asked(given: dict[str, Any], told: str) -> None:
    LLMConfig(**HERE)
    with pytest.raises(SettingsError, match=told):
        LLMConfig(**HERE | given)


def test_ollama_is_told_how_much_room_to_make() -> None:
    config = LLMConfig(task="sst2", model_name="ollama/tiny", max_length=4096)
    assert config.engine_settings()["max_length"] == 4096


@pytest.mark.parametrize(
    ("variable", "value", "model", "url"),
    [
        (None, "", "ollama/tiny", "http://127.0.0.1:11434"),
        ("OLLAMA_HOST", "0.0.0.0:9000", "ollama/tiny", "http://127.0.0.1:9000"),
        (None, "", "openai/gpt-4o-mini", "https://api.openai.com/v1"),
        ("OPENAI_BASE_URL", "http://box:8000/v1/", "openai/tiny", "http://box:8000/v1"),
    ],
)
def test_the_place_comes_from_the_environment_or_is_the_usual_one(
    variable: str | None, value: str, model: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable is not None:
        monkeypatch.setenv(variable, value)
    assert LLMConfig(task="sst2", model_name=model).engine_settings()["base_url"] == url
    told = LLMConfig(task="sst2", model_name=model, base_url="http://told:1/v1")
    assert told.engine_settings()["base_url"] == "http://told:1/v1"


def test_openais_key_is_for_openai_alone() -> None:
    assert LLMConfig(task="sst2", model_name="openai/gpt-4o-mini").access.key_variable == "OPENAI_API_KEY"
    assert LLMConfig(**HERE).access.key_variable is None
    assert LLMConfig(**HERE, api_key_env="MY_KEY").access.key_variable == "MY_KEY"


@pytest.mark.parametrize("given", [KEY, "sk-" + KEY, "NOT_SET"])
def test_a_key_in_place_of_its_variables_name_is_refused_and_not_shown(given: str) -> None:
    with pytest.raises(SettingsError, match="takes the name of an environment variable") as caught:
        LLMConfig(**HERE, api_key_env=given)
    assert given not in str(caught.value)


def test_runs_are_named_by_their_model() -> None:
    from datetime import UTC, datetime

    from beatingbert.experiments.runner import default_run_name

    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert default_run_name(LLMConfig(task="sst2", model_name="ollama/qwen2:0.5b"), now).startswith(
        "qwen2-0.5b_zero_shot_sst2_"
    )
