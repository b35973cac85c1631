"""One system on one table: started as a process of its own, given its time, and what it answered is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from beatingbert.checkpoints.reference import resolve
from beatingbert.errors import BeatingBertError, RunBusyError
from beatingbert.runs.environment import capture_environment
from benchmarks.own.decided import Decided, read_decided
from benchmarks.own.environments import install
from benchmarks.own.exchange import ANSWERS, TOLD, Job, read_lines
from benchmarks.own.files import SEED, File, Rows
from benchmarks.own.kept import Result, clear, read_result
from benchmarks.own.systems import OURS, Peer

ROOT = Path(__file__).resolve().parents[2]
WORK, LOG, DECISION = "work", "log.txt", "decision"
PATIENCE, GRACE_SECONDS = 1.5, 60.0  # budgets, and besides, after which whoever has not answered is stopped
LATEST = 300  # characters of a process's last words
POLL_SECONDS = 0.2
COMMAND = "import sys; from beatingbert.cli.main import main; sys.exit(main())"
Tell = Callable[[str], None]
Tick = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What is the same for everybody.

    Attributes:
        budget: seconds.
        threads: to compute with: as many as there are cores to run on.
        tell: hears what is begun.
        tick: hears how many seconds somebody has been at work.
    """

    budget: float
    threads: int
    tell: Tell
    tick: Tick

    def environment(self, *, own: bool) -> dict[str, str]:
        """Variables for a process: one number of threads for every library, no hub, nothing sent anywhere."""
        threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
        quiet = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK")
        ours = {} if own else {"PYTHONPATH": "", "RAY_USAGE_STATS_ENABLED": "0", "TOKENIZERS_PARALLELISM": "false"}
        return {
            **os.environ,
            **dict.fromkeys(threads, str(self.threads)),
            **dict.fromkeys(quiet, "1"),
            **ours,
        }


def play_peer(peer: Peer, file: File, rows: Rows, folder: Path, conditions: Conditions) -> Result:
    """A peer's result, from what is kept or by letting it work.

    Args:
        peer: who.
        file: of which table, for the record.
        rows: these.
        folder: of this pair.
        conditions: of the contest.

    Raises:
        MissingExtraError: it cannot be installed here.
        RunBusyError: another process is at it.
        BeatingBertError: it failed, answered otherwise than asked, or was stopped long after its time.
    """
    with _alone(folder):
        if (kept := read_result(folder)) is not None:
            return kept
        python = install(peer.environment, conditions.tell)
        checkpoint = str(resolve(peer.checkpoint).path) if peer.checkpoint else ""
        work = folder / WORK
        clear(work)
        work.mkdir(parents=True)
        conditions.tell(f"{file.name}: {peer.title}")
        job = Job(
            rows=str(rows.folder.resolve()),
            setting=peer.setting,
            checkpoint=checkpoint,
            labels=rows.labels,
            begun=time.time(),
            seconds=conditions.budget,
            threads=conditions.threads,
            seed=SEED,
        )
        job.write(work)
        command = [str(python), "-m", peer.module, str(work.resolve())]
        try:
            seconds = _wait(command, folder / LOG, conditions, own=False)
            told = json.loads((work / TOLD).read_text(encoding="utf-8"))
            answers = {one["id"]: one["label"] for one in read_lines(work / ANSWERS)}
        finally:
            clear(work)
        _require_answers(answers, rows)
        result = _result(file, peer.name, rows, answers, seconds, notes=told["notes"], versions=told["versions"])
        result.keep(folder)
        return result


def play_ours(file: File, source: Path, rows: Rows, folder: Path, conditions: Conditions) -> Result:
    """Our result, from what is kept or by running `beatingbert decide`.

    Raises:
        RunBusyError: another process is at it.
        BeatingBertError: it failed, or made another split.
    """
    with _alone(folder):
        if (kept := read_result(folder)) is not None:
            return kept
        decision = folder / DECISION
        clear(decision)
        conditions.tell(f"{file.name}: beatingbert decide")
        flags = [part for name, value in file.columns.items() for part in (f"--{name}", value)]
        command = [sys.executable, "-c", COMMAND, "decide", str(source), *flags, "--yes", "--metric", "macro_f1"]
        command += ["--budget", f"{conditions.budget:g}s", "--seed", str(SEED), "--output_dir", str(decision)]
        try:
            wall = _wait(command, folder / LOG, conditions, own=True)
            decided = read_decided(decision, rows)
        except BaseException:
            clear(decision)
            raise
        return keep_decided(decided, file, rows, folder, wall=wall)


def keep_decided(decided: Decided, file: File, rows: Rows, folder: Path, *, wall: float | None = None) -> Result:
    """Take a decision that was made for our result.

    Args:
        decided: it.
        file: of which table.
        rows: of it.
        folder: of this pair.
        wall: seconds of the whole process, where that is known.
    """
    notes = {"recommended": decided.recommended} | ({} if wall is None else {"process_seconds": round(wall, 1)})
    answers, versions = decided.answers, decided.versions
    result = _result(file, OURS, rows, answers, decided.seconds, notes=notes, versions=versions)
    result.keep(folder)
    return result


def _result(
    file: File,
    system: str,
    rows: Rows,
    answers: Mapping[str, str | None],
    seconds: float,
    *,
    notes: Mapping[str, object],
    versions: Mapping[str, str],
) -> Result:
    return Result(
        file=file.name,
        system=system,
        revision=rows.revision,
        answers=answers,
        seconds=seconds,
        cpu=str(capture_environment()["machine"]["cpu"]),
        finished=f"{datetime.now(UTC):%Y-%m-%d}",
        notes=notes,
        versions=versions,
    )


def _alone(folder: Path) -> AbstractContextManager[object]:
    """A held lock on a pair, so that two commands that share a folder do not do the same work."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return FileLock(folder / ".lock").acquire(timeout=0)
    except Timeout:
        raise RunBusyError(f"another process is working in {str(folder)!r}; it will be in the table later") from None


def _wait(command: Sequence[str], log: Path, conditions: Conditions, *, own: bool) -> float:
    """Run a process to its end; returns its seconds. It and its children are stopped with us, or long after its time.

    Raises:
        BeatingBertError: it failed, with its last words, or had to be stopped.
    """
    begun = time.time()
    most = PATIENCE * conditions.budget + GRACE_SECONDS
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            command,
            cwd=ROOT if not own else None,
            env=conditions.environment(own=own),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                if time.time() - begun > most:
                    raise BeatingBertError(f"no answers after {most:.0f} s of a budget of {conditions.budget:g} s")
                conditions.tick(time.time() - begun)
                time.sleep(POLL_SECONDS)
        finally:
            _stop(process)
    seconds = time.time() - begun
    if process.returncode != 0:
        words = " ".join(log.read_text(encoding="utf-8", errors="replace").split())[-LATEST:]
        raise BeatingBertError(f"failed with status {process.returncode}: {words}; all of it is in {log}")
    return seconds


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it has started, unless it has ended by itself."""
    if process.poll() is not None:
        return
    for sign in (signal.SIGTERM, signal.SIGKILL):
        os.killpg(process.pid, sign)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            continue
        return


def _require_answers(answers: Mapping[str, str | None], rows: Rows) -> None:
    if answers.keys() != rows.gold.keys():
        raise BeatingBertError(f"answered {len(answers):,} rows instead of the {rows.test:,} that were asked")
    strange = {label for label in answers.values() if label is not None} - set(rows.labels)
    if strange:
        raise BeatingBertError(f"answered with labels that nobody has: {', '.join(sorted(strange)[:5])}")
