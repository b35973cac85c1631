"""Questions as requests, for one way of asking. Knows no tokens: the server has the tokenizer and the chat format."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from beatingbert.engines.served.client import Request
from beatingbert.engines.served.endpoints import writes_json
from beatingbert.engines.served.settings import ServedSettings
from beatingbert.prompts.chat import chat_turns, running_text
from beatingbert.prompts.demonstrations import Demonstrations
from beatingbert.prompts.letters import LETTERS
from beatingbert.prompts.template import Template
from beatingbert.tasks.example import Question
from beatingbert.tasks.spec import Task

BEGINNINGS, ECHO, CHOICE, WRITTEN = "beginnings", "echo", "choice", "written"
SCORING = {
    BEGINNINGS: "log-probabilities of the answer's first tokens",
    ECHO: "log-probabilities of each label's words, echoed after the prompt",
    CHOICE: "the server lets only labels be written",
    WRITTEN: "free text, read strictly",
}
ROOM_FOR_JSON = 24  # tokens, besides the longest label


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a question is asked and its answer read.

    Attributes:
        scoring: a name from `SCORING`.
        chat: turns, or one running text.
        goes_on: whether the cue opens the model's own turn; else it ends the user's. Only for turns.
        constraint: how the server is told of the labels, where it is.
        alternatives: likeliest tokens to ask for.
    """

    scoring: str
    chat: bool
    goes_on: bool = False
    constraint: str = ""
    alternatives: int = 0

    @property
    def has_probabilities(self) -> bool:
        """Whether it gives any."""
        return self.scoring in (BEGINNINGS, ECHO)


class Wording:
    """Turns questions into requests.

    Args:
        task: whose questions they are.
        template: the words; multiple choice lists its choices.
        demonstrations: solved examples to show first.
        settings: temperature and limits.
        seed: of sampling.
    """

    def __init__(
        self, task: Task, template: Template, demonstrations: Demonstrations, settings: ServedSettings, seed: int
    ) -> None:
        self.template = template
        self._task = task
        self.demonstrations = demonstrations
        self._settings = settings
        self._seed = seed

    def probe(self) -> Question:
        """A question without content, to find out what the server offers."""
        return Question(
            "probe", dict.fromkeys(self._task.text_fields, "A"), () if self._task.labels else ("one", "two")
        )

    def words(self, question: Question) -> dict[str, str]:
        """Label to what stands for it; the letter, where choices are listed."""
        labels = self._task.labels_of(question)
        if self.template.lists_choices:
            return {label: LETTERS[int(label)] for label in labels}
        return {label: self.template.answer(question, label) for label in labels}

    def requests(self, question: Question, way: Way) -> list[Request]:
        """What is sent first: one request, or one per label where each label's words are echoed."""
        whole = self.in_full(question, way)
        if way.scoring == BEGINNINGS:
            return [dataclasses.replace(whole, max_tokens=1)]
        if way.scoring == ECHO:
            return [
                dataclasses.replace(whole, text=f"{whole.text} {word}", max_tokens=1, echo=True)
                for word in self.words(question).values()
            ]
        return [whole]

    def in_full(self, question: Question, way: Way) -> Request:
        """The request for a whole answer."""
        opens = way.chat and way.goes_on and bool(self.template.cue)
        choices: Sequence[str] = ()
        limit = self._settings.max_new_tokens
        if way.constraint:
            gap = " " if not way.chat or opens else ""
            choices = [gap + word for word in self.words(question).values()]
            limit = max(limit, max(map(len, choices)) + (ROOM_FOR_JSON if writes_json(way.constraint) else 0))
        return Request(
            turns=self._turns(question, opens) if way.chat else (),
            text="" if way.chat else running_text(self.template, self.demonstrations.before(question), question),
            max_tokens=limit,
            temperature=self._settings.temperature,
            seed=self._seed if self._settings.temperature > 0 else None,
            alternatives=way.alternatives,
            choices=tuple(choices),
            constraint=way.constraint,
        )

    def _turns(self, question: Question, opens: bool) -> tuple[tuple[str, str], ...]:
        shown = self.demonstrations.before(question)
        turns = chat_turns(self.template, shown, question, cue_ends_question=not opens)
        said = [(turn["role"], turn["content"]) for turn in turns]
        return (*said, ("assistant", self.template.cue)) if opens else tuple(said)
