from typing import Any

import pytest

from beatingbert.engines.served.settings import (
    ServedSettings,
    checked_url,
    is_served,
    ollama_url,
    refuse_endings,
    split_reference,
)
from beatingbert.errors import SettingsError
from beatingbert.tasks.catalog import find_task

USUAL: dict[str, Any] = {"model": "openai/tiny", "base_url": "http://127.0.0.1:8000/v1"}


@pytest.mark.parametrize(
    ("reference", "kind", "name"),
    [
        ("ollama/qwen2:0.5b", "ollama", "qwen2:0.5b"),
        ("openai/gpt-4o-mini", "openai", "gpt-4o-mini"),
        ("openai/Qwen/Qwen2.5-0.5B-Instruct", "openai", "Qwen/Qwen2.5-0.5B-Instruct"),
    ],
)
def test_a_reference_names_the_protocol_and_the_model(reference: str, kind: str, name: str) -> None:
    assert is_served(reference)
    assert split_reference(reference) == (kind, name)


@pytest.mark.parametrize("reference", ["google/gemma-3-1b-it", "openai-community/gpt2", "wheel:minilm-l6", "openai"])
def test_other_references_are_not_served(reference: str) -> None:
    assert not is_served(reference)
    with pytest.raises(SettingsError, match="ollama/NAME"):
        split_reference(reference)


def test_a_reference_without_a_name_is_refused() -> None:
    with pytest.raises(SettingsError, match="'openai/'"):
        ServedSettings(**USUAL | {"model": "openai/"})


@pytest.mark.parametrize(
    "url",
    [
        "https://anna:geheim@host/v1",
        "https://geheim@host/v1",
        "https://host/v1?api_key=geheim",
        "https://host/v1#geheim",
    ],
)
def test_an_address_that_could_hold_a_secret_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(SettingsError, match="--api_key_env") as caught:
        checked_url(url)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://", "", "http://host:99999"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="http://"):
        checked_url(url)


def test_an_address_is_recorded_without_a_slash_at_its_end() -> None:
    assert checked_url(" http://host:1/v1/ ") == "http://host:1/v1"
    with pytest.raises(SettingsError, match="should be written"):
        ServedSettings(**USUAL | {"base_url": "http://host/v1/"})


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("box:9000", "http://box:9000"),
        ("https://ollama.example", "https://ollama.example"),
    ],
)
def test_the_host_variable_is_read_as_ollama_reads_it(host: str, url: str) -> None:
    assert ollama_url(host) == url


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shots": -1}, "num_few_shot"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"max_length": 8}, "max_length"),
        ({"temperature": -0.1}, "temperature"),
        ({"answer_by": "magic"}, "answer_by"),
        ({"chat_template": "sometimes"}, "chat_template"),
        ({"answer_by": "likelihood", "temperature": 1.0}, "generation"),
        ({"answer_by": "likelihood", "constrained": True}, "generation"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], message: str) -> None:
    ServedSettings(**USUAL)
    with pytest.raises(SettingsError, match=message):
        ServedSettings(**USUAL | wrong)


def test_multiple_choice_goes_by_letter_only() -> None:
    refuse_endings(find_task("arc_challenge"), "letter")
    refuse_endings(find_task("sst2"), "ending")
    with pytest.raises(SettingsError, match="by letter"):
        refuse_endings(find_task("arc_challenge"), "ending")
