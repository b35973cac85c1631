"""Where trials are really made: engines are built, fitted on samples of train, and asked the development part.

No row that is reported is held here; whoever has the test rows comes later, with the candidates that are left.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from beatingbert.checkpoints.reference import resolve, short_name
from beatingbert.decision.candidates import FIT, PROMPTED, Candidate, slug
from beatingbert.decision.costs import Spent, judged_on
from beatingbert.decision.limits import Limits
from beatingbert.decision.plans import Plan
from beatingbert.decision.trials import FITTED_AGAIN, Metric, Trial
from beatingbert.engines.catalog import build_engine, engine_version
from beatingbert.engines.protocol import Engine, EngineFacts, Upkeep, Workplace
from beatingbert.engines.shelf import Shelf
from beatingbert.errors import BeatingBertError, TrainingError, is_out_of_memory
from beatingbert.experiments.answering import Hearing
from beatingbert.experiments.given import Fitted, fit
from beatingbert.progress import Progress, silent
from beatingbert.prompts.demonstrations import shots_that_fit
from beatingbert.runs.cell import Cell
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.spec import Task
from beatingbert.tasks.splits import Splits
from beatingbert.tasks.subsample import draw_stratified

logger = logging.getLogger("beatingbert.decision")

ASKED_AT_ONCE = 64
"""Questions between two looks at the clock."""

ASIDE = ".before"
"""Ends the name of the folder of what may be replaced."""

REFITS = ("linear", "embedding")
"""Engines that can be fitted once more with what was chosen kept."""

DEMONSTRATION_SHARE = 0.5
"""Of a model's window: the rest is for the question."""

DEMONSTRATION_TOKENS = 1200
"""That all demonstrations may take: with more of them a prompt no longer fits the smaller models' windows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A fitted candidate, and what it takes to write its run down.

    Attributes:
        fitted: itself, ready to answer.
        cell: what was asked.
        splits: train and development as it saw them; nothing that is reported.
        folder: where its run is kept.
        hearing: what its classifier tells its progress to.
    """

    fitted: Fitted
    cell: Cell
    splits: Splits
    folder: Path
    hearing: Hearing

    @property
    def model(self) -> str:
        """Short name of the checkpoint, or of the engine where there is none."""
        reference = str(self.cell.settings.get("checkpoint", ""))
        return short_name(reference) if reference else self.cell.engine


class TrainingHearing(Hearing):
    """Remembers how far a training has come."""

    share = 1.0

    def __call__(self, phase: str, done: int, total: int) -> None:
        """As `Progress`."""
        if phase == "training" and total:
            self.share = done / total
        super().__call__(phase, done, total)


