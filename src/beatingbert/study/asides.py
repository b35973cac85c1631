"""What is asked beside the main contest: wording, calibration, replies without label, habits, and the rows."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from beatingbert.report.contenders import Contender, Kind
from beatingbert.report.estimates import accuracy_of
from beatingbert.report.text import escape_markdown, figure, markdown_table
from beatingbert.study.answer import plain_title, title_of
from beatingbert.study.clock import Clock
from beatingbert.study.material import Lineup, Material
from beatingbert.study.quotes import Quotes, short_ids
from beatingbert.study.section import Rows, Section, bare_p, exact, full_ids, in_percent
from beatingbert.study.variants import Change, Written
from beatingbert.study.verdicts import Ruling
from beatingbert.study.wordings import Grid

DAGGER = "\N{DAGGER}"  # marks a change between two kinds of device
FIRST_BATCH = 16
"""Questions per batch of the first study, whose latency is that of a batch."""


def wordings(grids: Sequence[Grid], rulings: Sequence[Ruling], quotes: Quotes) -> Section:
    """Templates and draws against the gap that decides."""
    if not grids:
        return Section("No model has been asked in several wordings yet.\n")
    names = list(dict.fromkeys(name for grid in grids for name in grid.templates))
    columns = ["task", "model", "shots", *(f"{name}: mean (lowest to highest)" for name in names)]
    columns += ["between templates", "between draws (sd)", "worst to best"]
    rows: Rows = []
    plain: Rows = [["task", "model", "shots", "template", "seed", "accuracy", "cell"]]
    for grid in grids:
        cells = [_of_template(grid, name) for name in names]
        asked = grid.templates.values()
        spread = quotes.measured("wordings", "spread", f"{100 * grid.spread:.1f}", grid.spread, *asked)
        draws = "-" if grid.between_draws is None else f"{100 * grid.between_draws:.1f}"
        shown = [*cells, f"{100 * grid.between_templates:.1f}", draws, spread]
        rows.append([plain_title(grid.group.task), grid.model, str(grid.shots), *shown])
        for name, one in grid.templates.items():
            for record in one.records:
                score = exact(grid.scores[name][record.cell.seed])
                told = [grid.group.task, grid.model, str(grid.shots), name, str(record.cell.seed)]
                plain.append([*told, *score, record.cell.id])
    lines = "".join(f"{_against(grid, rulings)}\n" for grid in _widest(grids))
    return Section(markdown_table(columns, rows, left=2) + "\n" + lines, {"wordings": plain})


def _of_template(grid: Grid, name: str) -> str:
    if name not in grid.scores:
        return "-"
    found = list(grid.scores[name].values())
    mean = f"{100 * sum(found) / len(found):.1f}"
    return mean if len(found) == 1 else f"{mean} ({100 * min(found):.1f} to {100 * max(found):.1f})"


def _widest(grids: Sequence[Grid]) -> list[Grid]:
    """The widest of each task."""
    tasks = dict.fromkeys(grid.group.task for grid in grids)
    return [max((one for one in grids if one.group.task == task), key=lambda one: one.spread) for task in tasks]


def _against(grid: Grid, rulings: Sequence[Ruling]) -> str:
    told = (
        f"On {title_of(grid.group.task)} the {len(grid.all_scores)} prompts of {escape_markdown(grid.model)} with "
        f"{grid.shots} demonstrations lie up to {100 * grid.spread:.1f} points apart"
    )
    for one in rulings:
        if one.group.task == grid.group.task and one.way is Kind.PROMPTED:
            size = abs(one.verdict.gap.value)
            relation = "more than" if grid.spread > size else "no more than"
            decided = "that decides there" if one.winner in ("encoder", "llm") else "between the best of both sides"
            told += f", {relation} the gap of {100 * size:.1f} points {decided}"
    return f"- {told}."


def optimised(lineups: Sequence[Lineup], quotes: Quotes) -> Section:
    """What searching for a better prompt found, beside the same model's plain ones."""
    columns = ["task", "model", "how", "prompts tried", "calls", "demonstrations kept", "accuracy"]
    columns += ["plain zero-shot", "plain few-shot", "zero-shot's answers kept"]
    rows: Rows = []
    for lineup in lineups:
        group = lineup.group
        for one in lineup.main:
            if one.engine != "optimized":
                continue
            notes, zero = one.records[0].notes, _plain_prompt(lineup, one, shown=False)
            asked = (one, zero, _plain_prompt(lineup, one, shown=True))
            told = [
                "-" if who is None else quotes.accuracy("optimised", who, accuracy_of(who.records, group.split))
                for who in asked
            ]
            same = None if zero is None else float((group.right(one)[0] == group.right(zero)[0]).mean())
            told.append("-" if same is None else f"{100 * same:.1f} %")
            searched = [f"{notes.get(name, 0):,}" for name in ("candidates", "optimizer_calls")]
            kept = str(len(notes.get("demonstrations") or ()))
            rows.append([plain_title(group.task), one.model, one.how, *searched, kept, *told])
    if not rows:
        return Section("No prompt has been searched for yet.\n")
    return Section(markdown_table(columns, rows, left=3))


