"""A worker process: `python -m beatingbert.execution.worker MODULE:FUNCTION JOBS REPLIES`, started by `processes`.

One JSON line per job comes in through the file descriptor JOBS, and two go out through REPLIES: `{"taken": true}`, then
`{"result": ...}` or `{"error": ..., "final": ...}`. When JOBS is closed, by whatever end its runner took, the process
ends with all that it has started: nobody would hear of its result.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import threading
from queue import SimpleQueue
from typing import Any

from beatingbert.execution.work import answer


def main(work: str, jobs: int, replies: int) -> None:
    """Do jobs until there is nobody left to do them for."""
    faulthandler.enable()
    waiting: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(jobs, waiting), name="jobs", daemon=True).start()
    with os.fdopen(replies, "w", encoding="utf-8") as out:
        while True:
            payload = waiting.get()
            out.write('{"taken": true}\n')
            out.flush()
            out.write(answer(work, payload) + "\n")
            out.flush()


def _listen(jobs: int, waiting: SimpleQueue[Any]) -> None:
    with os.fdopen(jobs, encoding="utf-8") as lines:
        for line in lines:
            waiting.put(json.loads(line))
    _end()


def _end() -> None:
    """End this process and its children, which are all of the group that it leads."""
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
