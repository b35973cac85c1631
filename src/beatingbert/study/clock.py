"""Whose times a study tells: those taken on the processor of most of its runs, as those of two cannot be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from beatingbert.report.contenders import Contender
from beatingbert.report.machines import machine_of, of_one_machine, processor_of
from beatingbert.runs.record import RunRecord


class Clock:
    """The processor that counts.

    Args:
        records: all of the study.

    Attributes:
        processor: that of most records.
        others: machines of the other records, in alphabetical order.
    """

    def __init__(self, records: Sequence[RunRecord]) -> None:
        self.processor = Counter(map(processor_of, records)).most_common(1)[0][0]
        self.others = sorted({machine_of(one) for one in records if processor_of(one) != self.processor})

    def runs_of(self, contender: Contender) -> list[RunRecord]:
        """A contender's runs whose times count, all of one machine and precision; empty where it has run elsewhere."""
        there = [one for one in contender.records if processor_of(one) == self.processor]
        return of_one_machine(there)[2] if there else []