def _plain_prompt(lineup: Lineup, one: Contender, *, shown: bool) -> Contender | None:
    """The same weights with a prompt that nobody searched for, with demonstrations or without."""
    weights = one.records[0].checkpoint
    for other in lineup.main:
        record = other.records[0]
        if other.engine == "llm" and record.checkpoint == weights and bool(record.cell.settings.get("shots")) is shown:
            return other
    return None


def calibrations(found: Sequence[Change], quotes: Quotes) -> Section:
    """What calibration changes in accuracy and in how far probabilities can be believed."""
    if not found:
        return Section("No calibrated cell has been run next to its raw one yet.\n")
    columns = ["task", "model", "how", "seeds", "accuracy raw", "calibrated", "change [95 %]", "p"]
    columns += ["ECE raw", "calibrated"]
    rows: Rows = []
    for one in found:
        ece = one.metric("ece")
        shown = ["-", "-"] if ece is None else [figure(value, 3) for value in ece]
        rows.append([*_change(one, quotes, "calibration"), *shown])
    return Section(markdown_table(columns, rows, left=3) + _elsewhere(found), {"calibration": _plain(found)})


def habits(found: Sequence[Change], quotes: Quotes) -> Section:
    """What single habits of the first study change."""
    if not found:
        return Section("No cell with a habit of the first study has been run next to one without yet.\n")
    columns = ["task", "model", "how", "seeds", "accuracy without the habit", "with it", "change [95 %]", "p"]
    rows = [_change(one, quotes, "habits") for one in found]
    return Section(markdown_table(columns, rows, left=3) + _elsewhere(found), {"habits": _plain(found)})


def _elsewhere(found: Sequence[Change]) -> str:
    """What the dagger means, where there is one."""
    count = sum(one.elsewhere for one in found)
    if not count:
        return ""
    return (
        f"\n{DAGGER} {count:,} of {len(found):,} ran with and without on different kinds of device, at least in part: "
        "the change holds that of the rounding too, and for what is trained that of a training that ended elsewhere.\n"
    )


def _change(one: Change, quotes: Quotes, place: str) -> list[str]:
    both = one.metric("accuracy")
    assert both is not None  # everyone who answered has one
    quotes.gap(place, one.changed, one.usual, one.verdict)
    return [
        plain_title(one.group.task),
        one.usual.model,
        one.changed.how + (f" {DAGGER}" if one.elsewhere else ""),
        str(len(one.usual.records)),
        *(f"{100 * value:.1f}" for value in both),
        in_percent(one.verdict.gap, signed=True),
        bare_p(one.verdict.p_value),
    ]


