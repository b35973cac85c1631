"""What the page shows, as plain values; where they come from is `gather`'s business.

Fractions are fractions (0.85, never 85), times are seconds or milliseconds as their names say. Texts are as they came
from data sets, models and file names: nothing here is escaped, because everything is escaped where it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from beatingbert.errors import MisalignedError
from beatingbert.report.contenders import Kind
from beatingbert.statistics.intervals import Interval


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, interval: Interval) -> Self:
        """One that was measured."""
        return cls(interval.value, interval.low, interval.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the leaderboard, and one point of the accuracy-latency-cost plot.

    Attributes:
        task: with the split where a task reports several.
        model, how: who answers, and in a few words how.
        machine: a letter that the page's notes explain; speed and memory of two machines cannot be compared.
        precision: of the weights, as the record names it.
        seeds: over how many runs the figures are means.
        rows: how many questions were answered.
        accuracy: a fraction, with its interval.
        macro_f1, mcc, ece: None where a task has none.
        p50_ms, p95_ms: latency of one question at a time, warm.
        per_second: questions per second in batches.
        memory_mib: peak while answering; the device's where there is a device; None where nobody knows it.
        load_seconds, train_seconds: before the first answer; no training is 0.
        cost_per_million: price of a million answers, in the page's currency; None where no price is known.
        unparsed: replies that named no label, over all seeds.
        truncated: questions that lost tokens, over all seeds.
    """

    task: str
    kind: Kind
    model: str
    how: str
    machine: str
    precision: str
    seeds: int
    rows: int
    accuracy: Estimate
    macro_f1: float | None
    mcc: float | None
    ece: float | None
    p50_ms: float
    p95_ms: float
    per_second: float
    memory_mib: float | None
    load_seconds: float
    train_seconds: float
    cost_per_million: float | None
    unparsed: int
    truncated: int

    @property
    def name(self) -> str:
        """Model and how it answers."""
        return f"{self.model} ({self.how})"


class Outcome(StrEnum):
    """Who a verdict is for."""

    ENCODER = "encoder"
    LLM = "llm"
    EQUAL = "equal"
    DEPENDS = "depends"
    OPEN = "open"

    @property
    def words(self) -> str:
        """What stands before the sentence."""
        return OUTCOME_WORDS[self]


OUTCOME_WORDS = {
    Outcome.ENCODER: "Encoder",
    Outcome.LLM: "LLM",
    Outcome.EQUAL: "Equal",
    Outcome.DEPENDS: "Depends",
    Outcome.OPEN: "Open",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What can be claimed about a task, or about all of them, in one plain sentence."""

    task: str
    outcome: Outcome
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """Accuracy at one amount of train rows; 0 rows for who is not trained at all."""

    train_rows: int
    accuracy: Estimate
    seeds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One contender at growing amounts of train rows, fewest first; a single point of 0 rows is drawn as a level."""

    task: str
    kind: Kind
    name: str
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one run answered to one question.

    Attributes:
        label: None where the reply named no label.
        probabilities: label to probability, where the engine has them.
        reply: what the model wrote, where it wrote something.
        prompt: what the model read, word for word, where it reads prompts.
    """

    label: str | None
    probabilities: Mapping[str, float] | None = None
    reply: str | None = None
    prompt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One row of the error browser.

    Attributes:
        texts: field name to text; empty where the runs did not keep their questions.
        choices: the answers to choose from; empty unless the task is multiple choice.
        answers: one per run of the sheet, in its order.
    """

    id: str
    gold: str
    texts: Mapping[str, str]
    choices: tuple[str, ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the error browser, and how many of the sheet's rows it got right."""

    name: str
    kind: Kind
    right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """How two runs of a sheet compare over all its rows, carried or not.

    Attributes:
        first, second: positions among the sheet's runs, the smaller first.
        only_first, only_second: rows that one of them alone got right.
        both_wrong: rows that neither got right.
        differ: rows with different answers; both can be wrong.
    """

    first: int
    second: int
    only_first: int
    only_second: int
    both_wrong: int
    differ: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Runs that answered the same rows, which alone can be read side by side.

    Attributes:
        name: the task, with what tells it from other sheets.
        rows: how many questions they all answered.
        runs: who; at least one.
        left_out_runs: how many more runs answered the same rows.
        pairs: every two of them.
        questions: rows that at least one of the runs got wrong, in the data's order; `payload` carries as many as fit.
        wrong_rows: how many such rows there are in all.
    """

    name: str
    rows: int
    runs: tuple[Run, ...]
    left_out_runs: int
    pairs: tuple[Pair, ...]
    questions: tuple[Question, ...]
    wrong_rows: int

    def __post_init__(self) -> None:
        for question in self.questions:
            if len(question.answers) != len(self.runs):
                raise MisalignedError(
                    f"question {question.id!r} of sheet {self.name!r} has {len(question.answers)} answers for "
                    f"{len(self.runs)} runs; each run answers each question once"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class PageData:
    """The whole page.

    Attributes:
        title: what the reader sees first.
        facts: short remarks below it: how many runs, when, which version.
        rows: the leaderboard, in the order in which it is first shown.
        verdicts, curves, sheets: tasks in the order in which they are shown.
        notes: what else must be said: rules, what was left out, runs that could not be read.
        currency: of every price.
    """

    title: str
    facts: tuple[str, ...]
    rows: tuple[Row, ...]
    verdicts: tuple[Verdict, ...]
    curves: tuple[Curve, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    notes: tuple[str, ...] = ()
    currency: str = "USD"
