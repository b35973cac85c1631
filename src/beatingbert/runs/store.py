"""Where runs are kept: one folder each, finished exactly when its `results.json` exists."""

from __future__ import annotations

import json
import logging
import re
import shutil
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from beatingbert.errors import DamagedRecordError, RunBusyError, RunExistsError, SettingsError, UsageError
from beatingbert.runs.checksums import find_changed, write_checksums
from beatingbert.runs.evidence import write_predictions, write_questions
from beatingbert.runs.files import as_text, whole, write_json
from beatingbert.runs.lease import Lease
from beatingbert.runs.record import FORMAT, RunRecord
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction

DAMAGED = "results.json.damaged"
EVIDENCE = ("predictions.parquet", "history.json", "prompts/template.txt", "prompts/prompts.jsonl")
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
RESULTS = "results.json"


class RunFolder:
    """The folder of one run while it is made: `with RunFolder(path) as folder: ...`, then `folder.finish(...)`.

    A run that fails leaves its traceback in `error.txt` and no `results.json`, so it is never taken for a result. A run
    that could not be done as asked leaves nothing: what it had begun to write is taken away again.
    """

    def __init__(self, path: Path, *, is_ours: bool = False, goes_on: bool = False) -> None:
        self.path = path
        self._is_ours = is_ours  # made for this run alone, so it may be taken away again
        self._goes_on = goes_on  # what an interrupted run has logged stays
        self._lease = Lease(path)

    def __enter__(self) -> Self:
        self._require_unfinished()
        if self.path.exists() and not self.path.is_dir():
            raise RunExistsError(f"{str(self.path)!r} is a file; --output_dir must be a folder or not exist yet")
        self._is_ours = self._is_ours or not self.path.exists()
        _make_folder(self.path, exist_ok=True)
        if not self._lease.acquire():
            raise RunBusyError(
                f"another process is working in {str(self.path)!r}; choose another --run_name or --output_dir"
            )
        try:
            self._require_unfinished()  # it may have been finished while we were waiting for it
            self._open_log()
        except BaseException:
            self._lease.release()
            raise
        return self

    def _require_unfinished(self) -> None:
        if (self.path / RESULTS).exists():
            raise RunExistsError(
                f"{str(self.path)!r} already holds a finished run, which is never overwritten; "
                "choose another --run_name or --output_dir, or remove the folder"
            )

    def _open_log(self) -> None:
        (self.path / "error.txt").unlink(missing_ok=True)
        mode = "a" if self._goes_on else "w"
        self._log = logging.FileHandler(self.path / "log.txt", mode=mode, encoding="utf-8", delay=False)
        self._log.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logger = logging.getLogger("beatingbert")
        logger.setLevel(logging.INFO)
        logger.addHandler(self._log)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger("beatingbert").removeHandler(self._log)
        with suppress(OSError):  # a full disk must not hide what went wrong first
            self._log.close()
        try:
            self._keep_error(error)
        finally:
            self._lease.release()

    def _keep_error(self, error: BaseException | None) -> None:
        if self._lease.is_lost:
            return  # the folder is another's
        if isinstance(error, UsageError) and self._is_ours:
            shutil.rmtree(self.path)
        elif error is not None:
            text = "".join(traceback.format_exception(error))
            with suppress(OSError):
                (self.path / "error.txt").write_text(text, encoding="utf-8")

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Keep what was asked for."""
        write_json(self.path / "config.json", config)

    def finish(
        self,
        record: RunRecord,
        *,
        questions: Mapping[str, Sequence[Question]],
        predictions: Mapping[str, Sequence[Prediction]],
        examples: Mapping[str, Sequence[Example]],
        history: Sequence[Mapping[str, Any]],
        template: str,
    ) -> RunRecord:
        """Write everything, `results.json` last and by rename.

        Args:
            record: what happened.
            questions: split to what was asked.
            predictions: split to its answers.
            examples: split to its examples, to keep the gold label beside each answer; empty in predict mode.
            history: one entry per epoch, or per prompt that was tried.
            template: text of the prompt template, empty where none was used.

        Raises:
            LeaseLostError: another process has taken the folder over; nothing of this run counts.
        """
        self._lease.require()
        write_json(self.path / "history.json", list(history))
        gold = {(split, example.question.id): example.label for split, rows in examples.items() for example in rows}
        write_questions(self.path / "questions.parquet", questions, gold)
        write_predictions(self.path / "predictions.parquet", predictions, gold)
        self._write_prompts(predictions, template)
        with whole(self.path / RESULTS) as beside:
            beside.write_text(as_text(record.to_json()), encoding="utf-8")
            there = {name: self.path / name for name in EVIDENCE if (self.path / name).exists()}
            write_checksums(self.path, {RESULTS: beside, **there})
            self._lease.require()
        return replace(record, folder=self.path)

    def _write_prompts(self, predictions: Mapping[str, Sequence[Prediction]], template: str) -> None:
        if not template:
            return
        folder = self.path / "prompts"
        folder.mkdir(exist_ok=True)
        (folder / "template.txt").write_text(template, encoding="utf-8")
        with (folder / "prompts.jsonl").open("w", encoding="utf-8") as file:
            for split, answers in predictions.items():
                for one in answers:
                    row = {"split": split, "id": one.question_id, "prompt": one.prompt}
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")


class RunStore:
    """All runs under one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._claimed: set[str] = set()

    def folder(self, run_name: str) -> RunFolder:
        """The folder of a run, inside the store whatever the name says.

        Raises:
            SettingsError: a name that is no plain file name.
        """
        if not SAFE_NAME.fullmatch(run_name):
            raise SettingsError(
                f"run name {run_name!r} must start with a letter or digit and hold only letters, digits and . _ + -"
            )
        return RunFolder(self.root / run_name, is_ours=run_name in self._claimed)

    def fresh_name(self, wanted: str) -> str:
        """`wanted`, or with _2, _3, ... behind it where a folder of that name exists.

        Its folder is made at once: two processes that ask in the same second get two names.
        """
        name, number = wanted, 2
        while True:
            try:
                _make_folder(self.folder(name).path, exist_ok=False)
            except FileExistsError:
                name, number = f"{wanted}_{number}", number + 1
            else:
                self._claimed.add(name)
                return name

    def records(self) -> Iterator[RunRecord]:
        """Every finished run, by folder name.

        Raises:
            DamagedRecordError: a results.json that cannot be read as a record.
        """
        for path in sorted(self.root.glob(f"**/{RESULTS}")):
            yield read_record(path)

    def quarantine(self) -> dict[Path, str]:
        """Set damaged runs aside, so that they count as not done: `results.json` becomes `results.json.damaged`.

        Returns:
            The folder of each that was found, to what is wrong with it, as its `damage.txt` tells too.
        """
        found: dict[Path, str] = {}
        for path in sorted(self.root.glob(f"**/{RESULTS}")):
            damage = find_damage(path.parent)
            if damage is not None:
                (path.parent / "damage.txt").write_text(damage + "\n", encoding="utf-8")
                path.replace(path.with_name(DAMAGED))
                found[path.parent] = damage
        return found


def find_damage(folder: Path) -> str | None:
    """What is wrong with a finished run, in a few words; None where nothing is. Reads all of its evidence."""
    try:
        read_record(folder / RESULTS)
    except DamagedRecordError as error:
        return str(error)
    return find_changed(folder)


def read_record(path: Path) -> RunRecord:
    """The record in one `results.json`.

    Raises:
        DamagedRecordError: it is not what was written, or no record of this version.
    """
    changed = find_changed(path.parent, only=RESULTS) if path.name == RESULTS else None
    if changed is not None:
        raise DamagedRecordError(f"run {str(path.parent)!r} is damaged: {changed}; move it away or run the cell again")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']!r}, expected {FORMAT}")
        return RunRecord.from_json(data, path.parent)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedRecordError(
            f"{str(path)!r} is no record of this version ({type(error).__name__}: {error}); "
            "move it away or run the cell again"
        ) from error


def _make_folder(path: Path, *, exist_ok: bool) -> None:
    try:
        path.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise SettingsError(f"folder {str(path)!r} cannot be made: {reason}; choose another --output_dir") from error
