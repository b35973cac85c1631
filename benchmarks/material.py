"""From a task and a checkpoint to the prompts that everybody is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beatingbert.engines.llm.wording import Asked, Wording, opening_tokens, wants_chat
from beatingbert.prompts.demonstrations import Demonstrations, draw_demonstrations
from beatingbert.prompts.template import load_template
from beatingbert.tasks.catalog import find_task
from beatingbert.tasks.example import Question
from beatingbert.tasks.spec import Shape, Task
from beatingbert.tasks.splits import DEFAULT_SEED, load_splits
from benchmarks.answers import Material
from benchmarks.work import Work

TRAIN_ROWS = 2000  # to draw demonstrations from
LONGEST = 2048  # tokens of prompt and answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and how large the bench runs.

    Attributes:
        data_dir: folder of the data.
        rows: most rows of each piece of work.
        device: "cpu", "cuda" or "mps".
        threads: that torch computes with.
    """

    data_dir: Path
    rows: int
    device: str
    threads: int


def prepare(work: Work, place: Place, tokenizer: Any, model_type: str) -> Material:
    """The prompts of one piece of work for the checkpoint whose tokenizer is given."""
    task = find_task(work.task)
    splits = load_splits(
        task,
        data_dir=place.data_dir,
        train_size=TRAIN_ROWS,
        eval_size=min(place.rows, work.most_rows),
        need_train=work.shots > 0,
    )
    demonstrations = draw_demonstrations(task, splits.train, work.shots, seed=DEFAULT_SEED)
    questions = [example.question for example in splits.evaluation[task.evaluation[0]]]
    return put_into_words(task, demonstrations, questions, tokenizer, model_type)


def put_into_words(
    task: Task, demonstrations: Demonstrations, questions: Sequence[Question], tokenizer: Any, model_type: str
) -> Material:
    """The prompts of these questions, worded as the llm engine words them by default."""
    chat = wants_chat(tokenizer, "auto", task.name)
    bos = opening_tokens(tokenizer, model_type)
    wording = Wording(
        task,
        load_template(task),
        demonstrations,
        tokenizer,
        bos=bos,
        chat=chat,
        max_length=LONGEST,
        reserve=0,
    )
    return Material(
        asked=[move_blanks(wording.ask(question)) for question in questions],
        bos=bos,
        opening=wording.opening(),
        by_length=task.shape is Shape.CHOICE,
    )


def move_blanks(asked: Asked) -> Asked:
    """The same question with blanks at the prompt's end moved to the answers, as lm-evaluation-harness moves them.

    A chat template without a cue ends in a line break, which the harness scores as part of every answer. Both sides
    must score the same, or their log-likelihoods could not be compared.
    """
    text = asked.text.rstrip()
    blanks = asked.text[len(text) :]
    if not blanks:
        return asked
    return dataclasses.replace(asked, text=text, answers={key: blanks + words for key, words in asked.answers.items()})
