"""From a program's fields to one prompt: the one place where it is made, for DSPy's trials and for what is reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import dspy

from beatingbert.engines.optimized.adapter import TemplateAdapter, TurnAdapter
from beatingbert.engines.optimized.signature import Form
from beatingbert.engines.optimized.voice import Prompt, Voice
from beatingbert.errors import SettingsError

Demos = Sequence[Mapping[str, Any]]


class Asker:
    """Puts questions into prompts that fit the model.

    Args:
        form: the task's fields.
        adapter: DSPy's words around them.
        voice: who will be asked.
        max_new_tokens: longest reply of a program that reasons.
    """

    def __init__(self, form: Form, adapter: TurnAdapter, voice: Voice, max_new_tokens: int) -> None:
        self.form = form
        self.adapter = adapter
        self.adapter_name = "template" if isinstance(adapter, TemplateAdapter) else "chat"
        self._voice = voice
        self._max_new_tokens = max_new_tokens

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """DSPy copies programs whole; the model is no part of them."""
        return self

    def fit(self, signature: Any, demos: Demos, inputs: Mapping[str, str]) -> tuple[dict[str, str], int]:
        """The fields with the long one cut to fit, and the tokens that it has lost.

        Raises:
            SettingsError: the prompt does not fit even without it.
        """
        name = self.form.long_field
        kept, lost = self._voice.shorten(
            inputs[name], lambda text: self.prompt(signature, demos, {**inputs, name: text})
        )
        return {**inputs, name: kept}, lost

    def prompt(self, signature: Any, demos: Demos, inputs: Mapping[str, str]) -> Prompt:
        """What is sent for these fields."""
        opening = self.adapter.opening(signature, inputs)
        turns = self.adapter.turns(signature, demos, inputs)
        return opening.prompt(turns) if opening.answers else opening.prompt(turns, max_tokens=self._max_new_tokens)


class Classify(dspy.Module):  # type: ignore[misc]
    """The program that is compiled: one predictor, from the question's fields to its label.

    Args:
        asker: makes its questions fit.
    """

    def __init__(self, asker: Asker) -> None:
        super().__init__()
        self.asker = asker
        self.predict = dspy.Predict(asker.form.signature())

    def forward(self, **inputs: str) -> Any:
        """The predictor's outputs."""
        fitting, _ = self.asker.fit(self.predict.signature, self.predict.demos, inputs)
        return self.predict(**fitting)

    def prompts(self, rows: Sequence[Any]) -> list[Prompt]:
        """What `forward` will send for these examples of DSPy; those that do not fit are left out."""
        found = []
        signature, demos = self.predict.signature, self.predict.demos
        for row in rows:
            try:
                fitting, _ = self.asker.fit(signature, demos, row.inputs().toDict())
            except SettingsError:
                continue  # DSPy will come upon it and count the row as failed
            found.append(self.asker.prompt(signature, demos, fitting))
        return found
