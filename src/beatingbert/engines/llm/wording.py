"""The exact tokens that one model reads for one question.

Knows the tokenizer: chat markup, the beginning-of-sequence token, and what is cut when a question is too long.
Only the task's long field is ever cut; instruction, demonstrations, the other fields and the cue stay whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from beatingbert.errors import CheckpointError, SettingsError
from beatingbert.prompts.chat import chat_turns, running_text
from beatingbert.prompts.demonstrations import Demonstrations
from beatingbert.prompts.template import Template
from beatingbert.tasks.example import Question
from beatingbert.tasks.spec import Task


@dataclass(frozen=True, slots=True)
class Asked:
    """One question in one model's words.

    Attributes:
        text: the whole prompt, chat markup included, without the beginning-of-sequence token that is not text.
        answers: label to what would follow the prompt, with the blank before it where there is one.
        lost_tokens: tokens of the long field that were cut to fit.
    """

    text: str
    answers: dict[str, str]
    lost_tokens: int


class Wording:
    """Turns questions into prompts that fit the model's window.

    Args:
        task: says which field may be cut.
        template: the words.
        demonstrations: solved examples to show first.
        tokenizer: of the checkpoint.
        bos: the token ids that go before every prompt; see `opening_tokens`.
        chat: whether to use the tokenizer's chat template.
        max_length: most tokens of prompt and answer together.
        reserve: tokens to keep free for the answer, where it is written and not scored.
    """

    def __init__(
        self,
        task: Task,
        template: Template,
        demonstrations: Demonstrations,
        tokenizer: Any,
        *,
        bos: Sequence[int],
        chat: bool,
        max_length: int,
        reserve: int,
    ) -> None:
        self.template = template
        self.chat = chat
        self.bos = list(bos)
        self._task = task
        self._demonstrations = demonstrations
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._reserve = reserve

    def ask(self, question: Question) -> Asked:
        """The prompt for a question, cut to fit.

        Raises:
            SettingsError: it does not fit even without the long field.
        """
        gap = "" if self.chat and not self.template.cue else " "
        answers = {label: gap + self.template.answer(question, label) for label in self._task.labels_of(question)}
        text = self._render(question, None)
        room = self._max_length - max(self._reserve, max(map(self._count, answers.values()))) - len(self.bos)
        excess = self._count(text) - room
        if excess <= 0:
            return Asked(text, answers, 0)
        return self._cut(question, answers, excess, room)

    def opening(self) -> list[int]:
        """Token ids that every prompt begins with, `bos` included: instruction, demonstrations, up to the question."""
        fields, choices = self._task.text_fields, ("x", "y") if not self._task.labels else ()
        probes = [Question("probe", dict.fromkeys(fields, text), choices) for text in ("A", "9 z")]
        texts = [self._render(probe, None) for probe in probes]
        rows = self._tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        alike = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(*rows, strict=False))
        return [*self.bos, *(token for token, _ in alike)]

    def _cut(self, question: Question, answers: dict[str, str], excess: int, room: int) -> Asked:
        field = self._task.long_field
        long_text = question.texts[field].strip()
        places = self._tokenizer(long_text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        offsets = places["offset_mapping"]
        keep = len(offsets) - excess
        while keep >= 0:  # a token or two more may go where cutting changes how its neighbours are split
            text = self._render(question, long_text[: offsets[keep - 1][1]] if keep else "")
            over = self._count(text) - room
            if over <= 0:
                return Asked(text, answers, len(offsets) - keep)
            keep -= over
        shortest = self._count(self._render(question, ""))
        raise SettingsError(
            f"question {question.id!r} needs {shortest - room} tokens more than max_length={self._max_length} "
            f"even without its {field}; use fewer demonstrations (--num_few_shot) or a larger --max_length"
        )

    def _render(self, question: Question, long_text: str | None) -> str:
        replace = None if long_text is None else {self._task.long_field: long_text}
        shown = self._demonstrations.before(question)
        if not self.chat:
            return running_text(self.template, shown, question, replace=replace)
        turns = chat_turns(self.template, shown, question, replace=replace)
        text: str = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        # The cue opens the model's own turn: left to open it, small chat models answer less steadily (docs/LOG.md).
        text += self.template.cue
        opening = self._tokenizer.decode(self.bos)
        return text.removeprefix(opening) if self.bos else text  # some templates write it themselves: never twice

    def _count(self, text: str) -> int:
        return len(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def opening_tokens(tokenizer: Any, model_type: str) -> list[int]:
    """The ids that the model expects before every text: what its tokenizer puts there, or its BOS token.

    Raises:
        CheckpointError: the family is lost without a beginning-of-sequence token, and the tokenizer has none.
    """
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    special = tokenizer("a")["input_ids"]
    starts = (at for at in range(len(special)) if special[at : at + len(plain)] == plain)  # some add an ending as well
    opening = list(special[: next(starts, 1)])
    if opening or not model_type.startswith("gemma"):
        return opening
    if tokenizer.bos_token_id is None:
        raise CheckpointError(
            f"a {model_type} model needs a beginning-of-sequence token before every text, but its tokenizer has none; "
            "the checkpoint's tokenizer files are incomplete"
        )
    return [tokenizer.bos_token_id]


def wants_chat(tokenizer: Any, choice: str, reference: str) -> bool:
    """Whether to speak in chat turns: as told, or where the tokenizer has a template."""
    if choice == "always" and not tokenizer.chat_template:
        raise CheckpointError(f"{reference!r} has no chat template; use --chat_template auto or never")
    return choice != "never" and bool(tokenizer.chat_template)
