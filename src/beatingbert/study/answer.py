"""The answer in five sentences, in words that the numbers carry, each with number, interval and ids of its cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

from beatingbert.report.contenders import Contender, Kind
from beatingbert.report.machines import machine_of
from beatingbert.report.text import duration, escape_markdown
from beatingbert.study.clock import Clock
from beatingbert.study.crossings import LearningCurve
from beatingbert.study.quotes import Quotes, name_cells
from beatingbert.study.verdicts import Ruling
from beatingbert.tasks.catalog import TASKS


def answer(
    rulings: Sequence[Ruling], curves: Sequence[LearningCurve], clock: Clock, quotes: Quotes, *, brief: bool = False
) -> list[str]:
    """The five sentences; what cannot be said yet is said to be so.

    Args:
        rulings: one per task and way of using an LLM.
        curves: of whatever was trained at several sizes.
        clock: whose times count.
        quotes: remembers the figures.
        brief: leave out what would settle an open task, for a page that has the table of verdicts beneath.
    """
    if not rulings:
        waiting = "Nothing can be said yet: there is no task on which both an encoder and an LLM have answered."
        return [waiting, *_crossing(curves, quotes)]
    return [
        _encoder_wins(rulings, quotes),
        _llm_wins(rulings, quotes),
        _open(rulings, quotes, brief),
        *_crossing(curves, quotes),
        *_price(rulings, clock, quotes),
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
    def told(way: Kind, of_way: Sequence[Ruling]) -> str:
        won = [one for one in of_way if one.winner == "encoder"]
        each = _each(won, lambda one: _ahead(one, one.encoder, one.llm, quotes))
        return _wins(won, of_way, "a fine-tuned encoder", f"every {way} LLM") + each

    return f"**Where the encoder wins:** {_by_way(rulings, told)}."


def _llm_wins(rulings: Sequence[Ruling], quotes: Quotes) -> str:
    def told(way: Kind, of_way: Sequence[Ruling]) -> str:
        won = [one for one in of_way if one.winner == "llm"]
        each = _each(won, lambda one: _ahead(one, one.llm, one.encoder, quotes))
        some = f"an {way} LLM" if way is Kind.ADAPTED else f"a {way} LLM"
        return _wins(won, of_way, some, "every fine-tuned encoder") + each

    return f"**Where the LLM wins:** {_by_way(rulings, told)}."


def _wins(won: Sequence[Ruling], of_way: Sequence[Ruling], who: str, whom: str) -> str:
    if won:
        return f"{_of(won, of_way)} {who} beats {whom}"
    return f"{_of(won, of_way)} does {who} beat {whom}"


def _open(rulings: Sequence[Ruling], quotes: Quotes, brief: bool) -> str:
    def told(way: Kind, of_way: Sequence[Ruling]) -> str:
        left = [one for one in of_way if one.winner in ("open", "equal")]
        if not left:
            return f"nowhere for {way} LLMs"
        return f"{_of(left, of_way)} for {way} LLMs{_each(left, lambda one: _left_open(one, quotes, brief))}"

    return f"**Where nothing can be said:** {_by_way(rulings, told)}."


def _by_way(rulings: Sequence[Ruling], say: Callable[[Kind, Sequence[Ruling]], str]) -> str:
    ways = dict.fromkeys(one.way for one in rulings)
    return "; ".join(say(way, [one for one in rulings if one.way is way]) for way in ways)


def _of(some: Sequence[Ruling], rulings: Sequence[Ruling]) -> str:
    """'on 2 of 6 tasks'."""
    if len(rulings) == 1:
        return "on the one task that was judged" if some else "not on the one task that was judged"
    return f"on {len(some) or 'none'} of {len(rulings)} tasks"


def _each(rulings: Sequence[Ruling], say: Callable[[Ruling], str]) -> str:
    """' (SST-2: ...; RTE: ...)'; nothing for none."""
    told = "; ".join(f"{title_of(one.group.task)}: {say(one)}" for one in rulings)
    return f" ({told})" if told else ""


def _so_far(ruling: Ruling) -> str:
    if not ruling.missing:
        return ""
    return f"; so far, with {ruling.missing:,} cell{'s' if ruling.missing > 1 else ''} of this task missing"


def _ahead(ruling: Ruling, first: Contender, second: Contender, quotes: Quotes) -> str:
    gap = quotes.gap("answer", ruling.llm, ruling.encoder, ruling.verdict, turned=first is ruling.encoder)
    told = f"{named(first)} leads {named(second)}, the most accurate of them, by {gap}"
    return f"{told} {name_cells(first, second)}{_so_far(ruling)}"


def _left_open(ruling: Ruling, quotes: Quotes, brief: bool) -> str:
    gap = quotes.gap("answer", ruling.llm, ruling.encoder, ruling.pair)
    told = f"{named(ruling.llm)} against {named(ruling.encoder)}, {gap}"
    if ruling.winner == "equal":
        return f"practically equal: {told} {name_cells(ruling.llm, ruling.encoder)}"
    if brief:
        return told + (f", but {named(ruling.rival)} is not told apart" if ruling.held_up else "")
    if ruling.held_up:
        other = quotes.gap("answer", ruling.best, ruling.rival, ruling.against_rival)
        told += f", but {named(ruling.best)} against {named(ruling.rival)}, {other}"
    needed = "more rows would not settle it with these seeds, more seeds might"
    if ruling.rows_needed:
        asked = f"{about(ruling.rows_needed)} rows instead of {ruling.group.rows:,}"
        needed = f"were this the true gap, about {asked} would settle it"
    concerned = [ruling.llm, ruling.encoder, *([ruling.rival] if ruling.held_up else [])]
    return f"{told}; {needed} {name_cells(*concerned)}{_so_far(ruling)}"


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
    band = (
        f"interpolated between sizes, 95 % band {about(best.low, best)} to {about(best.high, best)}"
        if 0 < best.rows < math.inf
        else ""
    )
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


def timed_task(rulings: Sequence[Ruling], clock: Clock) -> str:
    """Where the best encoder and most of the best LLMs have times; of several tasks the one with the most rows."""

    def told(of_task: Sequence[Contender]) -> tuple[bool, int]:
        return bool(clock.runs_of(of_task[0])), sum(bool(clock.runs_of(one)) for one in of_task)

    asked = sorted(_best(rulings).items(), key=lambda one: -_rows(rulings, one[0]))
    return max(asked, key=lambda one: told(one[1]))[0]


def _best(rulings: Sequence[Ruling]) -> dict[str, list[Contender]]:
    """Task to its best encoder, then the best LLM of each way."""
    found: dict[str, list[Contender]] = {}
    for one in rulings:
        found.setdefault(one.group.task, [one.encoder]).append(one.llm)
    return found


def _rows(rulings: Sequence[Ruling], task: str) -> int:
    return max(one.group.rows for one in rulings if one.group.task == task)


def _price(rulings: Sequence[Ruling], clock: Clock, quotes: Quotes) -> list[str]:
    task = timed_task(rulings, clock)
    told = []
    machines: dict[str, None] = {}
    for contender in _best(rulings)[task]:
        records = clock.runs_of(contender)
        if not records:
            continue
        timed = replace(contender, records=tuple(records))
        machines[escape_markdown(machine_of(records[0]))] = None
        p50 = median(record.efficiency["latency"]["p50_ms"] for record in records)
        trained = median(record.efficiency["train_seconds"] for record in records)
        latency = quotes.measured("answer", "latency", f"{p50:.1f} ms", p50, timed)
        training = "needs no training"
        if trained:
            training = f"was trained for {quotes.measured('answer', 'training', duration(trained), trained, timed)}"
        told.append(f"{named(timed)} answers a question in {latency} and {training} {name_cells(timed)}")
    if not told:
        return []
    where = "; ".join(machines)
    return [f"**The price:** on {title_of(task)} {'; '.join(told)} (medians, one question at a time, {where})."]
