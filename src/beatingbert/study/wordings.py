"""How much of a score is the wording, how much the luck of the demonstrations."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean, stdev

from beatingbert.report.contenders import Contender
from beatingbert.report.frame import Group
from beatingbert.study.material import Material, is_usual_but_for_wording, way_of

SHIPPED = "shipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """One model's accuracy by template and draw of demonstrations.

    Attributes:
        group: the rows.
        model: whose.
        shots: demonstrations.
        templates: name to who was asked so; the shipped one first.
        scores: template to seed to accuracy as a fraction.
    """

    group: Group
    model: str
    shots: int
    templates: dict[str, Contender]
    scores: dict[str, dict[int, float]]

    @property
    def all_scores(self) -> list[float]:
        """Of every template and draw."""
        return [score for of_one in self.scores.values() for score in of_one.values()]

    @property
    def spread(self) -> float:
        """From the worst to the best of them, as a fraction."""
        return max(self.all_scores) - min(self.all_scores)

    @property
    def between_templates(self) -> float:
        """From the worst to the best template, each by the mean of its draws."""
        means = [fmean(of_one.values()) for of_one in self.scores.values()]
        return max(means) - min(means)

    @property
    def between_draws(self) -> float | None:
        """Standard deviation between draws of one template, the root of the mean variance; None for single draws."""
        several = [list(of_one.values()) for of_one in self.scores.values() if len(of_one) > 1]
        return fmean(stdev(scores) ** 2 for scores in several) ** 0.5 if several else None


def find_grids(material: Material) -> list[Grid]:
    """One per model and number of demonstrations that was asked by several templates and otherwise in the usual way."""
    grids = []
    for lineup in material.lineups:
        asked: dict[tuple[str, str, int], dict[str, Contender]] = defaultdict(dict)
        for one in (*lineup.main, *lineup.unusual):
            if one.engine == "llm" and is_usual_but_for_wording(one.records[0]):
                asked[way_of(one)][material.template_of(one.records[0]) or SHIPPED] = one
        for (_, _, shots), templates in asked.items():
            if len(templates) > 1:
                grids.append(_grid(lineup.group, shots, templates))
    return grids


def _grid(group: Group, shots: int, templates: dict[str, Contender]) -> Grid:
    ordered = dict(sorted(templates.items(), key=lambda one: (one[0] != SHIPPED, one[0])))
    scores = {
        name: {
            record.cell.seed: float(score)
            for record, score in zip(one.records, group.right(one).mean(axis=1), strict=True)
        }
        for name, one in ordered.items()
    }
    return Grid(group=group, model=next(iter(ordered.values())).model, shots=shots, templates=ordered, scores=scores)