def _plain(found: Sequence[Change]) -> Rows:
    rows: Rows = [["task", "model", "how", "setting", "seeds", "accuracy_without", "accuracy_with", "change", "low"]]
    rows[0] += ["high", "p_value", "ece_without", "ece_with", "cells_without", "cells_with"]
    for one in found:
        gap = one.verdict.gap
        numbers = exact(*(one.metric("accuracy") or ()), gap.value, gap.low, gap.high, one.verdict.p_value)
        numbers += exact(*(one.metric("ece") or (None, None)))
        who = [one.group.task, one.usual.model, one.changed.how, one.setting, str(len(one.usual.records))]
        rows.append([*who, *numbers, full_ids(one.usual), full_ids(one.changed)])
    return rows


def unparsed(found: Sequence[Written], quotes: Quotes) -> Section:
    """How many written replies name no label, and what counting them as the first label would have changed."""
    if not found:
        return Section("No cell with written replies has been run yet.\n")
    columns = ["task", "model", "how", "no label", "accuracy (wrong)", "as the first label", "change", "cells"]
    rows: Rows = []
    plain: Rows = [["task", "model", "how", "unparsed", "asked", "accuracy", "as_first_label", "first_label", "cells"]]
    for one in found:
        who = [one.contender.model, one.contender.how]
        none = quotes.measured("unparsed", "unparsed", f"{one.unparsed:,}", one.unparsed, one.contender)
        counted = quotes.measured(
            *("unparsed", "accuracy as first label", f"{100 * one.as_first_label:.1f}", one.as_first_label),
            one.contender,
        )
        share = f"{none} of {one.asked:,} ({100 * one.unparsed / one.asked:.1f} %)"
        change = f"{100 * (one.as_first_label - one.accuracy):+.1f}"
        shown = [share, f"{100 * one.accuracy:.1f}", f"{counted} ({escape_markdown(one.first_label)})", change]
        rows.append([plain_title(one.group.task), *who, *shown, " ".join(short_ids([one.contender]))])
        told = [one.group.task, *who, str(one.unparsed), str(one.asked), *exact(one.accuracy, one.as_first_label)]
        plain.append([*told, one.first_label, full_ids(one.contender)])
    return Section(markdown_table(columns, rows, left=3), {"unparsed": plain})


def batches(material: Material, clock: Clock) -> Section:
    """What a batch's time would have been called, where the first study's way of timing encoders is applied."""
    rows: Rows = []
    for lineup in material.lineups:
        for one in lineup.main:
            records = clock.runs_of(one)
            if one.kind is not Kind.ENCODER or not records:
                continue
            alone = median(record.efficiency["latency"]["p50_ms"] for record in records)
            speed = median(record.efficiency["throughput"]["questions_per_second"] for record in records)
            batch = 1000 * FIRST_BATCH / speed
            shown = [f"{alone:.1f}", f"{batch:.1f}", f"{1000 / speed:.1f}"]
            rows.append([plain_title(lineup.group.task), one.model, one.how, *shown])
    if not rows:
        return Section("No encoder has been run yet.\n")
    columns = [
        "task",
        "model",
        "how",
        "one question, ms",
        f"batch of {FIRST_BATCH}, ms",
        "per question in the batch, ms",
    ]
    return Section(markdown_table(columns, rows, left=3))


def rows_of(material: Material) -> Section:
    """Which rows were there, and how many were used."""
    columns = ["task", "train rows", "used at most", "evaluated", "of", "also in train", "data"]
    rows: Rows = []
    for lineup in material.lineups:
        group = lineup.group
        records = [record for one in lineup.main for record in one.records]
        most = max(records, key=lambda record: (int(record.data.get("train_rows") or 0), record.cell.id))
        splits = most.data.get("splits", {})
        train, asked = splits.get("train", {}), splits.get(group.split, {})
        part = " (a part of the published split)"
        rows.append(
            [
                plain_title(group.task),
                f"{train['rows']:,}{part if train.get('partial') else ''}" if train else "-",
                f"{most.data.get('train_rows') or 0:,} and {most.data.get('development_rows') or 0:,} to select on",
                f"{group.rows:,}",
                f"{asked['rows']:,}{part if asked.get('partial') else ''}" if asked else "-",
                str(asked.get("texts_also_in_train", "-")),
                f"`{group.revision[:12]}`",
            ]
        )
    return Section(markdown_table(columns, rows, left=1))
