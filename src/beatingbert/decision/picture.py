"""The learning curve as a picture, drawn as reports draw theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from beatingbert.decision.curve import Curve
from beatingbert.decision.trials import METRIC_NAMES, Metric

NAME = "learning_curve"


def draw_curves(curves: Sequence[Curve], folder: Path, *, metric: Metric, title: str) -> list[Path]:
    """Draw who was trained as lines and who was prompted as levels; nothing where nobody has two sizes."""
    from beatingbert.report.plots import points, style
    from beatingbert.report.plots.learning import draw_learning

    scale = 1.0 if metric == "mcc" else 100.0
    lines = [
        points.Curve(
            name=one.candidate.name,
            look=style.LOOKS[one.candidate.kind],
            sizes=tuple(point.rows for point in one.points),
            scores=tuple((scale * point.score.value,) for point in one.points),
        )
        for one in curves
        if one.candidate.learns and not one.candidate.is_constant
    ]
    levels = [
        points.Level(
            name=one.candidate.name,
            look=style.LOOKS[one.candidate.kind],
            value=scale * one.points[-1].score.value,
        )
        for one in curves
        if not one.candidate.learns or one.candidate.is_constant
    ]
    if all(len(line.sizes) < 2 for line in lines):
        return []
    axis = f"{METRIC_NAMES[metric]} on development" + ("" if metric == "mcc" else ", %")
    with style.drawing():
        figure = draw_learning(lines, levels, title=title, axis=axis)
        return style.save(figure, folder, NAME)
