"""All pictures of a report.

Their number stays bounded however many runs there are: a task's split gets the pictures of at most `GROUPS_PER_TASK`
groups of runs on the same rows (those with the most runs), and confusion matrices and reliability diagrams are drawn
of the best contender of each side alone. Those of any other run lie in its own folder, see `of_run`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from beatingbert.progress import Progress, silent
from beatingbert.report.contenders import Contender, Kind, Side
from beatingbert.report.frame import Frame, Group
from beatingbert.report.machines import of_one_machine
from beatingbert.report.overlap import overlap_of
from beatingbert.report.plots import style
from beatingbert.report.plots.heatmap import MOST, draw_heatmap
from beatingbert.report.plots.latency import draw_latency
from beatingbert.report.plots.learning import draw_learning
from beatingbert.report.plots.names import FileNames
from beatingbert.report.plots.of_run import pictures_of
from beatingbert.report.plots.scores import draw_scores
from beatingbert.report.plots.values import curves_of, levels_of, percent_of, point_of, title_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GROUPS_PER_TASK = 2
BARS = "bars: 95 % interval; ticks: seeds"

Picture = tuple[tuple[str, ...], "Figure"]
"""Parts of a file name, and what is drawn."""


def draw_all(frame: Frame, folder: Path, *, progress: Progress = silent) -> list[Path]:
    """Draw what the runs of a frame allow, as PNG and SVG.

    Returns:
        The files, in the order of the frame's groups.

    Raises:
        OSError: the folder cannot be written.
    """
    groups = _chosen(frame)
    files, paths = FileNames(), []
    progress("drawing", 0, len(groups))
    for done, group in enumerate(groups, start=1):
        with style.drawing():
            for parts, figure in _pictures(frame, group):
                paths += style.save(figure, folder, files.name(*parts))
        progress("drawing", done, len(groups))
    return paths


def _chosen(frame: Frame) -> list[Group]:
    """At most two groups per task and split; a frame names those with the most runs first."""
    seen: dict[tuple[str, str], int] = defaultdict(int)
    chosen = []
    for group in frame.groups:
        seen[group.task, group.split] += 1
        if seen[group.task, group.split] <= GROUPS_PER_TASK:
            chosen.append(group)
    return chosen


def _pictures(frame: Frame, group: Group) -> Iterator[Picture]:
    about = (group.task, *([group.split] if group.title != group.task else []))
    title = title_of(group)
    points = [point_of(group, one, "accuracy") for one in group.contenders]
    yield ("accuracy", *about), draw_scores(points, title=f"Accuracy on {title}", axis=f"accuracy, % ({BARS})")
    scored = [one for one in group.contenders if "macro_f1" in one.records[0].scores[group.split]["metrics"]]
    if scored:
        f1 = [point_of(group, one, "macro_f1") for one in scored]
        yield (
            ("macro-f1", *about),
            draw_scores(f1, title=f"Macro-F1 on {title}", axis=f"macro-F1, % ({BARS})"),
        )
    yield from _latencies(group, about, title)
    curves = curves_of(group)
    if any(len(one.sizes) > 1 for one in curves):
        figure = draw_learning(
            curves,
            levels_of(group),
            title=f"Accuracy by train rows on {title}",
            axis="accuracy, % (bars: lowest and highest seed)",
        )
        yield ("learning", *about), figure
    if len(group.contenders) > 1:
        yield ("overlap", *about), _draw_overlap(frame, group, title)
    for contender in _best_of_each_side(group):
        record = contender.records[0]
        for name, figure in pictures_of(record, group.split, (contender.name, title)):
            yield (name.replace("_", "-"), *about, contender.name), figure


def _latencies(group: Group, about: tuple[str, ...], title: str) -> Iterator[Picture]:
    """One picture per machine: times on two machines are not compared."""
    machines: dict[str, list[Contender]] = defaultdict(list)
    for one in group.contenders:
        if not one.is_constant:
            machines[of_one_machine(one.records)[0]].append(one)
    levels = [one for one in levels_of(group) if one.look is style.LOOKS[Kind.BASELINE]]
    for machine, contenders in machines.items():
        points = [point_of(group, one, "accuracy") for one in contenders]
        if any(one.milliseconds for one in points):
            figure = draw_latency(
                points, title=f"Accuracy against latency on {title}; {machine}", axis="accuracy, %", levels=levels[:1]
            )
            yield ("latency", *about, machine if len(machines) > 1 else ""), figure


def _draw_overlap(frame: Frame, group: Group, title: str) -> Figure:
    best = sorted(group.contenders, key=lambda one: -percent_of(group, one))[:MOST]
    found = overlap_of(frame, group, best)
    return draw_heatmap(
        found.names,
        found.jaccard,
        title=f"Shared errors on {title}",
        bar="shared of all errors (Jaccard)",
    )


def _best_of_each_side(group: Group) -> Sequence[Contender]:
    """Encoder, LLM, baseline; the majority baseline has nothing to show but a single column."""
    best: dict[Side, Contender] = {}
    for one in sorted(group.contenders, key=lambda one: -percent_of(group, one)):
        if not one.is_constant:
            best.setdefault(one.side, one)
    return [best[side] for side in Side if side in best]
