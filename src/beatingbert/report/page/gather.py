"""From the frame of all runs to what the page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from statistics import fmean, median

from beatingbert.progress import Progress, silent
from beatingbert.report.comparisons import Contest
from beatingbert.report.contenders import Contender
from beatingbert.report.estimates import accuracy_of
from beatingbert.report.frame import Frame, Group, titles_of
from beatingbert.report.machines import Letters, of_one_machine
from beatingbert.report.page.curves import gather_curves
from beatingbert.report.page.data import Estimate, Outcome, PageData, Row, Sheet, Verdict
from beatingbert.report.page.sheets import MOST_RUNS, gather_sheet
from beatingbert.report.prices import Prices
from beatingbert.report.scattered import describe_scattered
from beatingbert.report.significance import OVERALL, group_sentence, overall_sentence
from beatingbert.report.unknown import known_median, peak_mib
from beatingbert.runs.record import RunRecord

TITLE = "Fine-tuned BERT or a small LLM?"
EVERYTHING = "all tasks"
OUTCOMES = {
    "first ahead": Outcome.LLM,
    "second ahead": Outcome.ENCODER,
    "practically equal": Outcome.EQUAL,
    "depends on the task": Outcome.DEPENDS,
    "cannot tell": Outcome.OPEN,
}
MOST_SKIPPED = 20
"""Unreadable runs that the notes name one by one."""


def gather_page(frame: Frame, contests: Sequence[Contest], prices: Prices, *, progress: Progress = silent) -> PageData:
    """Everything that the page shows.

    Args:
        frame: the runs.
        contests: what can be claimed, one per group of the frame.
        prices: what costs are reckoned with.
        progress: called while texts and prompts are read.
    """
    titles = titles_of(frame.groups)
    machines = Letters()
    rows: list[Row] = []
    sheets: list[Sheet] = []
    remarks: list[str] = []
    for done, (group, title) in enumerate(zip(frame.groups, titles, strict=True)):
        progress("reading texts and prompts", done, len(titles))
        found = [_row(group, title, contender, prices, machines) for contender in group.contenders]
        rows += sorted(found, key=lambda row: (-row.accuracy.value, row.name))
        sheet, unread = gather_sheet(frame, group, title)
        sheets.append(sheet)
        remarks += unread
    progress("reading texts and prompts", len(titles), len(titles))
    return PageData(
        title=TITLE,
        facts=_facts(frame.records, len({group.task for group in frame.groups})),
        rows=tuple(rows),
        verdicts=_verdicts(contests, titles),
        curves=tuple(
            curve for group, title in zip(frame.groups, titles, strict=True) for curve in gather_curves(group, title)
        ),
        sheets=tuple(sheets),
        notes=(
            *_rules(prices, machines, titles),
            *describe_scattered(frame.groups),
            *_left_out(sheets),
            *remarks,
            *_skipped(frame),
        ),
        currency=prices.currency,
    )


def _row(group: Group, title: str, contender: Contender, prices: Prices, machines: Letters) -> Row:
    scores = [record.scores[group.split] for record in contender.records]
    machine, precision, records = of_one_machine(contender.records)
    speeds = [record.efficiency for record in records]
    costs = [cost.per_million for cost in map(prices.cost, records) if cost.per_million is not None]
    return Row(
        task=title,
        kind=contender.kind,
        model=contender.model,
        how=contender.how,
        machine=machines.of(machine),
        precision=precision,
        seeds=len(scores),
        rows=group.rows,
        accuracy=Estimate.of(accuracy_of(contender.records, group.split)),
        macro_f1=_mean(scores, "macro_f1"),
        mcc=_mean(scores, "mcc"),
        ece=_mean(scores, "ece"),
        p50_ms=median(one["latency"]["p50_ms"] for one in speeds),
        p95_ms=median(one["latency"]["p95_ms"] for one in speeds),
        per_second=median(one["throughput"]["questions_per_second"] for one in speeds),
        memory_mib=known_median(map(peak_mib, speeds)),
        load_seconds=median(one["load_seconds"] for one in speeds),
        train_seconds=median(one["train_seconds"] for one in speeds),
        cost_per_million=median(costs) if costs else None,
        unparsed=sum(score["unparsed"] for score in scores),
        truncated=sum(score["truncated"]["rows"] for score in scores),
    )


def _mean(scores: Sequence[Mapping[str, Mapping[str, Mapping[str, float]]]], name: str) -> float | None:
    values = [score["metrics"][name]["value"] for score in scores if name in score["metrics"]]
    return fmean(values) if values else None


def _verdicts(contests: Sequence[Contest], titles: Sequence[str]) -> tuple[Verdict, ...]:
    found = []
    whole = overall_sentence(contests)
    if whole is not None:
        kind = next(kind for kind, words in OVERALL.items() if words == whole)
        found.append(Verdict(task=EVERYTHING, outcome=OUTCOMES[kind], sentence=whole))
    for contest, title in zip(contests, titles, strict=True):
        told = group_sentence(contest)
        if told is not None and contest.decisive is not None:
            outcome = OUTCOMES[contest.decisive.verdict.kind]
            found.append(Verdict(task=title, outcome=outcome, sentence=told))
    return tuple(found)


def _facts(records: Sequence[RunRecord], tasks: int) -> tuple[str, ...]:
    newest = max((record.finished_at for record in records), default="")[:10]
    return (
        f"{len(records):,} run{'s' if len(records) != 1 else ''}",
        f"{tasks} task{'s' if tasks != 1 else ''}",
        *([f"newest run of {newest}"] if newest else []),
        f"beatingbert {version('beatingbert')}",
    )


def _rules(prices: Prices, machines: Letters, titles: Sequence[str]) -> list[str]:
    marked = "Of one task, runs that answered different rows are never compared: [...] behind its name says which rows."
    return [
        *([marked] if any("[" in title for title in titles) else []),
        "Accuracy is the mean over seeds. Its 95 % interval answers for other rows, with several seeds for other seeds "
        "as well, so that two seeds that differ leave it wide. Speed and memory are medians "
        "over the runs of one machine; those of different machines cannot be compared.",
        *(f"Machine {letter}: {machine}." for machine, letter in machines.given.items()),
        f"Prices ({prices.currency}) are those of the whole machine for the time that the answers take, or of a served "
        f"model's tokens: {prices.source}.",
    ]


def _left_out(sheets: Sequence[Sheet]) -> list[str]:
    """Runs that the error browser does not offer."""
    return [
        f"The error browser offers one run for each contender, at most {MOST_RUNS} of the same rows; "
        f"{sheet.left_out_runs:,} more of {sheet.name} are left out of it."
        for sheet in sheets
        if sheet.left_out_runs
    ]


def _skipped(frame: Frame) -> list[str]:
    """Runs that are no part of the report, by their folder as seen from the results', and why."""
    told = [
        f"Not read: {one.path.parent.relative_to(frame.root).as_posix()}: {one.reason}"
        for one in frame.skipped[:MOST_SKIPPED]
    ]
    more = len(frame.skipped) - len(told)
    return [*told, f"{more:,} more runs could not be read."] if more else told
