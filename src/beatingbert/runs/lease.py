"""The right to work in a run's folder: held by one process at a time, on this machine or on any that sees the folder.

Two locks, because neither is enough. The kernel's is let go by a killed process at once and cannot be lost by a live
one, but other hosts of a shared disk may not see it. The lease is a file that its owner refreshes: whoever has watched
it for `PATIENCE_SECONDS` without a change may take it over, exactly one of several. That time is measured on the
watcher's own monotonic clock, so no clock that jumps, and no two that differ, can end a lease.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, SoftFileLease, Timeout

from beatingbert.errors import LeaseLostError

LOCK = ".working"
LEASE = ".lease"
BEAT_SECONDS = 15.0
PATIENCE_SECONDS = 90.0  # above the minute for which a shared disk may keep what it knows of a file
LOOK_EVERY_SECONDS = 0.2


class Lease:
    """The right to work in one folder.

    Args:
        folder: must exist when the lease is acquired.
        patience_seconds: how long another host's lease must be seen unchanged; the same for all who share the folder.
        beat_seconds: how often this one is refreshed.
    """

    def __init__(
        self, folder: Path, *, patience_seconds: float = PATIENCE_SECONDS, beat_seconds: float = BEAT_SECONDS
    ) -> None:
        self._folder = folder
        self._lock = FileLock(folder / LOCK, timeout=0)
        self._lease = SoftFileLease(
            folder / LEASE, lease_duration=patience_seconds, heartbeat_interval=beat_seconds, timeout=0
        )

    def acquire(self, *, patient: bool = True) -> bool:
        """Whether the folder is ours now.

        Args:
            patient: watch a lease of another host until it is refreshed or has ended; else take it for held.
        """
        try:
            self._lock.acquire()
        except Timeout:
            return False
        is_ours = False
        try:
            is_ours = self._acquire_lease(patient=patient)
        finally:
            if not is_ours:
                self._unlock()
        return is_ours

    def release(self) -> None:
        """Let the folder go and leave no trace."""
        is_lost = self.is_lost
        self._lease.release()
        if is_lost:
            self._lock.release()
        else:
            self._unlock()

    @property
    def is_lost(self) -> bool:
        """Whether another process has taken over, because this one was halted or cut off for long."""
        return self._lease.compromise is not None

    def require(self) -> None:
        """See that the folder is still ours.

        Raises:
            LeaseLostError: this process was halted or cut off for so long that another has taken over.
        """
        if self.is_lost:
            raise LeaseLostError(
                f"{str(self._folder)!r} was taken over by another process, because this one had not refreshed its "
                "lease in time; what the other one finishes counts, this does not"
            )

    def _unlock(self) -> None:
        with suppress(OSError):  # still held when it is removed, so that nobody locks a file that is gone
            (self._folder / LOCK).unlink()
        self._lock.release()

    def _acquire_lease(self, *, patient: bool) -> bool:
        seen = self._beat()
        while True:
            try:
                self._lease.acquire()
            except Timeout:
                if not patient or self._beat() != seen:
                    return False
                time.sleep(LOOK_EVERY_SECONDS)
            else:
                return True

    def _beat(self) -> tuple[int, int] | None:
        """What changes when the lease is refreshed; opened, since a shared disk looks anew only then."""
        try:
            with (self._folder / LEASE).open("rb") as file:
                status = os.fstat(file.fileno())
                return status.st_ino, status.st_mtime_ns
        except OSError:
            return None


def is_being_worked_in(folder: Path) -> bool:
    """Whether a process that is alive makes a run there, or one of another host that may be."""
    if not (folder / LOCK).exists() and not (folder / LEASE).exists():
        return False
    lease = Lease(folder)
    if not lease.acquire(patient=False):
        return True
    lease.release()
    return False
