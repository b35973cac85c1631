"""What answers cost, from a price file that the user can edit.

A run that was measured on a machine costs that machine's time at its measured throughput; a served model that is paid
by the token costs its tokens. A run for which the file has no price has no cost, and the reason is told.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from beatingbert.errors import DataError
from beatingbert.report.machines import gpus_of, used_cores, uses_gpu
from beatingbert.runs.record import RunRecord

SHIPPED = "examples in round figures, none of them looked up; give your own with --prices FILE"
ENTRIES: dict[str, dict[str, type]] = {
    "cpu": {"per_core_hour": float},
    "gpu": {"name": str, "per_gpu_hour": float},
    "served": {"model": str, "per_million_input_tokens": float, "per_million_output_tokens": float},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a million answers cost, or why nobody knows.

    Attributes:
        per_million: in the price file's currency; None where no price applies.
        basis: what was paid for, e.g. "2 cores"; where there is no price, what is missing.
    """

    per_million: float | None
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """A price file as read.

    Attributes:
        source: where the prices come from, as a report names it.
        currency: of every price.
        per_core_hour: of a virtual core of a machine without GPU; None where the file has none.
        gpus: a word of the GPU's name to the price of one for an hour.
        served: model to the price of a million tokens, read and written.
    """

    source: str
    currency: str
    per_core_hour: float | None
    gpus: Mapping[str, float]
    served: Mapping[str, tuple[float, float]]

    def cost(self, record: RunRecord) -> Cost:
        """What a million answers like this run's cost."""
        if record.is_served:
            return self._cost_of_tokens(record)
        hourly, basis = self._machine(record)
        if hourly is None:
            return Cost(per_million=None, basis=basis)
        per_second = record.efficiency["throughput"]["questions_per_second"]
        return Cost(per_million=1e6 / per_second / 3600 * hourly, basis=basis)

    def _machine(self, record: RunRecord) -> tuple[float | None, str]:
        """The price of the run's machine for an hour, with what of it is paid for."""
        if not uses_gpu(record):
            cores = used_cores(record)
            if cores is None:
                return None, "the record does not tell how many cores the machine has"
            if self.per_core_hour is None:
                return None, "no price for a core: add [cpu] to the price file"
            return cores * self.per_core_hour, f"{cores:g} core{'s' if cores != 1 else ''}"
        names = gpus_of(record)
        if not names:
            return None, "the record does not name its GPU"
        for word, price in self.gpus.items():
            if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", names[0], re.IGNORECASE):
                return len(names) * price, f"{len(names)} x {word}"
        return None, f"no price for GPU {names[0]!r}: add [[gpu]] to the price file"

    def _cost_of_tokens(self, record: RunRecord) -> Cost:
        """A served model is paid by the token where the file has its price; else somebody else's machine answers."""
        if record.model not in self.served:
            return Cost(
                per_million=None, basis=f"no price for served model {record.model!r}: add [[served]] to the price file"
            )
        usage = record.notes.get("usage") or {}
        try:
            read, written = (usage[name] / usage["answers"] for name in ("input_tokens", "output_tokens"))
        except (KeyError, TypeError, ZeroDivisionError):
            return Cost(per_million=None, basis="the record does not tell how many tokens were used")
        for_read, for_written = self.served[record.model]
        # A million answers, prices per million tokens: the two millions cancel.
        return Cost(per_million=read * for_read + written * for_written, basis=f"{read + written:,.0f} tokens each")


def read_prices(path: Path | None = None) -> Prices:
    """The user's price file, or the shipped one, whose prices are examples.

    Raises:
        DataError: the file cannot be read, lacks an entry, has one too many, or a price is no number from 0 on.
    """
    shipped = files("beatingbert.report") / "prices.toml"
    place = "prices.toml" if path is None else str(path)
    try:
        data = tomllib.loads((shipped if path is None else path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"price file {place!r} cannot be read: {error}") from error
    unknown = [name for name in data if name not in ("currency", *ENTRIES)]
    if unknown:
        raise DataError(f"price file {place!r} has an unknown entry {unknown[0]!r}; known: currency, cpu, gpu, served")
    cpu = _checked("cpu", data["cpu"], place) if "cpu" in data else {}
    gpus = [_checked("gpu", one, place) for one in _listed("gpu", data, place)]
    served = [_checked("served", one, place) for one in _listed("served", data, place)]
    return Prices(
        source=SHIPPED if path is None else place,
        currency=str(data.get("currency", "USD")),
        per_core_hour=cpu.get("per_core_hour"),
        gpus={one["name"]: one["per_gpu_hour"] for one in gpus},
        served={one["model"]: (one["per_million_input_tokens"], one["per_million_output_tokens"]) for one in served},
    )


def _listed(kind: str, data: Mapping[str, Any], place: str) -> list[Any]:
    entries = data.get(kind, [])
    if not isinstance(entries, list):
        raise DataError(f"price file {place!r}: write [[{kind}]], since there may be several")
    return entries


def _checked(kind: str, entry: Any, place: str) -> dict[str, Any]:
    """One entry whose names and types are as they should be."""
    wanted = ENTRIES[kind]
    if not isinstance(entry, dict) or entry.keys() != wanted.keys():
        raise DataError(f"price file {place!r}: an entry of {kind!r} holds exactly {', '.join(wanted)}; got {entry!r}")
    for name, value in entry.items():
        number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
        if not (isinstance(value, str) and value if wanted[name] is str else number):
            raise DataError(f"price file {place!r}: {name} must be {_asked(wanted[name])}, got {value!r}")
    return {name: value if wanted[name] is str else float(value) for name, value in entry.items()}


def _asked(kind: type) -> str:
    return "a text" if kind is str else "a number, 0 or more"
