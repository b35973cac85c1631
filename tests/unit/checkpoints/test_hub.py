"""The real huggingface_hub talks to a stand-in hub on this machine, which has the few addresses a snapshot needs."""

from __future__ import annotations

import errno
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from beatingbert.checkpoints import hub
from beatingbert.checkpoints.hub import hub_snapshot
from beatingbert.errors import CheckpointError, UnreachableError

COMMIT, CONVERTED = "a" * 40, "b" * 40


class StandInHub(ThreadingHTTPServer):
    """Serves `files[commit][name]` of the one model someone/tiny."""

    daemon_threads = True

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {COMMIT: {}}
        self.commits = {"main": COMMIT, "refs/pr/7": CONVERTED}
        self.discussions: list[dict[str, Any]] = []
        self.refusal: tuple[int, str] | None = None  # HTTP status and the hub's error code
        self.requests: list[str] = []
        super().__init__(("127.0.0.1", 0), Answer)


class Answer(BaseHTTPRequestHandler):
    server: StandInHub

    def log_message(self, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].replace("%2F", "/")
        self.server.requests.append(f"{self.command} {path}")
        if path == "/":
            return self.reply(b"hello")
        if self.server.refusal:
            return self.reply(b"{}", self.server.refusal[0], {"X-Error-Code": self.server.refusal[1]})
        if path.endswith("/discussions"):
            found = self.server.discussions
            return self.reply(json.dumps({"count": len(found), "start": 0, "discussions": found}).encode())
        if path.startswith("/api/models/someone/tiny/revision/"):
            sha = self.server.commits.get(path.removeprefix("/api/models/someone/tiny/revision/"))
            if sha is None:
                return self.reply(b"{}", 404, {"X-Error-Code": "RevisionNotFound"})
            return self.reply(json.dumps({"id": "someone/tiny", "sha": sha, "siblings": []}).encode())
        if path.startswith("/api/models/someone/tiny/tree/"):
            files = self.server.files[path.removeprefix("/api/models/someone/tiny/tree/")]
            tree = [
                {"type": "file", "path": n, "size": len(c), "oid": hashlib.sha1(c).hexdigest()}
                for n, c in files.items()
            ]
            return self.reply(json.dumps(tree).encode())
        _, _, name = path.partition("/resolve/")
        commit, _, name = name.partition("/")
        content = self.server.files[commit][name]
        return self.reply(content, headers={"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": commit})

    def reply(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture(autouse=True)
def empty_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, model_files: dict[str, bytes]) -> Iterator[StandInHub]:
    with StandInHub() as stand_in:
        stand_in.files[COMMIT] = dict(model_files)
        threading.Thread(target=stand_in.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{stand_in.server_address[1]}/")
        yield stand_in
        from huggingface_hub.utils import close_session

        close_session()
        stand_in.shutdown()


def test_a_snapshot_holds_the_models_files_and_nothing_else(
    server: StandInHub, model_files: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    server.files[COMMIT] |= {"modeling_evil.py": b"x", "pytorch_model.bin": b"x", "onnx/model.safetensors": b"x"}
    told: list[tuple[str, int, int]] = []
    folder, commit = hub_snapshot("someone/tiny", progress=lambda *step: told.append(step))
    assert commit == COMMIT
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == model_files
    assert told[-1] == ("downloading someone/tiny", *[sum(map(len, model_files.values()))] * 2)
    assert capsys.readouterr() == ("", "")


def test_a_cached_copy_needs_no_network(server: StandInHub) -> None:
    first = hub_snapshot("someone/tiny")
    server.requests.clear()
    assert hub_snapshot("someone/tiny") == first
    assert server.requests == []


def test_an_incomplete_cached_copy_is_completed(server: StandInHub) -> None:
    folder, _ = hub_snapshot("someone/tiny")
    (folder / "model.safetensors").unlink()
    assert (hub_snapshot("someone/tiny")[0] / "model.safetensors").is_file()


def test_a_pickled_model_is_taken_from_the_hubs_own_conversion_and_found_offline_again(
    server: StandInHub, model_files: dict[str, bytes]
) -> None:
    server.files[CONVERTED] = dict(model_files)
    server.files[COMMIT]["pytorch_model.bin"] = server.files[COMMIT].pop("model.safetensors")
    server.discussions = [
        {
            "title": f"Adding `safetensors` variant of this model {name}",
            "num": number,
            "author": {"name": name},
            "createdAt": "2024-01-01T00:00:00.000Z",
            "status": "open",
            "repo": {"name": "someone/tiny", "type": "model"},
            "isPullRequest": True,
        }
        for number, name in [(3, "stranger"), (7, "SFconvertbot")]
    ]
    folder, commit = hub_snapshot("someone/tiny")
    assert commit == CONVERTED
    server.requests.clear()
    assert hub_snapshot("someone/tiny") == (folder, CONVERTED)
    assert server.requests == []


def test_a_model_that_is_only_pickled_comes_without_weights(server: StandInHub) -> None:
    server.files[COMMIT]["pytorch_model.bin"] = server.files[COMMIT].pop("model.safetensors")
    folder, _ = hub_snapshot("someone/tiny")
    assert not (folder / "pytorch_model.bin").exists()


@pytest.mark.parametrize(
    ("status", "code", "error", "message"),
    [
        (401, "RepoNotFound", CheckpointError, "no model 'someone/tiny'.*hf auth login"),
        (404, "RepoNotFound", CheckpointError, "no model 'someone/tiny'.*bert-base-uncased"),
        (403, "GatedRepo", CheckpointError, "gated.*hf auth login.*HF_TOKEN"),
        (400, "", UnreachableError, "answered 400.*wheel:minilm-l6"),
    ],
)
def test_a_refusal_names_the_way_out(
    server: StandInHub, status: int, code: str, error: type[Exception], message: str
) -> None:
    server.refusal = (status, code)
    with pytest.raises(error, match=message):
        hub_snapshot("someone/tiny")


def test_a_full_disk_is_called_a_full_disk(server: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(hub, "_download", full)
    with pytest.raises(UnreachableError, match="No space left on device"):
        hub_snapshot("someone/tiny")


def test_an_unknown_revision_is_named(server: StandInHub) -> None:
    with pytest.raises(CheckpointError, match="no revision 'nonsense'"):
        hub_snapshot("someone/tiny", "nonsense")


def test_a_misspelt_name_is_answered_with_the_closest(server: StandInHub) -> None:
    server.refusal = (404, "RepoNotFound")
    with pytest.raises(CheckpointError, match="Did you mean 'google/gemma-3-1b-it'"):
        hub_snapshot("google/gemma3-1b-it")


def test_a_name_that_no_repository_can_have_is_refused() -> None:
    with pytest.raises(CheckpointError, match="owner/name"):
        hub_snapshot("some one/ti ny")


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "http://nowhere.invalid", "nonsense"])
def test_a_hub_out_of_reach_is_noticed_at_once_and_three_ways_to_go_on_are_named(
    monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    started = time.monotonic()
    with pytest.raises(UnreachableError, match=r"wheel:minilm-l6.*local folder.*HF_ENDPOINT.*HF_HOME"):
        hub_snapshot("someone/tiny")
    assert time.monotonic() - started < 2 * hub.PROBE_SECONDS


def test_a_hub_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(hub, "PROBE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        with pytest.raises(UnreachableError, match="does not answer within"):
            hub_snapshot("someone/tiny")


def test_offline_mode_is_respected(server: StandInHub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UnreachableError, match="HF_HUB_OFFLINE"):
        hub_snapshot("someone/tiny")
    assert server.requests == []
