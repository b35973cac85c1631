"""Work for executors to do: it obeys, fails, hangs and dies as its payload says. Runs in worker processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beatingbert.errors import SettingsError


def double(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {"double": 2 * payload["number"], "pid": os.getpid()}


def obey(payload: Mapping[str, Any]) -> Any:
    """Does what "do" says; fails until its "trace" file holds as many lines as "fails"."""
    before = note(payload)
    if "fails" in payload and before >= payload["fails"]:
        return "well"
    match payload["do"]:
        case "return":
            return payload.get("what")
        case "raise":
            raise ValueError("so it was wanted")
        case "misuse":
            raise SettingsError("asked for in vain")
        case "leave":
            sys.exit(3)
        case "die":
            print("the last words", file=sys.stderr, flush=True)  # noqa: T201
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            hang()
        case "wait":
            time.sleep(payload["seconds"])
        case "bear":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            Path(payload["child"]).write_text(str(child.pid), encoding="utf-8")
            if payload.get("then") == "hang":
                hang()
        case "print":
            print('{"result": "not this"}\n' * 3000)  # noqa: T201
            print(input() if payload.get("asks") else "")  # noqa: T201
        case "not JSON":
            return {1, 2}
        case "not a number":
            return float("nan")
    return "well"


def note(payload: Mapping[str, Any]) -> int:
    """How often this job was begun before, by the trace that it leaves."""
    if "trace" not in payload:
        return 0
    trace = Path(payload["trace"])
    before = len(trace.read_text(encoding="utf-8").splitlines()) if trace.exists() else 0
    with trace.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"pid": os.getpid()}) + "\n")
    return before


def hang() -> None:
    """Sits there, and takes no hint."""
    while True:
        try:
            time.sleep(600)
        except BaseException:
            continue


def surroundings(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "threads": [os.environ.get(name) for name in payload["names"]],
        "heavy": [name for name in ("torch", "transformers") if name in sys.modules],
    }
