"""The answer in five sentences, in words that the numbers carry, each with number, interval and ids of its cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median

from beatingbert.report.contenders import Contender, Kind
from beatingbert.report.estimates import accuracy_of
from beatingbert.report.machines import of_one_machine
from beatingbert.report.text import duration, escape_markdown
from beatingbert.study.crossings import LearningCurve
from beatingbert.study.quotes import Quotes, name_cells
from beatingbert.study.verdicts import Ruling
from beatingbert.tasks.catalog import TASKS


def answer(rulings: Sequence[Ruling], curves: Sequence[LearningCurve], quotes: Quotes) -> list[str]:
    """The five sentences; what cannot be said yet is said to be so."""
    if not rulings:
        waiting = "Nothing can be said yet: there is no task on which both an encoder and an LLM have answered."
        return [waiting, *_crossing(curves, quotes)]
    return [
        _encoder_wins(rulings, quotes),
        _llm_wins(rulings, quotes),
        _open(rulings, quotes),
        *_crossing(curves, quotes),
        _price(rulings, quotes),
    ]


def plain_title(task: str) -> str:
    """A task as tables and pictures name it."""
    return TASKS[task].title if task in TASKS else task


def title_of(task: str) -> str:
    """A task as a sentence in Markdown names it."""
    return escape_markdown(plain_title(task))


def named(one: Contender) -> str:
    """A contender as it is printed."""
    return escape_markdown(one.name)


def _encoder_wins(rulings: Sequence[Ruling], quotes: Quotes) -> str:
    won = [one for one in rulings if one.winner == "encoder"]
    if not won:
        return f"**Where the encoder wins:** on none of {_tasks(rulings)} does a fine-tuned encoder beat every LLM."
    told = _each(won, lambda one: _ahead(one, one.encoder, one.llm, "LLMs", quotes))
    return f"**Where the encoder wins:** {_of(won, rulings)} a fine-tuned encoder beats every LLM: {told}."


def _llm_wins(rulings: Sequence[Ruling], quotes: Quotes) -> str:
    won = [one for one in rulings if one.winner == "llm"]
    if not won:
        return f"**Where the LLM wins:** on none of {_tasks(rulings)} does an LLM beat every encoder."
    told = _each(won, lambda one: _ahead(one, one.llm, one.encoder, "encoders", quotes))
    return f"**Where the LLM wins:** {_of(won, rulings)} an LLM beats every encoder: {told}."


def _ahead(ruling: Ruling, first: Contender, second: Contender, others: str, quotes: Quotes) -> str:
    gap = quotes.gap("answer", ruling.llm, ruling.encoder, ruling.verdict, turned=first is ruling.encoder)
    return (
        f"on {title_of(ruling.group.task)} {named(first)} leads {named(second)}, the most accurate of the {others}, by "
        f"{gap} {name_cells(first, second)}"
    )


def _open(rulings: Sequence[Ruling], quotes: Quotes) -> str:
    left = [one for one in rulings if one.winner in ("open", "equal")]
    if not left:
        return f"**Where nothing can be said:** nowhere; {_tasks(rulings)} are settled."
    return f"**Where nothing can be said:** {_each(left, lambda one: _left_open(one, quotes))}."


def _left_open(ruling: Ruling, quotes: Quotes) -> str:
    gap = quotes.gap("answer", ruling.llm, ruling.encoder, ruling.verdict)
    task, rows = title_of(ruling.group.task), ruling.group.rows
    told = f"{named(ruling.llm)} against {named(ruling.encoder)}, {gap}"
    if ruling.winner == "equal":
        return f"on {task} the best of both are practically equal: {told} {name_cells(ruling.llm, ruling.encoder)}"
    if ruling.held_up:
        best = ruling.encoder if ruling.verdict.gap.value < 0 else ruling.llm
        level = quotes.accuracy("answer", ruling.rival, accuracy_of(ruling.rival.records, ruling.group.split))
        told += f", but {named(best)} does not surely beat {named(ruling.rival)}, {level} over its seeds"
    needed = (
        f"about {ruling.rows_needed:,} rows instead of {rows:,} would settle it"
        if ruling.rows_needed
        else f"no number of rows would settle it with these seeds, {rows:,} were asked"
    )
    concerned = [ruling.llm, ruling.encoder, *([ruling.rival] if ruling.held_up else [])]
    return f"on {task} {told}; {needed} {name_cells(*concerned)}"


def _crossing(curves: Sequence[LearningCurve], quotes: Quotes) -> list[str]:
    """The encoder that needs the fewest rows; of several tasks the first."""
    trained = [one for one in curves if one.prompted and next(iter(one.points.values())).kind is Kind.ENCODER]
    if not trained:
        return []
    best = min(trained, key=lambda one: (math.inf if one.rows is None else one.rows, one.name))
    assert best.prompted is not None and best.rows is not None
    sizes = list(best.points)
    over = f"the best prompted LLM, {named(best.prompted)}"  # goes on with a comma
    place = "answer"
    most = quotes.accuracy(place, best.points[sizes[-1]], best.accuracy(sizes[-1]))
    if best.rows == 0:
        told = f"{escape_markdown(best.name)} is ahead of {over}, from the fewest rows on that were tried, {sizes[0]:,}"
    elif math.isinf(best.rows):
        told = f"no encoder overtakes {over}, with up to {sizes[-1]:,} labelled rows"
    else:
        told = f"{escape_markdown(best.name)} overtakes {over}, at about {about(best.rows)} labelled rows"
    band = f"95 % band {about(best.low, best)} to {about(best.high, best)}" if 0 < best.rows < math.inf else ""
    cells = name_cells(best.prompted, *best.points.values())
    behind = f"with {sizes[-1]:,} it has {most} %"
    inside = "; ".join(filter(None, (band, behind)))
    return [f"**The crossing point:** on {title_of(best.group.task)} {told} ({inside}) {cells}."]


def about(rows: float, curve: LearningCurve | None = None) -> str:
    """A number of rows in two figures; beyond what was tried only that it is beyond."""
    if curve is not None and rows == 0:
        return f"fewer than {min(curve.points):,}"
    if curve is not None and math.isinf(rows):
        return f"more than {max(curve.points):,}"
    digits = max(0, math.floor(math.log10(rows)) - 1)
    return f"{round(rows / 10**digits) * 10**digits:,}"


def _price(rulings: Sequence[Ruling], quotes: Quotes) -> str:
    """Of the task with the most rows, the best of either side."""
    one = most_asked(rulings)
    told = []
    for contender in (one.encoder, one.llm):
        *_, records = of_one_machine(contender.records)
        p50 = median(record.efficiency["latency"]["p50_ms"] for record in records)
        trained = median(record.efficiency["train_seconds"] for record in records)
        latency = quotes.measured("answer", "latency", f"{p50:.1f} ms", p50, contender)
        training = "needs no training"
        if trained:
            training = f"was trained for {quotes.measured('answer', 'training', duration(trained), trained, contender)}"
        told.append(f"{named(contender)} answers a question in {latency} and {training}")
    machine = escape_markdown(of_one_machine(one.encoder.records)[0])
    return (
        f"**The price:** on {title_of(one.group.task)} {told[0]}; {told[1]} (medians, one at a time, {machine}) "
        f"{name_cells(one.encoder, one.llm)}."
    )


def most_asked(rulings: Sequence[Ruling]) -> Ruling:
    """Of the task with the most rows; of several the first."""
    return max(rulings, key=lambda ruling: ruling.group.rows)


def _tasks(rulings: Sequence[Ruling]) -> str:
    return "the one task that was judged" if len(rulings) == 1 else f"the {len(rulings)} tasks that were judged"


def _of(some: Sequence[Ruling], rulings: Sequence[Ruling]) -> str:
    return f"on {len(some)} of {_tasks(rulings)}" if len(rulings) > 1 else "on the one task that was judged"


def _each(rulings: Sequence[Ruling], say: Callable[[Ruling], str]) -> str:
    return "; ".join(f"{say(one)}{_so_far(one)}" for one in rulings)


def _so_far(ruling: Ruling) -> str:
    return f" (so far: {ruling.missing:,} cells of this task are missing)" if ruling.missing else ""
