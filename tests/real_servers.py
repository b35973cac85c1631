"""Real servers on loopback, a process each: `transformers serve`, and llama.cpp's own HTTP server inside xllamacpp.

They end with the tests, whatever becomes of these: a server whose standard input closes goes at once.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Self

PATIENCE = 300.0  # seconds to start: usually ten, but machines can be busy
LIFELINE = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
"""
TRANSFORMERS = """
import runpy
sys.argv = ["transformers", "serve", *sys.argv[1:]]
runpy.run_module("transformers.cli.transformers", run_name="__main__")
"""
# One slot and no kept prompts: each answer is computed alone and from its beginning, so it is the same every time.
LLAMA = """
import time, xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path, parameters.model_alias, parameters.port = sys.argv[1], {sys.argv[2]}, int(sys.argv[3])
parameters.n_ctx, parameters.n_parallel, parameters.cache_prompt = 2048, 1, False
parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(parameters)
while True:
    time.sleep(60)
"""


class RealServer:
    """A server that can be killed and started again at the same address; runs while the block does.

    Args:
        name: of its model, as requests have to call it.
        script: Python that serves on the port which is its last argument.
        arguments: of the script, before the port.
        log: file for what it says.
    """

    def __init__(self, name: str, script: str, arguments: Sequence[str], log: Path) -> None:
        self.name = name
        self.port = _free_port()
        self._command = [sys.executable, "-c", LIFELINE + script, *arguments, str(self.port)]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert self._process is None
        settings = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=os.environ | settings
            )
        deadline = time.monotonic() + PATIENCE
        while not self._is_healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.name} did not start; its last words: {self._last_words()}")
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL: it has no time to finish anything."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()  # waits, and closes its standard input

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _last_words(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:]


def transformers_serve(folder: Path, log: Path, *, dtype: str = "float32") -> RealServer:
    """`transformers serve` for a local checkpoint; its model is called by the folder."""
    arguments = [str(folder), "--dtype", dtype, "--device", "cpu", "--host", "127.0.0.1", "--port"]
    return RealServer(str(folder), TRANSFORMERS, arguments, log)


def llama_server(gguf: Path, log: Path) -> RealServer:
    """llama.cpp's server for a GGUF file."""
    return RealServer("gguf", LLAMA, [str(gguf), "gguf"], log)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
