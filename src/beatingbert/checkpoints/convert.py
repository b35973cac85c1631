"""One GGUF file becomes a folder with safetensors, tokenizer and chat template that transformers loads like any other.

The work is done by a process of its own, for three reasons: it sees no network, its progress bars and warnings stay out
of the user's terminal, and its gigabytes do not count as the peak memory of a run that is measured afterwards.
Weights are de-quantised exactly and rounded to bfloat16, the format in which these models were published.
"""

from __future__ import annotations

import mmap
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from beatingbert.errors import CheckpointError
from beatingbert.progress import Progress

MAGIC = b"GGUF"
_STEPS = ("reading and de-quantising", "writing safetensors", "writing the tokenizer")


def is_gguf(path: Path) -> bool:
    """Whether a file starts as a GGUF file must."""
    with path.open("rb") as file:
        return file.read(4) == MAGIC


def convert_gguf(gguf: Path, target: Path, *, name: str, progress: Progress) -> str:
    """Write `gguf` as an ordinary checkpoint into the existing folder `target`, 10 to 60 s for up to 0.6 B parameters.

    Args:
        gguf: a whole, verified file.
        target: an empty folder.
        name: what to call the model in progress reports and messages.
        progress: called as ("converting NAME: STEP", step, 3).

    Returns:
        Version of transformers that did it.

    Raises:
        CheckpointError: transformers cannot read this architecture or file.
    """
    package_root = str(Path(__file__).parents[2])
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH", "")])),
    }
    command = [
        sys.executable,
        "-P",
        "-m",
        "beatingbert.checkpoints.convert",
        str(gguf.absolute()),
        str(target.absolute()),
    ]
    version = ""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment) as worker:
            try:
                for line in worker.stdout or ():
                    keyword, _, value = line.strip().partition(" ")
                    if keyword == "step" and value.isdigit():
                        progress(f"converting {name}: {_STEPS[int(value)]}", int(value), len(_STEPS))
                    elif keyword == "transformers":
                        version = value
            except BaseException:
                worker.kill()
                raise
        if worker.returncode != 0:
            log.seek(0)
            said = [line.strip() for line in log if line.strip()] or [f"exit status {worker.returncode}"]
            raise CheckpointError(
                f"the GGUF file of {name!r} could not be converted: {said[-1][:300]}. It must be a causal language "
                "model of an architecture that the installed transformers reads; another quantisation of it may "
                "work, or its hub id"
            )
    progress(f"converting {name}", len(_STEPS), len(_STEPS))
    return version


def _convert(gguf: Path, target: Path) -> None:
    """The worker's whole life."""
    import torch
    import transformers

    where: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
    _say("step 0")
    model = transformers.AutoModelForCausalLM.from_pretrained(
        gguf.parent, dtype=torch.bfloat16, quantization_config=transformers.GgufConfig(dequantize=True), **where
    )
    _say("step 1")
    model.save_pretrained(target)
    _say("step 2")
    tokenizer = transformers.AutoTokenizer.from_pretrained(gguf.parent, **where)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.save_pretrained(target)
    _check_start_token(gguf, transformers.AutoTokenizer.from_pretrained(target, local_files_only=True))
    _say(f"transformers {transformers.__version__}")


def _check_start_token(gguf: Path, tokenizer: Any) -> None:
    """A start token too many or too few costs accuracy silently, so the saved tokenizer must do as the file says.

    Raises:
        ValueError: it does not.
    """
    wanted = _read_flag(gguf, b"tokenizer.ggml.add_bos_token")
    if wanted is None:
        return
    found = tokenizer("a").input_ids[:1] == [tokenizer.bos_token_id]
    if wanted != found:
        raise ValueError(f"the file says add_bos_token={wanted}, but the converted tokenizer does the opposite")


def _read_flag(gguf: Path, key: bytes) -> bool | None:
    """A true-or-false entry of the file's metadata, None if it has none of that name.

    Looked for by its bytes (length, key, type 7), since parsing a vocabulary of 262,144 words takes ten seconds.
    """
    entry = struct.pack("<Q", len(key)) + key + struct.pack("<I", 7)
    with gguf.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(entry)
        return None if start < 0 else bool(content[start + len(entry)])


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), Path(sys.argv[2]))