class Bench:
    """Makes trials, and keeps each candidate's latest classifier.

    Args:
        task: of one's own, or one of the catalog's.
        train, development: what is learnt from and what decides.
        provenance: of the rows, for the records; its "revision" names the data.
        runs: the folder of the runs.
        prompt_sha256: of the task's prompt.
        metric: what decides.
        limits: a candidate that breaks one as soon as it is fitted goes no further.
        seed: of every draw.
        progress: told while engines work.
        clock: what deadlines are told by.
    """

    def __init__(
        self,
        task: Task,
        train: Sequence[Example],
        development: Sequence[Example],
        *,
        provenance: dict[str, object],
        runs: Path,
        prompt_sha256: str,
        metric: Metric,
        limits: Limits,
        seed: int,
        progress: Progress = silent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.built: dict[Candidate, Built] = {}
        self._task = task
        self._train = list(train)
        self._development = list(development)
        self._provenance = provenance
        self._runs = runs
        self._prompt_sha256 = prompt_sha256
        self._metric: Metric = metric
        self._limits = limits
        self._seed = seed
        self._progress = progress
        self._clock = clock
        self._shelves: dict[str, Shelf] = {}

    def attempt(self, plan: Plan, *, deadline: float, accept: Callable[[Trial], bool]) -> Trial:
        """One trial, as `ladder.Attempt`.

        Raises:
            BeatingBertError: the engine refuses, a training fails, or a limit is broken.
        """
        candidate = plan.candidate
        held, folder = self.built.pop(candidate, None), self._runs / slug(candidate.name)
        aside = folder.with_name(folder.name + ASIDE)
        if held is not None:
            folder.rename(aside)
            if candidate.engine == "lora":
                self._shelves.pop(candidate.name, None)  # its model is the one that is held, and must not be trained on
        accepted = False
        try:
            trial = self._try(plan, deadline)
            accepted = accept(trial)
            return trial
        finally:
            if not accepted:
                self.forget(candidate)
                if held is not None:
                    aside.rename(folder)
                    self.built[candidate] = held
            shutil.rmtree(aside, ignore_errors=True)

    def _try(self, plan: Plan, deadline: float) -> Trial:
        candidate, begun = plan.candidate, self._clock()
        sample = draw_stratified(self._train, plan.rows, seed=self._seed)
        shots = self._shots(candidate, sample)
        splits = self._splits(candidate, sample, shots)
        cell = self._cell(candidate, splits, plan.epochs, shots)
        folder = self._runs / slug(candidate.name)
        folder.mkdir(parents=True)
        hearing = TrainingHearing(self._progress)
        workplace = Workplace(
            task=self._task,
            folder=folder,
            progress=hearing,
            upkeep=Upkeep(deadline=deadline - plan.answering),
            shelf=self._shelf(candidate),
        )
        try:
            fitted = fit(cell, splits, workplace)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise TrainingError("memory does not hold its training; a smaller batch_size may do") from error
        self._require_within(fitted)
        asking = self._clock()
        questions = [one.question for one in self._asked(plan.asked)]
        Random(self._seed).shuffle(questions)  # whoever is stopped early has answered a sample, not the file's head
        answers: dict[str, str | None] = {}
        for start in range(0, len(questions), ASKED_AT_ONCE):
            if answers and self._clock() > deadline:
                break
            found = fitted.classifier.predict(questions[start : start + ASKED_AT_ONCE])
            answers |= {one.question_id: one.label for one in found}
        ended = self._clock()
        self.built[candidate] = Built(fitted=fitted, cell=cell, splits=splits, folder=folder, hearing=hearing)
        facts = fitted.classifier.facts
        learnt, judging = _learning(facts)
        learnt = min(learnt, asking - begun)
        judging = min(judging, asking - begun - learnt)
        return Trial(
            candidate=candidate,
            rows=plan.rows,
            epochs=plan.epochs,
            shots=shots,
            answers=answers,
            spent=Spent(load=asking - begun - learnt - judging, learn=learnt, answer=ended - asking + judging),
            share=hearing.share if facts.notes.get("out_of_time") else 1.0,
        )

    def refit(self, candidate: Candidate) -> None:
        """Let a candidate learn from the development part too, now that it has been judged; most engines cannot."""
        held = self.built[candidate]
        if candidate.engine not in REFITS or not self._development:
            return
        notes = held.fitted.classifier.facts.notes
        kept = {"strength": notes["inverse_regularisation"], "balanced": notes.get("classes_weigh_the_same", False)}
        rows = [*held.splits.train, *self._development]
        told = {"train_rows": len(rows), "development_rows": 0}
        splits = replace(held.splits, train=rows, development=[], provenance={**held.splits.provenance, **told})
        cell = replace(held.cell, settings={**held.cell.settings, **kept})
        place = Workplace(task=self._task, folder=held.folder, progress=held.hearing, shelf=self._shelf(candidate))
        try:
            fitted = fit(cell, splits, place)
        except (BeatingBertError, MemoryError, RuntimeError) as error:
            if not isinstance(error, BeatingBertError) and not is_out_of_memory(error):
                raise
            logger.warning("%s stays as it was: it could not be fitted again (%s)", candidate.name, error)
            return
        facts, before = fitted.classifier.facts, held.fitted
        facts.notes[FITTED_AGAIN] = len(self._development)
        facts.train_seconds += before.classifier.facts.train_seconds  # what was chosen took a search, and reading
        fitted = replace(fitted, memory=max(before.memory, fitted.memory, key=_peak), started_at=before.started_at)
        self.built[candidate] = replace(held, fitted=fitted, cell=cell, splits=splits)

    def engine(self, candidate: Candidate) -> Engine:
        """A fresh engine of the candidate's that finds what has been loaded; its runs are not kept."""
        built = self.built[candidate]
        workplace = Workplace(task=self._task, folder=built.folder, shelf=self._shelf(candidate))
        return build_engine(candidate.engine, built.cell.settings, workplace)

    def forget(self, candidate: Candidate) -> None:
        """Let go of a candidate's classifier, with all that its training has left on disk and changed in memory."""
        self.built.pop(candidate, None)
        if candidate.engine == "lora":
            self._shelves.pop(candidate.name, None)
        shutil.rmtree(self._runs / slug(candidate.name), ignore_errors=True)

    def _shelf(self, candidate: Candidate) -> Shelf:
        """One per checkpoint; an adapted model is changed, so it has one of its own."""
        key = candidate.name if candidate.engine == "lora" else f"{candidate.engine} {candidate.checkpoint}"
        return self._shelves.setdefault(key, Shelf())

    def _shots(self, candidate: Candidate, sample: Sequence[Example]) -> int:
        if candidate.engine not in PROMPTED:
            return 0
        if candidate.shots != FIT:
            return int(candidate.shots)
        listed = sum(len(label.encode()) for label in self._task.labels) / 3
        room = min(DEMONSTRATION_TOKENS, DEMONSTRATION_SHARE * _window(candidate)) - listed
        return shots_that_fit(self._task, sample, tokens=max(0, int(room)))

    def _splits(self, candidate: Candidate, sample: list[Example], shots: int) -> Splits:
        """What it may see: nothing of train where it shows none of it, and no more of development than it is worth."""
        shown = sample if candidate.learns or shots else []
        most = judged_on(len(sample), all_rows=len(self._train), development=len(self._development))
        held = self._asked(most) if candidate.learns else []
        told = {"train_rows": len(shown), "development_rows": len(held), "seed": self._seed}
        return Splits(train=shown, development=held, evaluation={}, provenance={**self._provenance, **told})

    def _asked(self, most: int) -> list[Example]:
        """The development part, or a stratified sample of it; a smaller one lies within a larger one."""
        return draw_stratified(self._development, most, seed=self._seed) if self._development else []

    def _cell(self, candidate: Candidate, splits: Splits, epochs: int | None, shots: int) -> Cell:
        rows = len(splits.train)
        return Cell(
            task=self._task.name,
            engine=candidate.engine,
            engine_version=engine_version(candidate.engine),
            mode="evaluate",
            settings=candidate.settings_for(epochs=epochs, shots=shots, choose_by=self._metric),
            train_size=None if rows in (0, len(self._train)) else rows,
            eval_size=None,
            seed=self._seed,
            select_on="development",
            data_revision=str(self._provenance.get("revision", "")),
            prompt_sha256=self._prompt_sha256 if candidate.engine in (*PROMPTED, "lora") else "",
        )

    def _require_within(self, fitted: Fitted) -> None:
        """Refuse what is too large or far too slow already; the median of a few answers forgives a hiccup."""
        broken = self._limits.broken_by_size(fitted.classifier.facts.disk_bytes)
        if broken is None and self._limits.max_latency_ms is not None and self._development:
            broken = self._limits.broken_by_latency(self._median_ms(fitted))
        if broken is not None:
            raise BeatingBertError(broken)

    def _median_ms(self, fitted: Fitted) -> float:
        questions: list[Question] = [one.question for one in self._development[:6]]
        taken = []
        for question in questions:
            begun = self._clock()
            fitted.classifier.predict([question])
            taken.append(1000 * (self._clock() - begun))
        return sorted(taken[1:] or taken)[len(taken[1:]) // 2]


def _peak(memory: Mapping[str, Any]) -> float:
    return float(memory.get("process_mib") or 0.0)


def _learning(facts: EngineFacts) -> tuple[float, float]:
    """Seconds of learning rows, and of answering the development part after each epoch.

    What a training takes besides, to begin and to save what it has learnt, does not grow with the rows.
    """
    epochs = [float(one.get("train_seconds", one.get("seconds", 0.0))) for one in facts.history]
    if not epochs:
        return facts.train_seconds, 0.0
    told = [one["evaluation_seconds"] for one in facts.history if "evaluation_seconds" in one]
    return sum(epochs), sum(told) if told else max(0.0, facts.train_seconds - sum(epochs))


def _window(candidate: Candidate) -> float:
    """Tokens that the candidate's model reads at once, as its config.json tells; endless where nobody knows."""
    if candidate.engine == "served":
        return float("inf")
    config = json.loads((resolve(candidate.checkpoint).path / "config.json").read_text(encoding="utf-8"))
    positions = config.get("text_config", config).get("max_position_embeddings")
    return float(positions) if isinstance(positions, int) else float("inf")


def with_test(splits: Splits, evaluation: dict[str, list[Example]]) -> Splits:
    """The same with the rows that are reported."""
    return replace(splits, evaluation=evaluation)
