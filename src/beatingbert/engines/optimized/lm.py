"""DSPy's language model on one of ours, without any server between: an engine behind `dspy.LM`.

DSPy 3.4 wants custom models as an engine with `complete(Request) -> Response`; subclasses of `BaseLM` end with 3.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dspy
from dspy.lm15 import Message, Request, Response, TextPart, Usage

from beatingbert.engines.optimized.adapter import Opening
from beatingbert.engines.optimized.budget import Broken, Meter
from beatingbert.engines.optimized.voice import Prompt, Said, Voice


class VoiceEngine:
    """Answers DSPy's requests with a voice.

    Args:
        voice: who answers.
        meter: counts, and halts when the budget is used up.
    """

    def __init__(self, voice: Voice, meter: Meter) -> None:
        self._voice = voice
        self._meter = meter
        self._known: dict[Prompt, Said] = {}

    def complete(self, request: Request) -> Response:
        """One reply. What DSPy would swallow, a failing model or a spent budget, goes past it."""
        prompt = prompt_of(request)
        if prompt not in self._known:
            self._ask([prompt])
        said = self._known[prompt]
        return Response(
            id=None,
            model=request.model,
            message=Message.assistant([TextPart(said.text)]),
            finish_reason="stop",
            usage=Usage(input_tokens=said.read, output_tokens=said.written),
        )

    def prepare(self, prompts: Sequence[Prompt]) -> None:
        """Answer prompts together that DSPy will ask one by one, for then they share their work."""
        missing = [one for one in dict.fromkeys(prompts) if one not in self._known]
        while missing:
            some = missing[: self._voice.at_once]
            self._ask(some)
            missing = missing[len(some) :]

    def _ask(self, prompts: Sequence[Prompt]) -> None:
        allowed = self._meter.room(len(prompts))
        try:
            said = self._voice.say(prompts[:allowed])
        except Exception as error:
            raise Broken(error) from error
        self._meter.count(said)
        self._known.update(zip(prompts, said, strict=False))
        if allowed < len(prompts):
            self._meter.room(1)


class RolloutLM(dspy.LM):  # type: ignore[misc]
    """A `dspy.LM` whose rollouts differ: DSPy keeps their number to its cache, so it is passed on as a seed."""

    def copy(self, **kwargs: Any) -> Any:
        """As DSPy copies it."""
        if kwargs.get("rollout_id") is not None:
            kwargs.setdefault("seed", kwargs["rollout_id"])
        return super().copy(**kwargs)


def language_model(engine: VoiceEngine, identity: str, max_tokens: int) -> dspy.LM:
    """The model for `dspy.context(lm=...)`; greedy unless an optimiser asks for more."""
    return RolloutLM(
        f"beatingbert/{identity[:16] or 'model'}",
        engine=engine,
        temperature=0.0,
        max_tokens=max_tokens,
        num_retries=0,  # a voice tries again by itself where that may help
    )


def prompt_of(request: Request) -> Prompt:
    """What DSPy asks for, in this house's words."""
    turns = [(message.role, _text(message.parts)) for message in request.messages]
    if request.system is not None:
        system = request.system if isinstance(request.system, str) else _text(request.system)
        turns.insert(0, ("system", system))
    config = request.config
    opening = Opening.of((config.extensions or {}).get("metadata", {}))
    if opening.answers:
        return opening.prompt(tuple(turns))
    return opening.prompt(
        tuple(turns), max_tokens=config.max_tokens or 1, temperature=config.temperature or 0.0, seed=config.seed or 0
    )


def _text(parts: Sequence[Any]) -> str:
    return "".join(part.text for part in parts)
