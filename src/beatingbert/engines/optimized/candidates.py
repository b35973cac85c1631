"""Every program that an optimiser has scored, as DSPy's own evaluation scored it, and the best of them.

Listens to DSPy: before a program is evaluated its questions are answered together, afterwards its score is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dspy.utils.callback import BaseCallback

from beatingbert.engines.optimized.asking import Classify
from beatingbert.engines.optimized.budget import Meter, Spent
from beatingbert.engines.optimized.lm import VoiceEngine
from beatingbert.engines.optimized.program import Program, key_of
from beatingbert.engines.optimized.signature import LABEL, Form
from beatingbert.progress import Progress

DEVELOPMENT = "development"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A program with its score.

    Attributes:
        program: instruction and demonstrations.
        part: "development" where all of it was asked, else of what the rows are a sample.
        rows: that were asked.
        accuracy: as a fraction.
        spent: since the candidate before, so that all of them add up to the whole.
    """

    program: Program
    part: str
    rows: int
    accuracy: float
    spent: Spent


class Candidates(BaseCallback):  # type: ignore[misc]
    """The list, in the order in which programs were scored.

    Args:
        form: the program's fields.
        engine: answers questions together.
        meter: what has been spent.
        development: DSPy's examples of the development part.
        names: a demonstration's `key_of` to the id of its train row, for the record.
        progress: told of each.
    """

    def __init__(
        self,
        form: Form,
        engine: VoiceEngine,
        meter: Meter,
        development: Sequence[Any],
        names: Mapping[tuple[str, ...], str],
        progress: Progress,
    ) -> None:
        self.tried: list[Candidate] = []
        self._form = form
        self._engine = engine
        self._meter = meter
        self._development = {id(row) for row in development}
        self._names = names
        self._progress = progress
        self._before = Spent()
        self._running: dict[str, tuple[Program, list[Any]]] = {}

    @property
    def best(self) -> Candidate | None:
        """The first of those with the highest accuracy on all of the development part."""
        whole = [one for one in self.tried if one.part == DEVELOPMENT]
        return max(whole, key=lambda one: one.accuracy, default=None)

    def on_evaluate_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        """As DSPy calls it."""
        program, rows = inputs["program"], list(inputs.get("devset") or instance.devset)
        if isinstance(program, Classify):
            self._running[call_id] = (Program.of(program, self._form), rows)
            self._engine.prepare(program.prompts(rows))

    def on_evaluate_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        """As DSPy calls it."""
        program, rows = self._running.pop(call_id, (None, []))
        if program is None or exception is not None or outputs is None:
            return
        asked = {id(row) for row in rows}
        part = DEVELOPMENT if asked == self._development else "sample"
        if part == "sample" and asked <= self._development:
            part = "sample of development"
        elif part == "sample":
            part = "sample of train"
        now = self._meter.spent
        self.tried.append(
            Candidate(
                program=program,
                part=part,
                rows=len(rows),
                accuracy=float(outputs.score) / 100,
                spent=now.since(self._before),
            )
        )
        self._before = now
        self._progress("candidates", len(self.tried), 0)

    def history(self) -> list[dict[str, Any]]:
        """For `history.json`: one entry per candidate."""
        best = self.best
        return [
            {
                "candidate": number,
                "part": one.part,
                "rows": one.rows,
                "accuracy": one.accuracy,
                "chosen": one is best,
                "instruction": one.program.instruction,
                "demonstrations": [
                    {"train_row": self._names.get(key_of(demo, self._form)), "label": demo.get(LABEL)}
                    for demo in one.program.demonstrations
                ],
                **asdict(one.spent),
            }
            for number, one in enumerate(self.tried, start=1)
        ]
