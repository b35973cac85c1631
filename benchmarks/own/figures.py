"""How good everybody was on one table, and how far ours is ahead of each: the project's own scores and intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from beatingbert.scoring.metrics import encode_labels
from beatingbert.scoring.scorecard import score
from beatingbert.statistics.confusion import confusion_macro_f1
from beatingbert.statistics.intervals import Interval
from beatingbert.statistics.paired import accuracy_gap, metric_gap
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction
from benchmarks.own.files import SEED, Rows
from benchmarks.own.kept import Result
from benchmarks.own.systems import OURS

LEVEL, DRAWS = 0.95, 2000
MARGIN = 0.01  # of macro-F1: what `decide` calls a difference that does not matter


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A system on a table.

    Attributes:
        system: "ours", or a peer's name.
        accuracy, macro_f1: on the test rows, as fractions, with 95 % intervals.
        lead: our macro-F1 minus its, paired; None for ours, and where ours is missing.
        accuracy_lead: the same of accuracy.
        seconds: that it took.
        result: with what it tells of itself.
    """

    system: str
    accuracy: Interval
    macro_f1: Interval
    lead: Interval | None
    accuracy_lead: Interval | None
    seconds: float
    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Everybody on one table.

    Attributes:
        file: its name.
        rows: what everybody got.
        lines: ours first, then the peers, the best macro-F1 first.
        missing: system to why it has no result.
    """

    file: str
    rows: Rows
    lines: Sequence[Line]
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def best_peer(self) -> Line | None:
        """Whose macro-F1 on the test rows is the highest. To choose on the test rows favours the peers."""
        return next((line for line in self.lines if line.system != OURS), None)

    @property
    def verdict(self) -> str:
        """Ours beside the best peer, in a word: ahead, as good, behind, open, or "" where one of them is missing."""
        best = self.best_peer
        return "" if best is None or best.lead is None else judge(best.lead)

    def to_json(self) -> dict[str, Any]:
        """All numbers as plain JSON."""
        best = self.best_peer
        rows = {name: getattr(self.rows, name) for name in ("train", "development", "test")}
        return {
            "file": self.file,
            "rows": {**rows, "classes": len(self.rows.labels)},
            "systems": [_to_json(line) for line in self.lines],
            "best_peer": None if best is None else best.system,
            "verdict": self.verdict,
            "missing": dict(self.missing),
        }


def judge(lead: Interval) -> str:
    """What an interval of our lead allows to say."""
    if lead.low > 0:
        return "ahead"
    if lead.high < 0:
        return "behind"
    return "as good" if lead.low >= -MARGIN else "open"


def compare(file: str, rows: Rows, results: Sequence[Result], missing: Mapping[str, str]) -> Table:
    """Score everybody on the same rows.

    Args:
        file: the table's name.
        rows: with their labels.
        results: of ours, if there, and of peers.
        missing: system to why it has no result.

    Raises:
        MisalignedError, DataError: answers that are not about these rows, or with labels that nobody has.
    """
    ours = next((one for one in results if one.system == OURS), None)
    lines = [_line(one, ours, rows) for one in results]
    lines.sort(key=lambda line: (line.system != OURS, -line.macro_f1.value))
    return Table(file=file, rows=rows, lines=lines, missing=dict(missing))


def _line(result: Result, ours: Result | None, rows: Rows) -> Line:
    examples = [Example(Question(id, {}), label) for id, label in rows.gold.items()]
    predictions = [Prediction(question_id=id, label=label) for id, label in result.answers.items()]
    found = score(examples, predictions, rows.labels, level=LEVEL, draws=DRAWS, seed=SEED).metrics
    leads = (None, None) if ours is None or ours is result else _leads(ours, result, rows)
    return Line(
        system=result.system,
        accuracy=found["accuracy"],
        macro_f1=found["macro_f1"],
        lead=leads[0],
        accuracy_lead=leads[1],
        seconds=result.seconds,
        result=result,
    )


def _leads(ours: Result, peer: Result, rows: Rows) -> tuple[Interval, Interval]:
    gold = list(rows.gold.values())
    codes, first = encode_labels(rows.labels, gold, [ours.answers[id] for id in rows.gold])
    _, second = encode_labels(rows.labels, gold, [peer.answers[id] for id in rows.gold])
    draws: dict[str, Any] = {"level": LEVEL, "draws": DRAWS, "seed": SEED}
    lead = metric_gap(codes, first, second, confusion_macro_f1, classes=len(rows.labels), **draws)
    return lead, accuracy_gap(codes == first, codes == second, **draws)


def _to_json(line: Line) -> dict[str, Any]:
    told = asdict(line.result)
    told.pop("answers")
    intervals = {name: getattr(line, name) for name in ("accuracy", "macro_f1", "lead", "accuracy_lead")}
    bounds = {name: None if one is None else asdict(one) for name, one in intervals.items()}
    return {"system": line.system, **bounds, "seconds": line.seconds, "result": told}
