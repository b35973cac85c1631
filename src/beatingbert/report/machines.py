"""Which machine a run's times are true of; those of two machines have no mean and cannot be compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from beatingbert.runs.record import RunRecord


class Letters:
    """Gives each machine a letter, in the order in which it is first asked for.

    Attributes:
        given: machine to its letter.
    """

    def __init__(self) -> None:
        self.given: dict[str, str] = {}

    def of(self, machine: str) -> str:
        """The machine's letter: A, B, ..., Z, AA, AB, ..."""
        return self.given.setdefault(machine, _letter(len(self.given)))


def _letter(number: int) -> str:
    return ("" if number < 26 else _letter(number // 26 - 1)) + chr(ord("A") + number % 26)


def machine_of(record: RunRecord) -> str:
    """The machine in words: its GPUs where one was used, else its processor and the cores that the run used.

    Of a model behind a server only the server is known, and whose times they are.
    """
    if record.is_served:
        return f"whatever is behind the server at {record.cell.settings.get('base_url')}"
    if uses_gpu(record):
        gpus = gpus_of(record)
        return f"{len(gpus)} x {gpus[0]}" if gpus else "a GPU that the record does not name"
    cores, used = cores_of(record), used_cores(record)
    told = "? cores" if cores is None else f"{cores:g} core{'s' if cores != 1 else ''}"
    if used is not None and used != cores:
        told = f"{used:g} of {told}"
    return f"{_told(record).get('cpu') or 'unknown processor'}, {told}"


def processor_of(record: RunRecord) -> str:
    """What computed: the GPU's name, the processor's whatever the number of cores, or the server."""
    if record.is_served:
        return machine_of(record)
    if uses_gpu(record):
        return next(iter(gpus_of(record)), "unknown GPU")
    return str(_told(record).get("cpu") or "unknown processor")


def by_machine(records: Iterable[RunRecord]) -> dict[tuple[str, str], list[RunRecord]]:
    """(machine, precision) to the runs that were measured there in it, in the order of the first of each."""
    found: dict[tuple[str, str], list[RunRecord]] = defaultdict(list)
    for record in records:
        found[machine_of(record), str(record.efficiency["precision"])].append(record)
    return dict(found)


def of_one_machine(records: Iterable[RunRecord]) -> tuple[str, str, list[RunRecord]]:
    """The machine and the precision that most of the runs were measured with, and those runs."""
    (machine, precision), found = max(by_machine(records).items(), key=lambda one: len(one[1]))
    return machine, precision, found


def uses_gpu(record: RunRecord) -> bool:
    """Whether the run's times are a GPU's."""
    return str(record.efficiency["device"]).startswith("cuda")


def gpus_of(record: RunRecord) -> list[str]:
    """Names of the machine's GPUs."""
    return [str(one["name"]) for one in _told(record).get("gpus") or ()]


def cores_of(record: RunRecord) -> float | None:
    """How many processor cores the run could use; None where the record does not tell."""
    limits = (_told(record).get("logical_cores"), _told(record).get("cpu_quota_cores"))
    return min((float(one) for one in limits if one), default=None)


def used_cores(record: RunRecord) -> float | None:
    """How many of them it used: as many as torch had threads, all where torch was not loaded."""
    cores, threads = cores_of(record), record.environment.get("threads")
    return cores if cores is None or not threads else min(cores, float(threads))


def _told(record: RunRecord) -> dict[str, Any]:
    return dict(record.environment.get("machine") or {})
