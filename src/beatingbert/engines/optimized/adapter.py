"""How DSPy's fields become turns: by its own `ChatAdapter`, to the letter.

In addition it says how the model's turn begins and, where nothing but the label is asked for, which words may follow.
Both travel in the request's metadata, which DSPy passes on as it is and counts to what its cache knows a request by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dspy
from dspy.utils.exceptions import AdapterParseError

from beatingbert.engines.optimized.signature import LABEL, Form
from beatingbert.prompts.parse import parse_reply

OPENS, ANSWERS = "opens", "answers"


class TurnAdapter(dspy.ChatAdapter):  # type: ignore[misc]
    """DSPy's `ChatAdapter` for one form.

    Args:
        form: whose label is to be compared, not written.
    """

    def __init__(self, form: Form) -> None:
        super().__init__(
            use_json_adapter_fallback=False
        )  # a turn that was opened in one format cannot go on in another
        self._form = form

    def __call__(
        self,
        lm: Any,
        lm_kwargs: dict[str, Any],
        signature: Any,
        demos: Sequence[Mapping[str, Any]],
        inputs: Mapping[str, Any],
    ) -> list[dict[str, Any]]:
        """As DSPy calls it."""
        more = {"metadata": self.metadata(signature, inputs)}
        said: list[dict[str, Any]] = super().__call__(lm, {**lm_kwargs, **more}, signature, list(demos), dict(inputs))
        return said

    def turns(
        self, signature: Any, demos: Sequence[Mapping[str, Any]], inputs: Mapping[str, Any]
    ) -> tuple[tuple[str, str], ...]:
        """(role, text) of each turn, as `__call__` sends them."""
        messages = self.format(signature, list(demos), dict(inputs))
        return tuple((str(one["role"]), str(one["content"])) for one in messages)

    def metadata(self, signature: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """How the reply begins, and what may follow."""
        first = next(iter(signature.output_fields))
        answers = self._form.answers(inputs) if tuple(signature.output_fields) == (LABEL,) else ()
        return {OPENS: f"[[ ## {first} ## ]]\n", ANSWERS: list(answers)}

    def parse(self, signature: Any, completion: str) -> dict[str, Any]:
        """As DSPy reads it; where a single field is asked for and no marker is there, all of the text is that field."""
        try:
            fields: dict[str, Any] = super().parse(signature, completion)
        except AdapterParseError:
            if len(signature.output_fields) > 1 or "[[ ##" in completion or not completion.strip():
                raise
            name = next(iter(signature.output_fields))
            if name != LABEL:
                return {name: completion.strip()}
            named = parse_reply(completion, self._form.words)
            if named is None:
                raise
            return {LABEL: self._form.words[named]}
        return fields
