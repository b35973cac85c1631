"""A stand-in pip in a folder of its own plays the package index: the real subprocess runs, no network is touched."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from beatingbert import wheels
from beatingbert.errors import DamagedDownloadError, UnreachableError
from beatingbert.wheels import cache_dir, drop_wheel, fetch_wheel, join_members, read_member

FAKE_PIP = """
import os, pathlib, shutil, sys
index = pathlib.Path(os.environ["FAKE_INDEX"])
folder, requirement = pathlib.Path(sys.argv[sys.argv.index("-d") + 1]), sys.argv[-1]
with (index / "log").open("a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
if (index / "says").exists():
    sys.exit((index / "says").read_text())
name, _, version = requirement.partition("==")
wheel = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
shutil.copy(index / wheel, folder / wheel)
"""


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "index"
    (folder / "pip").mkdir(parents=True)
    (folder / "pip" / "__init__.py").touch()
    (folder / "pip" / "__main__.py").write_text(FAKE_PIP)
    monkeypatch.setenv("FAKE_INDEX", str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(Path(wheels.__file__).parents[1])]))
    monkeypatch.setenv("BEATINGBERT_CACHE", str(tmp_path / "cache"))
    return folder


def publish(index: Path, text: str = "rows", name: str = "tiny_data-1.0-py3-none-any.whl") -> str:
    with zipfile.ZipFile(index / name, "w") as archive:
        archive.writestr("tiny_data/rows.csv", text)
    return hashlib.sha256((index / name).read_bytes()).hexdigest()


def downloads(index: Path) -> int:
    log = index / "log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_a_wheel_is_downloaded_once_and_then_comes_from_the_cache(index: Path) -> None:
    sha256 = publish(index)
    first = fetch_wheel("tiny-data", "1.0", sha256)
    assert fetch_wheel("tiny-data", "1.0", sha256) == first
    assert first.parent == cache_dir() / "wheels"
    assert downloads(index) == 1


def test_pip_is_told_not_to_bring_dependencies_not_to_build_and_not_to_retry_for_minutes(index: Path) -> None:
    fetch_wheel("tiny-data", "1.0", publish(index))
    asked = (index / "log").read_text()
    for option in ("--no-deps", "--only-binary=:all:", "--retries 1", "--timeout 15", "--no-input", "tiny-data==1.0"):
        assert option in asked


def test_a_damaged_cached_wheel_is_fetched_again_once(index: Path) -> None:
    sha256 = publish(index)
    wheel = fetch_wheel("tiny-data", "1.0", sha256)
    wheel.write_bytes(wheel.read_bytes()[:-1])
    assert hashlib.sha256(fetch_wheel("tiny-data", "1.0", sha256).read_bytes()).hexdigest() == sha256
    assert downloads(index) == 2


def test_two_downloads_with_the_wrong_hash_are_refused_and_removed(index: Path) -> None:
    found = publish(index)
    with pytest.raises(DamagedDownloadError, match=f"{found}.*expected {'0' * 64}"):
        fetch_wheel("tiny-data", "1.0", "0" * 64)
    assert downloads(index) == 2
    assert not list((cache_dir() / "wheels").glob("*.whl"))


def test_a_wheel_put_into_the_cache_by_hand_needs_no_index(index: Path) -> None:
    sha256 = publish(index)
    (cache_dir() / "wheels").mkdir(parents=True)
    (index / "tiny_data-1.0-py3-none-any.whl").rename(cache_dir() / "wheels" / "tiny_data-1.0-py3-none-any.whl")
    assert read_member(fetch_wheel("tiny-data", "1.0", sha256), "tiny_data/rows.csv") == b"rows"
    assert downloads(index) == 0


def test_pips_last_error_is_shown_without_credentials(index: Path) -> None:
    (index / "says").write_text(
        "WARNING: first\nERROR: 403 for https://user:s3c@ret@mirror.example/simple/tiny?Signature=abc123 no such wheel"
    )
    with pytest.raises(UnreachableError) as caught:
        fetch_wheel("tiny-data", "1.0", "0" * 64)
    message = str(caught.value)
    assert "mirror.example/simple/tiny" in message
    assert "PIP_INDEX_URL" in message
    assert not any(secret in message for secret in ("user", "s3c", "ret@", "abc123", "first"))


def test_a_broken_connection_is_named_rather_than_its_consequence(index: Path) -> None:
    (index / "says").write_text(
        "WARNING: Retrying (Retry(total=0)) after connection broken by 'timed out': /simple/tiny-data/\n"
        "ERROR: No matching distribution found for tiny-data==1.0"
    )
    with pytest.raises(UnreachableError, match="connection broken by 'timed out'"):
        fetch_wheel("tiny-data", "1.0", "0" * 64)


def test_a_failed_download_leaves_no_scratch_folder(index: Path) -> None:
    (index / "says").write_text("ERROR: no")
    with pytest.raises(UnreachableError):
        fetch_wheel("tiny-data", "1.0", "0" * 64)
    assert [file.name for file in (cache_dir() / "wheels").iterdir() if not file.name.endswith(".lock")] == []


def test_without_pip_or_uv_the_way_out_is_named(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(wheels.shutil, "which", lambda name: None)
    with pytest.raises(UnreachableError, match=r"ensurepip.*uv pip install pip"):
        fetch_wheel("tiny-data", "1.0", "0" * 64)


def test_without_pip_uv_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(wheels.shutil, "which", lambda name: f"/bin/{name}")
    assert wheels._pip_command("tiny-data", "1.0", Path())[:4] == ["/bin/uv", "tool", "run", "--quiet"]


def test_two_processes_that_want_the_same_wheel_download_it_once(index: Path) -> None:
    sha256 = publish(index, "x" * 100_000)
    script = f"from beatingbert.wheels import fetch_wheel; fetch_wheel('tiny-data', '1.0', {sha256!r})"
    both = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert downloads(index) == 1


def test_joined_members_hash_like_the_whole(tmp_path: Path) -> None:
    parts = []
    for number, text in enumerate(["first ", "second ", "third"]):
        wheel = tmp_path / f"{number}.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("part.bin", text)
        parts.append((wheel, "part.bin"))
    digest = join_members(parts, tmp_path / "whole")
    assert (tmp_path / "whole").read_text() == "first second third"
    assert digest == hashlib.sha256(b"first second third").hexdigest()


def test_dropping_a_wheel_twice_is_fine(tmp_path: Path) -> None:
    wheel = tmp_path / "a.whl"
    wheel.touch()
    drop_wheel(wheel)
    drop_wheel(wheel)
    assert not wheel.exists()


def test_the_cache_lies_in_the_users_cache_unless_it_is_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEATINGBERT_CACHE", "~/elsewhere")
    assert cache_dir() == Path.home() / "elsewhere"
    monkeypatch.delenv("BEATINGBERT_CACHE")
    assert "beatingbert" in str(cache_dir())


def test_importing_opens_no_heavy_library() -> None:
    script = (
        "import sys, beatingbert.wheels, beatingbert.checkpoints.reference, beatingbert.checkpoints.device; "
        "print([name for name in ('torch', 'transformers', 'huggingface_hub', 'numpy') if name in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(wheels.__file__).parents[1])}
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert run.stdout.strip() == "[]"
