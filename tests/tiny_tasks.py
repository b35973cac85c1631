"""A few rows per shape of task, with a rule that can be learnt: the same every time, no files."""

from __future__ import annotations

import json
import random
from pathlib import Path

from beatingbert.tasks.example import Example, Question

FILLERS = ("film", "story", "actor", "plain", "not", "movie", "review", "moving", "boring")


def questions_of(examples: list[Example]) -> list[Question]:
    return [example.question for example in examples]


def sentiment(count: int, *, start: int = 0) -> list[Example]:
    """SST-2 rows of different length, positive exactly where the word "great" occurs, else "awful" does."""
    rng = random.Random(start)
    rows = []
    for number in range(start, start + count):
        words = [rng.choice(FILLERS) for _ in range(rng.randint(1, 8))]
        positive = number % 2 == 1
        words.insert(rng.randrange(len(words) + 1), "great" if positive else "awful")
        question = Question(id=f"s{number}", texts={"sentence": f"{' '.join(words)} {number}"})
        rows.append(Example(question, "positive" if positive else "negative"))
    return rows


def entailment(count: int) -> list[Example]:
    """RTE rows of different length."""
    rows = []
    for number in range(count):
        follows = number % 2 == 0
        first = f"The cat sat on the mat {'and the cat sat ' * (number % 4)}{number}."
        question = Question(
            id=f"r{number}", texts={"sentence1": first, "sentence2": "A cat sat." if follows else "No animal sat."}
        )
        rows.append(Example(question, "entailment" if follows else "not_entailment"))
    return rows


def science(count: int) -> list[Example]:
    """ARC rows with two to five choices; the right one is "great"."""
    rows = []
    for number in range(count):
        choices = [f"{filler} {number}" for filler in FILLERS[: 1 + number % 4]]
        right = number % (len(choices) + 1)
        choices.insert(right, "great")
        question = Question(id=f"a{number}", texts={"question": f"Which is it {number}"}, choices=tuple(choices))
        rows.append(Example(question, str(right)))
    return rows


def blanks(count: int) -> list[Example]:
    """WinoGrande rows; every fourth sentence begins with its blank, so that nothing comes before the choice."""
    rows = []
    for number in range(count):
        choices = (f"the good film {number}", "a story")
        before = "" if number % 4 == 3 else f"The actor saw film {number} because "
        question = Question(
            id=f"w{number}", texts={"sentence": f"{before}_ was great in review {number}."}, choices=choices
        )
        rows.append(Example(question, str(number % 2)))
    return rows


def write_sentiment(data_dir: Path, *, train: int = 60, validation: int = 20) -> Path:
    """SST-2 as files under `data_dir`, which is returned."""
    for split, examples in (("train", sentiment(train)), ("validation", sentiment(validation, start=500))):
        rows = [
            {"idx": at, **example.question.texts, "label": int(example.label == "positive")}
            for at, example in enumerate(examples)
        ]
        (data_dir / "sst2").mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (data_dir / "sst2" / f"{split}.jsonl").write_text(text, encoding="utf-8")
    return data_dir
