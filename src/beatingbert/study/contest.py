"""The main contest's blocks: how far the study is, everyone's scores, the verdicts, the curves and the costs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median

from beatingbert.report.contenders import Contender
from beatingbert.report.estimates import accuracy_of
from beatingbert.report.machines import machine_of
from beatingbert.report.prices import Prices
from beatingbert.report.text import duration, escape_markdown, markdown_table, money, whole
from beatingbert.report.unknown import known_median, peak_mib
from beatingbert.runs.published import Listed
from beatingbert.runs.record import RunRecord
from beatingbert.study.answer import about, plain_title, title_of
from beatingbert.study.clock import Clock
from beatingbert.study.crossings import LearningCurve
from beatingbert.study.material import Lineup, Material
from beatingbert.study.quotes import Quotes, short_ids
from beatingbert.study.section import Rows, Section, bare_p, exact, full_ids, in_percent, metric_of
from beatingbert.study.verdicts import Ruling

WINS = {"encoder": "encoder ahead", "llm": "LLM ahead", "equal": "practically equal", "open": "undecided"}


def coverage(material: Material) -> Section:
    """How far the study is, and what is missing."""
    total, missing = len(material.cells.cells), material.missing
    if not missing:
        return Section(f"All {total:,} cells of `{material.cells.suite}` are in.\n")
    kinds: dict[tuple[str, str, str], list[Listed]] = {}
    for one in missing:
        kinds.setdefault((one.engine, one.model, one.how), []).append(one)
    lines = [f"- {_kind(*kind)}: {_of_tasks(cells)}" for kind, cells in kinds.items()]
    return Section(
        f"**So far: {total - len(missing):,} of {total:,} cells.** What follows is true of these.\n\n"
        f"<details><summary>Not run yet: {len(missing):,} cells</summary>\n\n" + "\n".join(lines) + "\n\n</details>\n"
    )


def _kind(engine: str, model: str, how: str) -> str:
    return engine if model == engine else f"`{model}`, {escape_markdown(how or engine)}"


def _of_tasks(cells: Sequence[Listed]) -> str:
    return ", ".join(f"{escape_markdown(task)} {count}" for task, count in Counter(one.task for one in cells).items())


def scores(lineups: Sequence[Lineup], quotes: Quotes) -> Section:
    """How good everyone in the main contest is, a table per task, the most accurate first."""
    columns = ["model", "how", "seeds", "accuracy [95 %]", "macro-F1", "MCC", "ECE", "unparsed", "cut", "cells"]
    parts: list[str] = []
    plain: Rows = [["task", "split", "rows", "model", "how", "seeds", "accuracy", "low", "high", *columns[4:]]]
    for lineup in lineups:
        group, rows = lineup.group, []
        for one in sorted(lineup.main, key=lambda one: (-float(group.right(one).mean()), one.name)):
            found = accuracy_of(one.records, group.split)
            told = [metric_of(one, group.split, name) for name in ("macro_f1", "mcc", "ece")]
            cut = sum(record.scores[group.split]["truncated"]["rows"] for record in one.records)
            told += [str(sum(record.scores[group.split]["unparsed"] for record in one.records)), str(cut)]
            who = [one.model, one.how, str(len(one.records))]
            rows.append([*who, quotes.accuracy("table", one, found), *told, " ".join(short_ids([one]))])
            where = [group.task, group.split, str(group.rows)]
            plain.append([*where, *who, *exact(found.value, found.low, found.high), *told, full_ids(one)])
        parts += [f"### {title_of(group.task)}, {group.rows:,} rows\n", markdown_table(columns, rows, left=2)]
    return Section("\n".join(parts), {"scores": plain})


def verdicts(rulings: Sequence[Ruling], smallest: Mapping[str, float], quotes: Quotes) -> Section:
    """The best of either side on each task.

    Args:
        rulings: one per task and way of using an LLM.
        smallest: task to the smallest gap that its rows can tell from chance, as a fraction.
        quotes: remembers the figures.
    """
    if not rulings:
        return Section("No task has been answered by both sides yet.\n")
    columns = ["task", "LLMs", "best LLM", "best encoder", "LLM minus encoder [95 %]", "p", "verdict", "rows"]
    columns += ["rows to settle it", "smallest gap that shows"]
    rows: Rows = []
    plain: Rows = [
        ["task", "way", "llm", "encoder", "gap", "low", "high", "p_value", "ahead", "rows", "rows_to_settle"]
    ]
    plain[0] += ["smallest_gap", "pairs", "rulings", "llm_cells", "encoder_cells"]
    for one in rulings:
        quotes.gap("verdicts", one.llm, one.encoder, one.verdict)
        gap, least = one.verdict.gap, smallest.get(one.group.task)
        needed = about(one.rows_needed) if one.rows_needed else "more seeds" if one.winner == "open" else "-"
        needed += f" of {escape_markdown(one.rival.name)}" if one.held_up else ""
        who = [plain_title(one.group.task), str(one.way), one.llm.name, one.encoder.name]
        shown = [in_percent(gap, signed=True), bare_p(one.verdict.p_value), WINS[one.winner], f"{one.group.rows:,}"]
        rows.append([*who, *shown, needed, "-" if least is None else f"{100 * least:.1f}"])
        numbers = exact(gap.value, gap.low, gap.high, one.verdict.p_value)
        told = [one.group.task, *who[1:], *numbers, one.winner, str(one.group.rows)]
        told += [str(one.rows_needed or ""), *exact(least), str(one.pairs), str(one.rulings)]
        plain.append([*told, full_ids(one.llm), full_ids(one.encoder)])
    return Section(markdown_table(columns, rows, left=4), {"verdicts": plain})


def curves(found: Sequence[LearningCurve], quotes: Quotes) -> Section:
    """Accuracy by train rows, and from how many rows on a way stays ahead of the best prompted LLM."""
    if not found:
        return Section("No way of training has been tried at two sizes yet.\n")
    parts: list[str] = []
    plain: Rows = [["task", "way", "train_rows", "seeds", "accuracy", "low", "high", "cells"]]
    crossings: Rows = [["task", "way", "prompted", "rows", "low", "high"]]
    for task in dict.fromkeys(one.group.task for one in found):
        of_task = [one for one in found if one.group.task == task]
        sizes = sorted({size for one in of_task for size in one.points})
        rows = []
        for one in of_task:
            shown = []
            for size in sizes:
                if size not in one.points:
                    shown.append("-")
                    continue
                score, who = one.accuracy(size), one.points[size]
                shown.append(quotes.accuracy("curves", who, score))
                numbers = [str(size), str(len(who.records)), *exact(score.value, score.low, score.high)]
                plain.append([task, one.name, *numbers, full_ids(who)])
            rows.append([one.name, *shown, _overtakes(one)])
            if one.prompted is not None:
                crossings.append([task, one.name, one.prompted.name, *exact(one.rows, one.low, one.high)])
        columns = ["trained", *(f"{size:,} rows" for size in sizes), "overtakes from"]
        parts += [f"### {title_of(task)}\n", markdown_table(columns, rows, left=1)]
        over = of_task[0].prompted
        if over is not None:
            told = quotes.accuracy("curves", over, accuracy_of(over.records, of_task[0].group.split))
            parts.append(f"To be overtaken: {escape_markdown(over.name)} with {told} %.\n")
    return Section("\n".join(parts), {"curves": plain, "crossings": crossings})


def _overtakes(one: LearningCurve) -> str:
    if one.rows is None:
        return "-"
    if math.isinf(one.low):
        return f"not within {max(one.points):,}"
    point = f"not within {max(one.points):,}" if math.isinf(one.rows) else about(one.rows, one)
    return f"{point} [{about(one.low, one)}, {about(one.high, one)}]"


def costs(lineups: Sequence[Lineup], clock: Clock, prices: Prices) -> Section:
    """Speed, memory, training and price of everyone in the main contest who has runs on the processor that counts."""
    columns = ["model", "how", "accuracy [95 %]", "p50 / p95 ms", "per s", "peak MiB", "training"]
    columns.append(f"{escape_markdown(prices.currency)} per million answers")
    parts: list[str] = []
    plain: Rows = [["task", "model", "how", "machine", "p50_ms", "p95_ms", "per_second", "peak_mib", "train_seconds"]]
    plain[0] += ["per_million", "cells"]
    machines: dict[str, None] = {}
    away: list[Contender] = []
    for lineup in lineups:
        group, rows = lineup.group, []
        for one in lineup.main:
            records = clock.runs_of(one)
            if not records:
                away.append(one)
                continue
            machine = machine_of(records[0])
            machines[machine] = None
            spent = [record.efficiency for record in records]
            p50, p95 = (median(each["latency"][name] for each in spent) for name in ("p50_ms", "p95_ms"))
            speed = median(each["throughput"]["questions_per_second"] for each in spent)
            peak, trained = known_median(map(peak_mib, spent)), median(each["train_seconds"] for each in spent)
            price = price_of(records, prices)
            shown = [f"{p50:.1f} / {p95:.1f}", f"{speed:,.0f}", whole(peak), duration(trained), money(price)]
            rows.append([one.model, one.how, in_percent(accuracy_of(one.records, group.split)), *shown])
            numbers = exact(p50, p95, speed, peak, trained, price)
            plain.append([group.task, one.model, one.how, machine, *numbers, full_ids(one)])
        if rows:
            parts += [f"### {title_of(group.task)}\n", markdown_table(columns, rows, left=2)]
    parts.append(f"Measured on {escape_markdown('; '.join(machines))}. Prices: {escape_markdown(prices.source)}.\n")
    if away:
        parts.append(
            f"Left out are {len(away):,} that ran on {escape_markdown('; '.join(clock.others))} alone: times of two "
            "processors cannot be compared.\n"
        )
    return Section("\n".join(parts), {"costs": plain})


def price_of(records: Sequence[RunRecord], prices: Prices) -> float | None:
    """What a million answers cost, the median of some runs on one machine; None where nobody knows."""
    return known_median(prices.cost(record).per_million for record in records)
