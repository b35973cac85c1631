"""No test of this folder sees the user's kept answers, keys or proxies."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def kept_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which answers are kept; it is not there yet."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OLLAMA_API_KEY", "OLLAMA_HOST"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BEATINGBERT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "served" / "answers.sqlite"
