"""What the page's script reads: the data as plain JSON, kept small.

The page stays of a size that can be mailed however many runs there are. The rule, which the page tells its reader:

- the error browser carries rows that at least one run got wrong, first those on which the runs are not all right or
  all wrong, then those on which their answers differ, then the rest, until `BROWSER_CHARACTERS` are used up. Sheets
  share them equally, and what one leaves the later ones get;
- a text is kept once, not once per run; a prompt as the pattern it shares with others (`patterns`);
- texts and replies are cut after `TEXT_CHARACTERS`, words of a prompt after `PROMPT_CHARACTERS`, and say so.

Counts are those of all rows, carried or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from beatingbert.report.contenders import KIND_WORDS
from beatingbert.report.page.data import Curve, Estimate, PageData, Question, Row, Sheet
from beatingbert.report.page.patterns import find_pattern

BROWSER_CHARACTERS = 5_000_000
TEXT_CHARACTERS = 4_000
PROMPT_CHARACTERS = 12_000
ANSWER_CHARACTERS = 24
"""What an answer without a reply takes: a label, a few probabilities and a pattern, each as numbers."""


def build_payload(data: PageData, *, characters: int = BROWSER_CHARACTERS) -> dict[str, Any]:
    """Everything that the script needs, as plain JSON; `characters` bounds the error browser's part of it."""
    sheets, left = [], characters
    for position, sheet in enumerate(data.sheets):
        packer = _Packer(sheet, left // (len(data.sheets) - position))
        sheets.append(packer.pack())
        left -= packer.used
    return {
        "currency": data.currency,
        "kinds": {kind.value: words for kind, words in KIND_WORDS.items()},
        "rows": [_row(row) for row in data.rows],
        "curves": [_curve(curve) for curve in data.curves],
        "sheets": sheets,
    }


def cut(text: str, most: int) -> str:
    """The text, or its beginning and how much is missing."""
    rest = len(text) - most
    return text if rest <= 0 else f"{text[:most]} … [{rest:,} more characters are left out of this page]"


def _estimate(one: Estimate) -> list[float]:
    return [round(value, 5) for value in (one.value, one.low, one.high)]


def _row(row: Row) -> dict[str, Any]:
    return {
        "task": row.task,
        "kind": row.kind.value,
        "name": row.name,
        "machine": row.machine,
        "accuracy": _estimate(row.accuracy),
        "p50": row.p50_ms,
        "p95": row.p95_ms,
        "perSecond": row.per_second,
        "memory": row.memory_mib,
        "before": row.load_seconds + row.train_seconds,
        "training": row.train_seconds,
        "price": row.cost_per_million,
    }


def _curve(curve: Curve) -> dict[str, Any]:
    return {
        "task": curve.task,
        "kind": curve.kind.value,
        "name": curve.name,
        "points": [[point.train_rows, *_estimate(point.accuracy), point.seeds] for point in curve.points],
    }


class _Packer:
    """One sheet on its way into the page; equal strings are kept once.

    Attributes:
        used: characters that the rows packed so far take.
    """

    def __init__(self, sheet: Sheet, characters: int) -> None:
        self.used = 0
        self._sheet, self._characters = sheet, characters
        self._labels: dict[str, int] = {}
        self._pieces: dict[str, int] = {}
        self._patterns: dict[tuple[int, ...], int] = {}
        # Known before the rows are: a label keeps its place whichever rows are carried.
        for question in sheet.questions:
            for answer in question.answers:
                for label in (question.gold, answer.label, *(answer.probabilities or {})):
                    if label is not None:
                        self._labels.setdefault(label, len(self._labels))

    def pack(self) -> dict[str, Any]:
        sheet = self._sheet
        packed: dict[int, dict[str, Any]] = {}
        for position in sorted(range(len(sheet.questions)), key=lambda at: (_rank(sheet.questions[at]), at)):
            question = sheet.questions[position]
            row = self._question(question)
            if self.used > self._characters:
                break
            packed[position] = row
        return {
            "name": sheet.name,
            "rows": sheet.rows,
            "wrongRows": sheet.wrong_rows,
            "leftOutRuns": sheet.left_out_runs,
            "runs": [{"name": run.name, "kind": run.kind.value, "right": run.right} for run in sheet.runs],
            "pairs": [
                [pair.first, pair.second, pair.only_first, pair.only_second, pair.both_wrong, pair.differ]
                for pair in sheet.pairs
            ],
            "labels": list(self._labels),
            "pieces": [cut(piece, PROMPT_CHARACTERS) for piece in self._pieces],
            "patterns": [list(pattern) for pattern in self._patterns],
            "questions": [packed[position] for position in sorted(packed)],
        }

    def _question(self, question: Question) -> dict[str, Any]:
        texts = [*question.texts.values(), *question.choices]
        shown = [cut(text, TEXT_CHARACTERS) for text in texts]
        self.used += sum(map(len, shown))
        answers = []
        for answer in question.answers:
            reply = None if answer.reply is None else cut(answer.reply, TEXT_CHARACTERS)
            self.used += ANSWER_CHARACTERS + len(reply or "")
            probabilities = answer.probabilities
            answers.append(
                [
                    -1 if answer.label is None else self._labels[answer.label],
                    None if probabilities is None else [_rounded(probabilities.get(label)) for label in self._labels],
                    reply,
                    -1 if answer.prompt is None else self._pattern(answer.prompt, texts),
                ]
            )
        return {
            "id": question.id,
            "gold": self._labels[question.gold],
            "fields": list(question.texts),
            "texts": shown,
            "answers": answers,
        }

    def _pattern(self, prompt: str, texts: Sequence[str]) -> int:
        """Where the prompt's pattern lies; in it, n is the n-th of the words and -1 - n the n-th of the texts."""
        pattern = tuple(
            -1 - piece if isinstance(piece, int) else self._kept(piece) for piece in find_pattern(prompt, texts)
        )
        return self._patterns.setdefault(pattern, len(self._patterns))

    def _kept(self, piece: str) -> int:
        if piece not in self._pieces:
            self._pieces[piece] = len(self._pieces)
            self.used += min(len(piece), PROMPT_CHARACTERS)
        return self._pieces[piece]


def _rank(question: Question) -> int:
    """0 where the runs are neither all right nor all wrong, 1 where they are wrong in different ways, else 2."""
    labels = {answer.label for answer in question.answers}
    if question.gold in labels and len(labels) > 1:
        return 0
    return 1 if len(labels) > 1 else 2


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
