"""A voice that follows a rule, so that what DSPy makes of it is known: no model, no noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from beatingbert.engines.optimized.adapter import adapter_of
from beatingbert.engines.optimized.asking import Asker
from beatingbert.engines.optimized.budget import Meter
from beatingbert.engines.optimized.optimise import Outcome, optimise
from beatingbert.engines.optimized.settings import OptimizedSettings
from beatingbert.engines.optimized.signature import Form, form_of
from beatingbert.engines.optimized.voice import Prompt, Said
from beatingbert.engines.protocol import Access, EngineFacts
from beatingbert.progress import silent
from beatingbert.prompts.template import load_template
from beatingbert.tasks.catalog import find_task
from tiny_tasks import sentiment

MAGIC = "great means positive"  # an instruction, or demonstrations, with these words make the parrot right
TRAIN, DEVELOPMENT, EVALUATION = sentiment(24), sentiment(8, start=100), sentiment(6, start=200)


@dataclass(kw_only=True)
class Parrot:
    """Right about "great" once it has been shown a demonstration or told so; says the first answer before that.

    Attributes:
        proposes: what it writes where it may write freely.
        breaks_at, stops_at: number of the call that fails, or at which somebody presses Ctrl-C.
    """

    proposes: Callable[[Prompt], str] = lambda prompt: MAGIC
    breaks_at: int | None = None
    stops_at: int | None = None
    heard: list[Prompt] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    facts: EngineFacts = field(default_factory=EngineFacts)
    identity: str = "parrot"
    at_once: int = 4
    compares: bool = True
    how: str = "by rule"

    def say(self, prompts: Sequence[Prompt], on_done: Callable[[int], None] = lambda done: None) -> list[Said]:
        self.batches.append(len(prompts))
        return [self._one(prompt) for prompt in prompts]

    def shorten(self, text: str, prompt_of: Callable[[str], Prompt]) -> tuple[str, int]:
        return text, 0

    def _one(self, prompt: Prompt) -> Said:
        self.heard.append(prompt)
        if len(self.heard) == self.breaks_at:
            raise ConnectionError("the line is dead")
        if len(self.heard) == self.stops_at:
            raise KeyboardInterrupt
        if not prompt.answers:
            return Said(text=prompt.opens + self.proposes(prompt), shown="", read=10, written=5)
        told = MAGIC in prompt.turns[0][1] or any(role == "assistant" for role, _ in prompt.turns)
        right = "positive" if "great" in prompt.turns[-1][1].replace(MAGIC, "") else "negative"
        chosen = right if told else prompt.answers[0]
        scores = {answer: 0.0 if answer == chosen else -1.0 for answer in prompt.answers}
        return Said(text=prompt.opens + chosen, scores=scores, shown=prompt.turns[-1][1], read=10)


def settings(**given: Any) -> OptimizedSettings:
    return OptimizedSettings(**({"checkpoint": "parrot", "shots": 2, "num_candidates": 3, "num_trials": 3} | given))


def sentiment_form(*, reasoning: bool = False, has_question: bool = False) -> Form:
    task = find_task("sst2")
    return form_of(task, load_template(task), reasoning=reasoning, has_question=has_question)


def asker_of(voice: Any, *, adapter: str = "chat", reasoning: bool = False) -> Asker:
    form = sentiment_form(reasoning=reasoning, has_question=adapter == "template")
    return Asker(form, adapter_of(adapter, form, load_template(find_task("sst2"))), voice, 50)


def compiled(voice: Any, folder: Path, *, access: Access | None = None, **given: Any) -> Outcome:
    chosen = settings(**given)
    asker = asker_of(voice, adapter=str(chosen.adapter), reasoning=chosen.reasoning)
    meter = Meter(chosen, access or Access())
    return optimise(
        asker, voice, meter, chosen, train=TRAIN, development=DEVELOPMENT, seed=99, folder=folder, progress=silent
    )
