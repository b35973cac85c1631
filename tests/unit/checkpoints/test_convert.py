"""Fast tests let a script play the worker; the slow ones convert a tiny real GGUF file with transformers."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from beatingbert.checkpoints import convert
from beatingbert.checkpoints.convert import _read_flag, convert_gguf, is_gguf
from beatingbert.checkpoints.reference import resolve
from beatingbert.errors import CheckpointError
from beatingbert.progress import silent

LAYERS, WIDTH, HEADS, HIDDEN = 2, 32, 2, 64  # 32 because quantised blocks hold 32 weights
FLAG = b"tokenizer.ggml.add_bos_token"


def write_gguf(path: Path, *, architecture: str = "llama", add_bos: bool | None = False) -> Path:
    """A random Llama with two layers and a byte-level vocabulary, its embedding quantised to 8 bits."""
    import gguf
    import numpy as np
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    tokens = ["<unk>", "<s>", "</s>", *sorted(bytes_to_unicode().values()), "he", "ll", "hell"]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3] + [1] * (len(tokens) - 3))
    writer.add_token_merges(["h e", "l l", "he ll"])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    if add_bos is not None:
        writer.add_add_bos_token(add_bos)
    writer.add_chat_template("{% for message in messages %}{{ message['content'] }}{% endfor %}")

    random = np.random.default_rng(0)
    embedding = random.normal(size=(len(tokens), WIDTH)).astype(np.float32)
    kind = gguf.GGMLQuantizationType.Q8_0
    writer.add_tensor("token_embd.weight", gguf.quants.quantize(embedding, kind), raw_dtype=kind)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    shapes = dict.fromkeys(["attn_q", "attn_k", "attn_v", "attn_output"], (WIDTH, WIDTH))
    shapes |= {"ffn_gate": (HIDDEN, WIDTH), "ffn_up": (HIDDEN, WIDTH), "ffn_down": (WIDTH, HIDDEN)}
    for layer in range(LAYERS):
        for name, shape in shapes.items():
            writer.add_tensor(f"blk.{layer}.{name}.weight", random.normal(size=shape).astype(np.float32))
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(WIDTH, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def play_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def play(script: str) -> None:
        worker = tmp_path / "worker"
        worker.write_text(f"#!{sys.executable}\nimport os, sys\n{script}\n")
        worker.chmod(worker.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(convert.sys, "executable", str(worker))

    return play


@pytest.mark.skipif(sys.platform == "win32", reason="a script is no executable there")
class TestTheWorkersReports:
    def test_steps_become_progress_and_noise_stays_away(
        self, play_worker: Callable[[str], None], tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        play_worker(
            "print('step 0\\nnoise\\nstep x\\nstep 1\\nstep 2\\ntransformers 5.9')\nprint('bar', file=sys.stderr)"
        )
        told: list[tuple[str, int, int]] = []
        version = convert_gguf(tmp_path / "a", tmp_path, name="tiny", progress=lambda *step: told.append(step))
        assert version == "5.9"
        assert [done for _, done, _ in told] == [0, 1, 2, 3]
        assert told[0] == ("converting tiny: reading and de-quantising", 0, 3)
        assert capfd.readouterr() == ("", "")

    def test_it_sees_no_network(self, play_worker: Callable[[str], None], tmp_path: Path) -> None:
        play_worker("assert os.environ['HF_HUB_OFFLINE'] == os.environ['TRANSFORMERS_OFFLINE'] == '1'")
        convert_gguf(tmp_path / "a", tmp_path, name="tiny", progress=silent)

    def test_its_last_words_become_the_message(self, play_worker: Callable[[str], None], tmp_path: Path) -> None:
        play_worker("sys.exit('Traceback\\nValueError: architecture foo is not supported')")
        with pytest.raises(CheckpointError, match="architecture foo is not supported"):
            convert_gguf(tmp_path / "a", tmp_path, name="tiny", progress=silent)

    def test_it_does_not_outlive_an_interrupted_caller(
        self, play_worker: Callable[[str], None], tmp_path: Path
    ) -> None:
        play_worker("import time\nprint('step 0', flush=True)\ntime.sleep(600)")

        def interrupt(phase: str, done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            convert_gguf(tmp_path / "a", tmp_path, name="tiny", progress=interrupt)


def test_a_gguf_file_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"GGUF\x03")
    (tmp_path / "b").write_bytes(b"GG")
    assert is_gguf(tmp_path / "a")
    assert not is_gguf(tmp_path / "b")


@pytest.mark.parametrize("value", [True, False, None])
def test_the_quick_look_at_the_metadata_agrees_with_the_file(tmp_path: Path, value: bool | None) -> None:
    assert _read_flag(write_gguf(tmp_path / "tiny.gguf", add_bos=value), FLAG) is value


@pytest.mark.slow
def test_a_gguf_file_becomes_a_model_that_transformers_loads(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import gguf
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = write_gguf(tmp_path / "tiny.gguf")
    checkpoint = resolve(str(path))
    assert checkpoint.kind == "gguf"
    assert capfd.readouterr() == ("", "")
    tokenizer = AutoTokenizer.from_pretrained(checkpoint.path)
    assert tokenizer.convert_ids_to_tokens(tokenizer("hello").input_ids) == ["hell", "o"]
    assert tokenizer.pad_token_id is not None
    assert tokenizer.chat_template
    model = AutoModelForCausalLM.from_pretrained(checkpoint.path, dtype=torch.bfloat16)
    stored = next(tensor for tensor in gguf.GGUFReader(path).tensors if tensor.name == "token_embd.weight")
    wanted = torch.from_numpy(gguf.quants.dequantize(stored.data, stored.tensor_type)).bfloat16()
    assert torch.equal(model.get_input_embeddings().weight.detach(), wanted)
    with torch.no_grad():
        assert model(torch.tensor([[5, 6, 7]])).logits.isfinite().all()


@pytest.mark.slow
def test_an_architecture_that_transformers_does_not_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="could not be converted"):
        resolve(str(write_gguf(tmp_path / "tiny.gguf", architecture="nonsense")))
    assert not [found for found in (tmp_path / "cache" / "checkpoints").iterdir() if found.suffix != ".lock"]
