"""What one setting changes: the same model on the same rows with it and without it, claims corrected together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from beatingbert.report.comparisons import LEVEL, MARGIN
from beatingbert.report.contenders import Contender
from beatingbert.report.frame import Group
from beatingbert.statistics.multiplicity import holm
from beatingbert.statistics.sides import contender_p_value, judge_contenders
from beatingbert.statistics.verdict import Verdict
from beatingbert.study.material import Lineup, Material
from beatingbert.tasks.catalog import TASKS

Kind = Callable[[Contender], str | None]
"""Names the setting in which somebody is unusual; None where that is not what it differs in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One model with a setting, and without.

    Attributes:
        group: the rows.
        setting: in words.
        usual, changed: without and with it, by the runs of the seeds that both have.
        verdict: changed against usual.
    """

    group: Group
    setting: str
    usual: Contender
    changed: Contender
    verdict: Verdict

    @property
    def elsewhere(self) -> bool:
        """Whether the two ran on different kinds of device, which round otherwise."""
        devices = [{str(record.efficiency["device"]) for record in one.records} for one in (self.usual, self.changed)]
        return devices[0] != devices[1]

    def metric(self, name: str) -> tuple[float, float] | None:
        """A metric's mean over seeds without and with it; None where one of the two has none."""
        found = [self._values(one, name) for one in (self.usual, self.changed)]
        return None if not all(found) else (fmean(found[0]), fmean(found[1]))

    def _values(self, one: Contender, name: str) -> list[float]:
        metrics = [record.scores[self.group.split]["metrics"] for record in one.records]
        return [float(metric[name]["value"]) for metric in metrics if name in metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Replies that were written and read.

    Attributes:
        group: the rows.
        contender: who wrote.
        unparsed: replies that named no label, over all seeds.
        asked: questions, over all seeds.
        accuracy: with those counted as wrong, as a fraction.
        as_first_label: with those counted as the task's first label.
        first_label: that label.
    """

    group: Group
    contender: Contender
    unparsed: int
    asked: int
    accuracy: float
    as_first_label: float
    first_label: str


def calibration_of(contender: Contender) -> str | None:
    """The kind of calibration."""
    kind = contender.records[0].cell.settings.get("calibration", "none")
    return None if kind == "none" else f"{kind} calibration"


def habit_of(contender: Contender) -> str | None:
    """A habit of the first study, where that is all in which somebody is unusual."""
    cell = contender.records[0].cell
    settings = cell.settings
    if cell.select_on == "validation":
        return "best epoch chosen on the reported rows"
    if cell.engine == "encoder" and settings.get("max_length") == 128:
        return "inputs cut at 128 tokens"
    if settings.get("chat_template") == "never" and settings.get("answer_by") == "likelihood":
        return "no chat template"
    if settings.get("shot_order") == "by_label":
        return "demonstrations sorted by label"
    return None


def changes(material: Material, kind: Kind) -> list[Change]:
    """Everyone who is unusual in one way, against the usual, corrected for all of them."""
    pairs: list[tuple[Lineup, str, Contender, Contender]] = []
    for lineup in material.lineups:
        for one in lineup.unusual:
            setting, usual = kind(one), lineup.usual_of(one)
            if setting is None or usual is None:
                continue
            seeds = {record.cell.seed for record in one.records} & {record.cell.seed for record in usual.records}
            if seeds and material.template_of(one.records[0]) is None:
                pairs.append((lineup, setting, _of_seeds(usual, seeds), _of_seeds(one, seeds)))
    rights = [(lineup.group.right(changed), lineup.group.right(usual)) for lineup, _, usual, changed in pairs]
    corrected = holm([contender_p_value(*both) for both in rights])
    return [
        Change(
            group=lineup.group,
            setting=setting,
            usual=usual,
            changed=changed,
            verdict=judge_contenders(*both, margin=MARGIN, level=LEVEL, p_value=p_value, claims=len(pairs)),
        )
        for (lineup, setting, usual, changed), both, p_value in zip(pairs, rights, corrected, strict=True)
    ]


def _of_seeds(contender: Contender, seeds: set[int]) -> Contender:
    return replace(contender, records=tuple(one for one in contender.records if one.cell.seed in seeds))


def written(material: Material) -> list[Written]:
    """Everyone whose replies were read, and what the first study would have counted."""
    found = []
    for lineup in material.lineups:
        for one in lineup.unusual:
            if one.records[0].cell.settings.get("answer_by") == "generation":
                found.append(_written(material, lineup.group, one))
    return found


def _written(material: Material, group: Group, contender: Contender) -> Written:
    first = TASKS[group.task].labels[0]
    right = counted = unparsed = 0
    for record in contender.records:
        labels: Sequence[str | None] = material.frame.answers(record, group.split).label.tolist()
        for label, gold in zip(labels, group.gold.tolist(), strict=True):
            right += label == gold
            counted += (first if label is None else label) == gold
            unparsed += label is None
    asked = group.rows * len(contender.records)
    return Written(
        group=group,
        contender=contender,
        unparsed=unparsed,
        asked=asked,
        accuracy=right / asked,
        as_first_label=counted / asked,
        first_label=first,
    )
