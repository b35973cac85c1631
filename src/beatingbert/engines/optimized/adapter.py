"""How DSPy's fields become turns, and a reply becomes fields: two adapters of DSPy.

Besides the turns an adapter says how the model's own turn begins and, where nothing but the label is asked for, which
words may follow. Both travel in the request's metadata, which DSPy passes on as it is and counts to what its cache
knows a request by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import dspy
from dspy.utils.exceptions import AdapterParseError

from beatingbert.engines.optimized.signature import CHOICES, LABEL, Form
from beatingbert.engines.optimized.voice import Prompt
from beatingbert.prompts.chat import GAP
from beatingbert.prompts.letters import parse_letter
from beatingbert.prompts.parse import parse_reply
from beatingbert.prompts.template import Template

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a `Prompt` holds besides its turns; see there."""

    opens: str = ""
    joins: str = GAP
    gap: str = ""
    cued: bool = False
    answers: tuple[str, ...] = ()

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Self:
        """From a request; one that is not ours has none."""
        return cls(**{**metadata, "answers": tuple(metadata.get("answers", ()))})

    def prompt(self, turns: tuple[tuple[str, str], ...], **more: Any) -> Prompt:
        """The turns with it."""
        return Prompt(turns=turns, **asdict(self), **more)


class TurnAdapter(dspy.ChatAdapter):  # type: ignore[misc]
    """DSPy's own `ChatAdapter` to the letter.

    Args:
        form: whose label is to be compared, not written.
    """

    def __init__(self, form: Form) -> None:
        super().__init__(
            use_json_adapter_fallback=False
        )  # a turn that was opened in one format cannot go on in another
        self._form = form

    def __call__(
        self, lm: Any, lm_kwargs: dict[str, Any], signature: Any, demos: Sequence[Fields], inputs: Fields
    ) -> list[dict[str, Any]]:
        """As DSPy calls it."""
        opening = asdict(self.opening(signature, inputs))
        more = {"metadata": {**opening, "answers": list(opening["answers"])}}
        said: list[dict[str, Any]] = super().__call__(lm, {**lm_kwargs, **more}, signature, list(demos), dict(inputs))
        return said

    def turns(self, signature: Any, demos: Sequence[Fields], inputs: Fields) -> tuple[tuple[str, str], ...]:
        """(role, text) of each turn, as `__call__` sends them."""
        messages = self.format(signature, list(demos), dict(inputs))
        return tuple((str(one["role"]), str(one["content"])) for one in messages)

    def opening(self, signature: Any, inputs: Fields) -> Opening:
        """How the reply begins, and what may follow."""
        first = next(iter(signature.output_fields))
        answers = self._form.answers(inputs) if _asks_for_label_alone(signature) else ()
        return Opening(opens=f"[[ ## {first} ## ]]\n", answers=answers)

    def parse(self, signature: Any, completion: str) -> dict[str, Any]:
        """As DSPy reads it; where a single field is asked for and no marker is there, all of the text is that field."""
        try:
            fields: dict[str, Any] = super().parse(signature, completion)
        except AdapterParseError:
            if len(signature.output_fields) > 1 or "[[ ##" in completion or not completion.strip():
                raise
            if _asks_for_label_alone(signature):
                return self._label(signature, completion)
            return {next(iter(signature.output_fields)): completion.strip()}
        return fields

    def _label(self, signature: Any, text: str) -> dict[str, str]:
        """The label that a text names, read as strictly as the llm engine reads replies."""
        words = self._form.words
        if self._form.lists_choices:
            named = parse_letter(text, [""] * len(words))
        else:
            named = parse_reply(text, words)
        if named is None:
            raise AdapterParseError(type(self).__name__, signature, text, message="It names no label.")
        return {LABEL: words[named]}


class TemplateAdapter(TurnAdapter):
    """Asks for a label in the words of the prompt file, as the llm engine does, and for all else as `TurnAdapter`.

    So a compiled prompt differs from a plain few-shot one in its instruction and demonstrations, and in nothing else.

    Args:
        form: whose label is to be compared.
        template: the words; multiple choice by letter.
    """

    def __init__(self, form: Form, template: Template) -> None:
        super().__init__(form)
        self._template = template

    def format(self, signature: Any, demos: list[Fields], inputs: dict[str, Any]) -> list[dict[str, Any]]:
        """As DSPy calls it; the same turns as `prompts.chat.chat_turns` makes."""
        if not _asks_for_label_alone(signature):
            messages: list[dict[str, Any]] = super().format(signature, demos, inputs)
            return messages
        cue = f"{self._template.cue} " if self._template.cue else ""
        turns: list[dict[str, Any]] = []
        for demo in demos:
            turns.append({"role": "user", "content": self._ask(demo)})
            turns.append({"role": "assistant", "content": f"{cue}{demo[LABEL]}"})
        turns.append({"role": "user", "content": self._ask(inputs)})
        turns[0]["content"] = GAP.join(filter(None, [signature.instructions.strip(), turns[0]["content"]]))
        return turns

    def opening(self, signature: Any, inputs: Fields) -> Opening:
        """How the reply begins, and what may follow."""
        if not _asks_for_label_alone(signature):
            return super().opening(signature, inputs)
        cue = self._template.cue
        return Opening(
            opens=cue, joins="\n" if cue else " ", gap=" ", cued=bool(cue), answers=self._form.answers(inputs)
        )

    def parse(self, signature: Any, completion: str) -> dict[str, Any]:
        """The label, after the cue where there is one."""
        if not _asks_for_label_alone(signature):
            return super().parse(signature, completion)
        return self._label(signature, completion.strip().removeprefix(self._template.cue))

    def _ask(self, values: Fields) -> str:
        texts = {own: str(values[name]) for own, name in self._form.fields.items()}
        asked = self._template.question.format_map(texts)
        return f"{asked}\n{values[CHOICES]}" if self._form.lists_choices else asked


def adapter_of(kind: str, form: Form, template: Template) -> TurnAdapter:
    """The adapter of this name, one of `settings.ADAPTERS`."""
    return TemplateAdapter(form, template) if kind == "template" else TurnAdapter(form)


def _asks_for_label_alone(signature: Any) -> bool:
    return tuple(signature.output_fields) == (LABEL,)
