from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from beatingbert.engines.catalog import ENGINES, build_engine, check_settings, engine_version, find_engine
from beatingbert.engines.protocol import Workplace
from beatingbert.errors import SettingsError, UnknownNameError

SERVED = {"model": "openai/x", "base_url": "http://127.0.0.1:9/v1"}
NEEDED = {
    **{name: {"checkpoint": "x"} for name in ("embedding", "encoder", "llm", "lora", "optimized")},
    "served": SERVED,
}  # what has no default


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_is_built_from_its_settings_as_json(name: str, workplace: Callable[[str], Workplace]) -> None:
    assert hasattr(build_engine(name, NEEDED.get(name, {}), workplace("sst2")), "fit")
    assert engine_version(name) >= 1


def test_an_unknown_engine_names_those_that_exist() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown engine 'linaer'\. Did you mean 'linear'"):
        find_engine("linaer")


def test_a_setting_that_an_engine_does_not_have_is_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown linear setting 'max_ngrams'\. Did you mean 'max_ngram'"):
        check_settings("linear", {"max_ngrams": 3})


def test_a_value_out_of_range_is_refused() -> None:
    with pytest.raises(SettingsError, match="max_ngram and min_count must be at least 1"):
        check_settings("linear", {"max_ngram": 0})


def test_settings_are_checked_without_a_heavy_library() -> None:
    code = (
        "import sys; from beatingbert.engines.catalog import ENGINES, check_settings\n"
        f"needed = {NEEDED!r}\n"
        "for name in ENGINES: check_settings(name, needed.get(name, {}))\n"
        "sys.exit(bool({'torch', 'transformers', 'sklearn', 'peft'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
