from __future__ import annotations

import platform

import pytest
import torch

from beatingbert.checkpoints.device import (
    best_device,
    choose_precision,
    keep_freed_memory,
    set_threads,
)


def pretend_cuda(monkeypatch: pytest.MonkeyPatch, *, bf16: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16 and not including_emulation)


@pytest.mark.parametrize(("cuda", "mps", "device"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_the_fastest_kind_of_device_is_taken(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, device: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert best_device() == device


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps", "cpu"])
def test_full_precision_is_fp32_everywhere(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    pretend_cuda(monkeypatch, bf16=True)
    assert choose_precision(device, full=True) == "fp32"


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_recent_gpu_computes_in_bf16(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    pretend_cuda(monkeypatch, bf16=True)
    assert choose_precision(device, full=False, model_type="gemma3_text") == "bf16"


@pytest.mark.parametrize(
    ("model_type", "precision"),
    [
        (None, "fp16"),
        ("qwen2", "fp16"),
        ("gemma", "fp16"),
        ("gemma2", "fp32"),
        ("gemma3", "fp32"),
        ("gemma3_text", "fp32"),
    ],
)
def test_an_older_gpu_computes_in_fp16_what_does_not_overflow_in_it(
    monkeypatch: pytest.MonkeyPatch, model_type: str | None, precision: str
) -> None:
    pretend_cuda(monkeypatch, bf16=False)
    assert choose_precision("cuda", full=False, model_type=model_type) == precision


@pytest.mark.parametrize(
    ("feature", "precision"),
    [("avx512_bf16", "bf16"), ("amx_bf16", "bf16"), ("bf16", "bf16"), ("avx2", "fp32"), ("avx512_fp16", "fp32")],
)
def test_a_processor_computes_in_bf16_only_where_it_multiplies_it(
    monkeypatch: pytest.MonkeyPatch, feature: str, precision: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {feature: True, "amx_fp16": False})
    assert choose_precision("cpu", full=False) == precision


@pytest.mark.parametrize(("recent", "precision"), [(True, "bf16"), (False, "fp16")])
def test_a_mac_computes_in_bf16_from_macos_14_on(monkeypatch: pytest.MonkeyPatch, recent: bool, precision: str) -> None:
    monkeypatch.setattr(
        torch.backends.mps, "is_macos_or_newer", lambda major, minor: recent and (major, minor) == (14, 0)
    )
    assert choose_precision("mps", full=False) == precision


@pytest.mark.parametrize(("omp", "asked"), [("", [5]), ("2", [])])
def test_threads_follow_the_cores_unless_the_user_has_chosen(
    monkeypatch: pytest.MonkeyPatch, omp: str, asked: list[int]
) -> None:
    given: list[int] = []
    monkeypatch.setenv("OMP_NUM_THREADS", omp)
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    monkeypatch.setattr("beatingbert.checkpoints.device.usable_cores", lambda: 5)
    assert set_threads() == torch.get_num_threads()
    assert given == asked


def test_freed_memory_is_kept_where_the_c_library_is_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))  # musl, macOS, Windows
    assert not keep_freed_memory()
