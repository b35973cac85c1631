"""The optimized engine: DSPy searches an instruction and demonstrations for a model, and the best of them answers."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from beatingbert.checkpoints.kept import kept_checkpoint
from beatingbert.engines.optimized.settings import FOLDER, OptimizedSettings
from beatingbert.engines.protocol import Workplace
from beatingbert.engines.served.settings import is_served
from beatingbert.errors import MissingExtraError, TooFewExamplesError
from beatingbert.prompts.kept import kept_prompts
from beatingbert.prompts.template import Template, load_template
from beatingbert.tasks.example import Example
from beatingbert.tasks.spec import Shape
from beatingbert.tasks.subsample import draw_stratified, text_key

try:
    from beatingbert.engines.optimized.adapter import adapter_of
    from beatingbert.engines.optimized.asking import Asker
    from beatingbert.engines.optimized.budget import Meter
    from beatingbert.engines.optimized.classifier import ProgramClassifier, ServedProgramClassifier
    from beatingbert.engines.optimized.optimise import Outcome, optimise
    from beatingbert.engines.optimized.program import Program, count_labels, key_of, load_program, save_program
    from beatingbert.engines.optimized.served import ServedVoice, served_voice
    from beatingbert.engines.optimized.signature import Form, form_of
    from beatingbert.engines.optimized.voice import Voice
    from beatingbert.engines.served.engine import require_same_model, with_kept_access
except ImportError as error:
    if (error.name or "").partition(".")[0] == "beatingbert":
        raise
    raise MissingExtraError(
        f"--mode dspy needs the package {error.name!r}; install it with: pip install 'beatingbert[dspy]'"
    ) from error


class OptimizedEngine:
    """Searches on train and development rows, or brings back a program that was found before."""

    def __init__(self, settings: OptimizedSettings, workplace: Workplace) -> None:
        self._settings = settings
        self._workplace = workplace

    def fit(self, train: Sequence[Example], *, development: Sequence[Example], seed: int) -> ProgramClassifier:
        """Compile a program, keep it in `dspy_optimized/`, and let it answer."""
        settings, workplace = self._settings, self._workplace
        shown, scored = self._rows(train, development, seed) if settings.program is None else ([], [])
        kept = None if settings.program is None else Path(settings.program)
        template = self._template()
        form = self._form(template, _most_choices(train, development) if kept is None else count_labels(kept))
        voice = self._voice(seed)
        asker = self._asker(form, template, voice)
        facts = voice.facts
        facts.template = {"name": template.name, "text": template.text, "sha256": template.sha256}
        if kept is None:
            outcome = self._optimise(asker, voice, shown, scored, seed)
            program = outcome.program
            facts.history, facts.train_seconds = outcome.history, outcome.spent.seconds
            facts.notes |= self._notes(outcome, shown, scored)
        else:
            program = load_program(kept, asker)
            facts.notes |= {"program": settings.program}
        facts.notes["demonstrations"] = [_row_of(demo, form, shown) for demo in program.demonstrations]
        facts.notes |= self._how(voice, form)
        save_program(program, asker, workplace.folder / FOLDER, workplace.task.name)
        return self._classifier(program, asker, voice)

    def reopen(self, folder: Path, *, seed: int) -> ProgramClassifier:
        """The program as one of its classifiers was kept in a folder, with the same model."""
        if not is_served(self._settings.checkpoint):
            kept_checkpoint(folder, self._workplace.progress)
        template = self._template()
        form = self._form(template, count_labels(folder / FOLDER))
        voice = self._voice(seed)
        if isinstance(voice, ServedVoice):
            require_same_model(folder, voice.facts)
        asker = self._asker(form, template, voice)
        voice.facts.template = {"name": template.name, "text": template.text, "sha256": template.sha256}
        return self._classifier(load_program(folder / FOLDER, asker), asker, voice)

    def _template(self) -> Template:
        template = load_template(self._workplace.task, self._workplace.prompt_dir)
        return template.by_letter() if self._workplace.task.shape is Shape.CHOICE else template

    def _form(self, template: Template, most_choices: int) -> Form:
        return form_of(
            self._workplace.task,
            template,
            reasoning=self._settings.reasoning,
            most_choices=most_choices,
            has_question=self._settings.adapter == "template",
        )

    def _asker(self, form: Form, template: Template, voice: Voice) -> Asker:
        settings = self._settings
        return Asker(form, adapter_of(str(settings.adapter), form, template), voice, settings.max_new_tokens)

    def _classifier(self, program: Program, asker: Asker, voice: Voice) -> ProgramClassifier:
        if isinstance(voice, ServedVoice):
            return ServedProgramClassifier(program, asker, voice, voice.facts, self._workplace)
        return ProgramClassifier(program, asker, voice, voice.facts, self._workplace)

    def _rows(
        self, train: Sequence[Example], development: Sequence[Example], seed: int
    ) -> tuple[list[Example], list[Example]]:
        """What the optimiser sees: no text twice, none of development in train, and train in a drawn order."""
        settings = self._settings
        if not train or not development:
            raise TooFewExamplesError(
                f"a prompt is optimised on train and development rows, got {len(train)} and {len(development)}; raise "
                "--max_samples"
            )
        scored = draw_stratified(development, settings.max_val_examples, seed=seed)
        taken = {text_key(one.question) for one in development}
        others = {text_key(one.question): one for one in train if text_key(one.question) not in taken}
        if not others:
            raise TooFewExamplesError("every train row is also a development row; raise --max_samples")
        shown = draw_stratified(list(others.values()), settings.max_train_examples, seed=seed)
        draw = random.Random(f"dspy {seed}")
        order = sorted((draw.random(), at) for at in range(len(shown)))  # files may be sorted by label
        return [shown[at] for _, at in order], scored

    def _voice(self, seed: int) -> Voice:
        if is_served(self._settings.checkpoint):
            return served_voice(self._settings, self._workplace)
        from beatingbert.engines.optimized.local import local_voice

        return local_voice(self._settings, self._workplace, seed)

    def _optimise(
        self, asker: Asker, voice: Voice, shown: Sequence[Example], scored: Sequence[Example], seed: int
    ) -> Outcome:
        workplace = self._workplace
        return optimise(
            asker,
            voice,
            Meter(self._settings, workplace.access),
            self._settings,
            train=shown,
            development=scored,
            seed=seed,
            folder=workplace.folder / FOLDER,
            progress=workplace.progress,
        )

    def _notes(self, outcome: Outcome, shown: Sequence[Example], scored: Sequence[Example]) -> dict[str, Any]:
        spent = outcome.spent
        return {
            "optimizer": self._settings.optimizer,
            "ended_by": outcome.ended_by,
            "candidates": len(outcome.history),
            "development_accuracy": outcome.accuracy,
            "optimizer_train_rows": len(shown),
            "optimizer_development_rows": len(scored),
            "optimizer_calls": spent.calls,
            "optimizer_tokens": {"read": spent.tokens_read, "written": spent.tokens_written},
            "optimizer_cost": spent.cost,
        }

    def _how(self, voice: Voice, form: Form) -> dict[str, Any]:
        """How labels come about, of candidates and of what is reported alike."""
        written = "a reason and the label are written, and read by DSPy's adapter"
        return {
            "scoring": written if form.reasoning else voice.how,
            "answer_by": "likelihood" if voice.compares and not form.reasoning else "generation",
            **({"choices": "by letter"} if self._workplace.task.shape is Shape.CHOICE else {}),
        }


def restore(folder: Path, settings: OptimizedSettings, workplace: Workplace, *, seed: int) -> ProgramClassifier:
    """The classifier that was kept in the folder: its program with the same model.

    Raises:
        CheckpointError: the weights are gone, or the model is another one by now.
    """
    workplace = replace(workplace, prompt_dir=kept_prompts(folder))
    if is_served(settings.checkpoint):
        workplace = with_kept_access(folder, workplace)
    return OptimizedEngine(settings, workplace).reopen(folder, seed=seed)


def _row_of(demonstration: Mapping[str, str], form: Form, rows: Sequence[Example]) -> str | None:
    """The id of the train row that a demonstration shows; None where it has been cut, or comes from another run."""
    key = key_of(demonstration, form)
    return next((one.question.id for one in rows if key_of(form.put(one.question), form) == key), None)


def _most_choices(*parts: Sequence[Example]) -> int:
    """Of any question that has been seen; a task with labels has none."""
    return max((len(one.question.choices) for part in parts for one in part), default=0)
