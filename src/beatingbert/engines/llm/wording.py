"""The exact tokens that one model reads for one question.

Knows the tokenizer: chat markup, the beginning-of-sequence token, and what is cut when a question is too long.
Only the task's long field is ever cut, at its end; where a choice is put into its blank, before the blank and at its
beginning. Instruction, demonstrations, the other fields, listed choices, the cue and what is scored stay whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
        text: the whole prompt, chat markup included, without the beginning-of-sequence token that is not text; where
            answers have prompts of their own, that of the first.
        answers: label to what would follow the prompt, with the blank before it where there is one.
        lost_tokens: tokens of the long field that were cut to fit.
        contexts: label to its own prompt, where a choice is part of the prompt and not of the answer; else empty.
        listed: the choices, where the prompt lists them and the answers are their letters; else empty.
    """

    text: str
    answers: dict[str, str]
    lost_tokens: int
    contexts: Mapping[str, str] = field(default_factory=dict)
    listed: tuple[str, ...] = ()

    @property
    def prompts(self) -> tuple[str, ...]:
        """Every prompt that is read: one, or one per label."""
        return tuple(self.contexts.values()) or (self.text,)


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
        self.demonstrations = demonstrations
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
        prompts = self._prompts(question, None)
        room = self._max_length - max(self._reserve, max(map(self._count, answers.values()))) - len(self.bos)
        excess = self._longest(prompts) - room
        if excess <= 0:
            return self._asked(question, prompts, answers, 0)
        return self._cut(question, answers, excess, room)

    def opening(self) -> list[int]:
        """Token ids that every prompt begins with, `bos` included: instruction, demonstrations, up to the question."""
        fields, choices = self._task.text_fields, ("x", "y") if not self._task.labels else ()
        ending = f" {self._task.blank.mark} x" if self._task.blank is not None else ""
        probes = [Question("probe", dict.fromkeys(fields, text + ending), choices) for text in ("A", "9 z")]
        texts = [self._prompts(probe, None)[0] for probe in probes]
        rows = self._tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        alike = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(*rows, strict=False))
        return [*self.bos, *(token for token, _ in alike)]

    def _cut(self, question: Question, answers: dict[str, str], excess: int, room: int) -> Asked:
        long_text, rest = self._what_may_be_cut(question)
        places = self._tokenizer(long_text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        offsets = places["offset_mapping"]
        keep = len(offsets) - excess
        while keep >= 0:  # a token or two more may go where cutting changes how its neighbours are split
            if self.template.fills_blank:  # what is next to the blank counts most
                kept = long_text[offsets[-keep][0] :] if keep else ""
            else:
                kept = long_text[: offsets[keep - 1][1]] if keep else ""
            prompts = self._prompts(question, kept + rest)
            over = self._longest(prompts) - room
            if over <= 0:
                return self._asked(question, prompts, answers, len(offsets) - keep)
            keep -= over
        shortest = self._longest(self._prompts(question, rest))
        raise SettingsError(
            f"question {question.id!r} needs {shortest - room} tokens more than max_length={self._max_length} "
            f"even without its {self._task.long_field}; use fewer demonstrations (--num_few_shot) or a larger "
            "--max_length"
        )

    def _what_may_be_cut(self, question: Question) -> tuple[str, str]:
        """The part of the long field that may lose tokens, and the part after it that stays whole."""
        text = question.texts[self._task.long_field].strip()
        if self._task.blank is None or not self.template.fills_blank:
            return text, ""
        before, after = self._task.blank.split(text)
        return before, self._task.blank.mark + after

    def _asked(self, question: Question, prompts: Sequence[str], answers: dict[str, str], lost_tokens: int) -> Asked:
        contexts = dict(zip(answers, prompts, strict=True)) if self.template.fills_blank else {}
        listed = question.choices if self.template.lists_choices else ()
        return Asked(prompts[0], answers, lost_tokens, contexts, listed)

    def _prompts(self, question: Question, long_text: str | None) -> list[str]:
        """The prompt; one per label, where each choice is put into the blank."""
        labels = self._task.labels_of(question) if self.template.fills_blank else (None,)
        return [self._render(question, long_text, label) for label in labels]

    def _render(self, question: Question, long_text: str | None, label: str | None) -> str:
        replace = None if long_text is None else {self._task.long_field: long_text}
        shown = self.demonstrations.before(question)
        if not self.chat:
            return running_text(self.template, shown, question, label, replace=replace)
        turns = chat_turns(self.template, shown, question, label, replace=replace)
        text: str = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        # The cue opens the model's own turn: left to open it, small chat models answer less steadily (docs/LOG.md).
        text += self.template.cue
        opening = self._tokenizer.decode(self.bos)
        return text.removeprefix(opening) if self.bos else text  # some templates write it themselves: never twice

    def _longest(self, texts: Sequence[str]) -> int:
        return max(map(self._count, texts))

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
