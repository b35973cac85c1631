"""Answers that have been paid for, kept on disk: one SQLite file, by the hash of what was asked.

The file holds hashes and replies, neither prompts nor keys. What cannot be read in it counts as never asked.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import threading
from pathlib import Path

from beatingbert.engines.served.client import Reply
from beatingbert.errors import BeatingBertError

logger = logging.getLogger("beatingbert.engines.served")

TABLE = "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, reply TEXT NOT NULL, sha256 TEXT NOT NULL)"
PATIENCE_SECONDS = 30.0  # for another process that is writing


class AnswerCache:
    """Replies by key; several threads and processes may share it.

    Args:
        path: of the file; it and its folder are made. A file that is no such cache is set aside, not deleted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "column" not in str(error):
                raise BeatingBertError(
                    f"{path}, where answers are kept, cannot be used ({error}); another folder can be chosen with "
                    "BEATINGBERT_CACHE"
                ) from error
            self._set_aside()

    def get(self, key: str) -> Reply | None:
        """The reply that was kept; None where there is none, or a damaged one."""
        with self._lock:
            try:
                row = self._base.execute("SELECT reply, sha256 FROM answers WHERE key = ?", (key,)).fetchone()
            except sqlite3.OperationalError:  # busy beyond patience, or the disk: not the file's fault
                return None
            except sqlite3.DatabaseError:
                self._base.close()
                self._set_aside()
                return None
        if row is None:
            return None
        try:
            if _hash(row[0]) != row[1]:
                raise ValueError("its hash is another")
            return Reply.from_json(json.loads(row[0]))
        except (ValueError, KeyError, TypeError) as error:
            logger.warning("a kept answer is damaged (%s) and will be asked again", error)
            return None

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply, in place of an earlier one; it is on disk when this returns.

        Raises:
            BeatingBertError: it cannot be kept, which must not go unnoticed where answers are paid for.
        """
        text = json.dumps(reply.to_json())
        with self._lock:
            try:
                with self._base:
                    self._base.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", (key, text, _hash(text)))
            except sqlite3.Error as error:
                raise BeatingBertError(f"an answer cannot be kept in {self.path}: {error}") from error

    def __del__(self) -> None:
        if hasattr(self, "_base"):
            self._base.close()

    def _open(self) -> None:
        self._base = sqlite3.connect(self.path, timeout=PATIENCE_SECONDS, check_same_thread=False)
        try:
            self._base.execute(TABLE)
            self._base.execute("SELECT key, reply, sha256 FROM answers LIMIT 1").fetchone()
        except sqlite3.DatabaseError:
            self._base.close()
            raise

    def _set_aside(self) -> None:
        aside = self.path.with_name(self.path.name + ".damaged")
        logger.warning("%s is damaged; it is kept as %s and a fresh one is begun", self.path, aside)
        self.path.replace(aside)
        self._open()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
