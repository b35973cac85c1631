"""Which solved examples a few-shot prompt shows.

Drawn from train only, balanced, by seed, and never the question itself.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from beatingbert.errors import DataError, TooFewExamplesError
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.spec import Task
from beatingbert.tasks.subsample import text_key

BYTES_PER_TOKEN = 3.2  # of ordinary text; byte-level vocabularies take about 4
MARKUP_TOKENS = 16  # that a demonstration has besides its texts and its label
MOST_SHOTS = 16
SHOT_ORDER = ("mixed", "by_label")
SPARES_PER_LABEL = 3  # stand-ins for a demonstration that turns out to be the question itself


@dataclass(frozen=True, slots=True)
class Demonstrations:
    """Examples to show before each question, in the order drawn, and spares per label.

    The same examples in the same order for every question, so that their work can be done once.
    """

    shown: tuple[Example, ...]
    spares: tuple[Example, ...]

    def before(self, question: Question) -> tuple[Example, ...]:
        """What to show before this question: a demonstration that repeats it is replaced by a spare of its label.

        Where no label has a spare, it is left out: one demonstration fewer, but never the question itself.
        """
        own = text_key(question)
        if all(text_key(example.question) != own for example in self.shown):
            return self.shown
        spares = [example for example in self.spares if text_key(example.question) != own]
        chosen = []
        for example in self.shown:
            if text_key(example.question) == own:
                stand_in = [spare for spare in spares if spare.label == example.label] or spares
                chosen += stand_in[:1]
            else:
                chosen.append(example)
        return tuple(chosen)

    def to_json(self) -> dict[str, Any]:
        """Texts, choices and labels as plain JSON."""
        return {name: [_plain(one) for one in examples] for name, examples in self._parts().items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` wrote.

        Raises:
            DataError: it is something else.
        """
        try:
            return cls(*(tuple(_example(one) for one in data[name]) for name in ("shown", "spares")))
        except (KeyError, TypeError) as error:
            raise DataError(f"demonstrations cannot be read ({type(error).__name__}: {error})") from error

    def _parts(self) -> dict[str, tuple[Example, ...]]:
        return {"shown": self.shown, "spares": self.spares}


def _plain(example: Example) -> dict[str, Any]:
    question = example.question
    return {
        "id": question.id,
        "texts": dict(question.texts),
        "choices": list(question.choices),
        "label": example.label,
    }


def _example(data: Mapping[str, Any]) -> Example:
    return Example(Question(data["id"], dict(data["texts"]), tuple(data["choices"])), data["label"])


def draw_demonstrations(
    task: Task, train: Sequence[Example], count: int, *, seed: int, order: str = "mixed"
) -> Demonstrations:
    """Draw `count` different examples, as evenly over the labels as `count` allows.

    Which labels get one more when `count` is no multiple of their number is drawn too, so no label is favoured by
    its place in the list. For multiple choice there is nothing to balance: positions of right answers are no classes.

    Args:
        task: whose labels are balanced.
        train: to draw from.
        count: how many.
        seed: of the draw.
        order: "mixed" shuffles them; "by_label" shows the same ones label by label, in the task's order, so that the
            last label is always the freshest (a bias that is known: Zhao et al., 2021, section 4).

    Raises:
        TooFewExamplesError: fewer train rows than demonstrations, or a label with too few of them.
    """
    if count == 0:
        return Demonstrations((), ())
    rng = random.Random(f"demonstrations-{seed}")
    pool = list({text_key(example.question): example for example in train}.values())
    rng.shuffle(pool)
    if len(pool) < count:
        raise TooFewExamplesError(
            f"{count} demonstrations asked for, but train has only {len(pool)} different rows; "
            f"lower --num_few_shot or raise --max_samples"
        )
    if not task.labels:
        return Demonstrations(tuple(pool[:count]), tuple(pool[count : count + SPARES_PER_LABEL]))
    labels = list(task.labels)
    rng.shuffle(labels)
    wanted = Counter(labels[position % len(labels)] for position in range(count))
    shown: list[Example] = []
    spares: list[Example] = []
    for label in labels:
        having = [example for example in pool if example.label == label]
        if len(having) < wanted[label]:
            raise TooFewExamplesError(
                f"{wanted[label]} demonstrations of label {label!r} are needed for {count} balanced ones, but train "
                f"has {len(having)}; lower --num_few_shot or raise --max_samples"
            )
        shown += having[: wanted[label]]
        spares += having[wanted[label] : wanted[label] + SPARES_PER_LABEL]
    rng.shuffle(shown)
    if order == "by_label":
        shown.sort(key=lambda example: task.labels.index(str(example.label)))
    return Demonstrations(tuple(shown), tuple(spares))


def shots_that_fit(task: Task, train: Sequence[Example], *, tokens: int, most: int = MOST_SHOTS) -> int:
    """How many demonstrations fit into so many tokens, as many of each label; fewer than labels where not all fit.

    Tokens are reckoned from the bytes of the texts, a little too many rather than too few, so that no question is cut
    for the sake of a demonstration.

    Args:
        task: with labels.
        train: to draw from; no label is shown more often than it has rows.
        tokens: that the demonstrations may take together.
        most: demonstrations in all, but for one of each label.
    """
    if not train:
        return 0
    sizes = sorted(sum(len(text.encode()) for text in one.question.texts.values()) for one in train)
    label = max(len(one.encode()) for one in task.labels)
    each = (sizes[len(sizes) * 3 // 4] + label) / BYTES_PER_TOKEN + MARKUP_TOKENS
    counts = Counter(one.label for one in train)
    fit = int(tokens / each)
    labels = len(task.labels)
    per_label = min(fit // labels, max(1, most // labels), min(counts.get(one, 0) for one in task.labels))
    if per_label:
        return per_label * labels
    return min(fit, labels - 1) if all(counts.get(one, 0) for one in task.labels) else 0
