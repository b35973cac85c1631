import getpass
import json
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from beatingbert.runs import environment
from beatingbert.runs.environment import capture_environment


def strings_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, entry in value.items():
            yield key
            yield from strings_in(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from strings_in(entry)
    elif isinstance(value, str):
        yield value


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    package = tmp_path / "src" / "package"
    package.mkdir(parents=True)
    (package / "errors.py").write_text("", encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return package


def test_the_environment_is_plain_json_with_a_machine_in_it() -> None:
    told = capture_environment()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["machine"]["cpu"]
    assert told["machine"]["logical_cores"] >= 1
    assert told["machine"]["memory_mib"] > 0
    assert told["python"] == ".".join(map(str, sys.version_info[:3]))


def test_versions_are_told_without_loading_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "transformers"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    told = capture_environment()
    assert told["packages"]["numpy"]
    assert told["packages"]["torch"]
    assert "torch" not in sys.modules
    assert "transformers" not in sys.modules
    assert told["threads"] is None
    assert told["machine"]["gpus"] is None


def test_a_package_that_is_not_installed_has_no_version() -> None:
    assert environment._find_version("no-such-package-as-this-one") is None


def test_threads_and_devices_are_told_where_torch_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    device = types.SimpleNamespace(name="Pretend GPU", total_memory=2 * 2**30, uuid="secret")
    cuda = types.SimpleNamespace(
        is_available=lambda: True, device_count=lambda: 1, get_device_properties=lambda index: device
    )
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda, get_num_threads=lambda: 3))
    told = capture_environment()
    assert told["threads"] == 3
    assert told["machine"]["gpus"] == [{"name": "Pretend GPU", "memory_mib": 2048}]


def test_nothing_tells_who_or_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret_of_mine")
    monkeypatch.setattr("platform.node", lambda: "my-host-name")
    told = list(strings_in(capture_environment()))
    personal = ("hf_secret_of_mine", "my-host-name", str(Path.home()), str(Path.cwd()), str(Path(sys.prefix)))
    for text in told:
        assert not any(word in text for word in personal)
        assert text != getpass.getuser()
        assert not text.startswith(("/", "\\", "~"))


def test_a_checkout_tells_its_commit_and_whether_the_sources_differ(checkout: Path) -> None:
    clean = environment._describe_checkout(checkout)
    assert clean is not None
    assert len(clean["commit"]) == 40
    assert clean["dirty"] is False
    (checkout / "errors.py").write_text("changed = True\n", encoding="utf-8")
    assert environment._describe_checkout(checkout) == {**clean, "dirty": True}


def test_a_new_source_file_counts_as_a_difference(checkout: Path) -> None:
    (checkout / "new.py").write_text("", encoding="utf-8")
    told = environment._describe_checkout(checkout)
    assert told is not None
    assert told["dirty"] is True


def test_a_package_installed_inside_a_strange_checkout_has_no_commit(checkout: Path) -> None:
    installed = checkout / "site-packages" / "beatingbert"
    installed.mkdir(parents=True)
    (installed / "errors.py").write_text("", encoding="utf-8")
    assert environment._describe_checkout(installed) is None


def test_outside_a_checkout_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert environment._describe_checkout(tmp_path) is None


def test_without_git_there_is_no_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert environment._describe_checkout(checkout) is None


def test_a_container_limit_is_told_beside_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"/sys/fs/cgroup/cpu.max": "150000 100000", "/sys/fs/cgroup/memory.max": str(512 * 2**20)}
    monkeypatch.setattr(environment, "_read_line", limits.__getitem__)
    machine = capture_environment()["machine"]
    assert (machine["cpu_quota_cores"], machine["memory_limit_mib"]) == (1.5, 512)


def test_no_container_limit_is_told_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"/sys/fs/cgroup/cpu.max": "max 100000", "/sys/fs/cgroup/memory.max": "max"}
    monkeypatch.setattr(environment, "_read_line", limits.__getitem__)
    machine = capture_environment()["machine"]
    assert (machine["cpu_quota_cores"], machine["memory_limit_mib"]) == (None, None)
