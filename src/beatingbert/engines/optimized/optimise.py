"""The search for an instruction and demonstrations, by DSPy's own optimisers, within a budget.

They see train rows to show and development rows to score on, and nothing else. A program without a reasoning step is
scored by the label that is likeliest, by the very code that answers what is reported. Whatever ends the search, its
own end, the budget or Ctrl-C, the best candidate on the development part answers.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dspy

from beatingbert.engines.optimized.asking import Asker, Classify
from beatingbert.engines.optimized.budget import Broken, Halt, Meter, Spent
from beatingbert.engines.optimized.candidates import Candidates
from beatingbert.engines.optimized.lm import VoiceEngine, language_model
from beatingbert.engines.optimized.program import Program, key_of
from beatingbert.engines.optimized.quiet import shut_in
from beatingbert.engines.optimized.settings import OptimizedSettings
from beatingbert.engines.optimized.signature import LABEL
from beatingbert.engines.optimized.voice import Voice
from beatingbert.errors import BeatingBertError, MissingExtraError
from beatingbert.progress import Progress
from beatingbert.tasks.example import Example

logger = logging.getLogger("beatingbert.engines.optimized")

ANY = 1_000_000  # failures that DSPy may count before it gives up: an unreadable reply is a wrong answer, no reason to
REFLECTED = 3  # train rows that GEPA looks at for each new instruction, as it does by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a search.

    Attributes:
        program: that answers from now on.
        accuracy: of it on the development rows; None where the search ended before anything was scored.
        ended_by: "its own end", the flag of the limit that was reached, "Ctrl-C", or what went wrong within DSPy.
        history: one entry per candidate.
        spent: in all.
    """

    program: Program
    accuracy: float | None
    ended_by: str
    history: list[dict[str, Any]]
    spent: Spent


def optimise(
    asker: Asker,
    voice: Voice,
    meter: Meter,
    settings: OptimizedSettings,
    *,
    train: Sequence[Example],
    development: Sequence[Example],
    seed: int,
    folder: Path,
    progress: Progress,
) -> Outcome:
    """Search.

    Args:
        asker: makes prompts.
        voice: the model that the program is for, which also writes instructions.
        meter: just made.
        settings: which optimiser, and its limits.
        train: rows to show, in the order in which they are looked at.
        development: rows to score on.
        seed: of the search.
        folder: for DSPy's cache and log.
        progress: told of each candidate.
    """
    form = asker.form
    engine = VoiceEngine(voice, meter)
    shown, scored = ([as_dspy(row, asker) for row in rows] for rows in (train, development))
    names = {key_of(form.put(row.question), form): row.question.id for row in train}
    candidates = Candidates(form, engine, meter, scored, names, progress)
    start = Classify(asker)
    lm = language_model(engine, voice.identity, settings.max_new_tokens)
    with (
        shut_in(folder),
        dspy.context(
            lm=lm, adapter=asker.adapter, callbacks=[candidates], num_threads=1, max_errors=ANY, disable_history=True
        ),
    ):
        ended_by = search_to_its_end(start, settings, shown, scored, seed, candidates)
    best = candidates.best
    logger.info("%s ended by %s after %d candidates", settings.optimizer, ended_by, len(candidates.tried))
    return Outcome(
        program=best.program if best is not None else Program.of(start, form),
        accuracy=None if best is None else best.accuracy,
        ended_by=ended_by,
        history=candidates.history(),
        spent=meter.spent,
    )


def as_dspy(example: Example, asker: Asker) -> dspy.Example:
    """A row as DSPy's."""
    return dspy.Example(**asker.form.solved(example)).with_inputs(*asker.form.inputs)


def is_right(gold: Any, answer: Any, *_: Any) -> bool:
    """The metric of all optimisers but GEPA: whether the label is the right one."""
    return bool(getattr(answer, LABEL, None) == gold[LABEL])


def with_feedback(
    gold: Any, answer: Any, trace: Any = None, pred_name: str | None = None, pred_trace: Any = None
) -> dspy.Prediction:
    """GEPA's metric: the same, with words for the model to reflect on."""
    right, said = is_right(gold, answer), getattr(answer, LABEL, None)
    feedback = f"{said!r} is right." if right else f"The right {LABEL} is {gold[LABEL]!r}, not {said!r}."
    return dspy.Prediction(score=float(right), feedback=feedback)


def search_to_its_end(
    start: Classify, settings: OptimizedSettings, train: list[Any], development: list[Any], seed: int, heard: Candidates
) -> str:
    """Let the optimiser work until something ends it, and say what; see `Outcome.ended_by`.

    Raises:
        BeatingBertError: the model cannot be asked, or DSPy failed before any program was `heard` of.
    """
    try:
        search(start, settings, train, development, seed)
    except Halt as limit:
        return str(limit)
    except KeyboardInterrupt:
        return "Ctrl-C"
    except Broken as broken:
        raise broken.error from None
    except (ImportError, BeatingBertError):
        raise
    except Exception as error:  # whatever DSPy makes of replies that it cannot use
        if heard.best is None:
            raise BeatingBertError(
                f"DSPy's {settings.optimizer} failed before any program was scored: {type(error).__name__}: {error}"
            ) from error
        return f"{type(error).__name__}: {error}"[:300]
    return "its own end"


def search(start: Classify, settings: OptimizedSettings, train: list[Any], development: list[Any], seed: int) -> None:
    """Let the optimiser work; what it finds is heard by the callbacks of the context."""
    most = {"max_bootstrapped_demos": settings.shots, "max_labeled_demos": settings.shots}
    if settings.optimizer == "bootstrap":
        evaluate = dspy.Evaluate(devset=development, metric=is_right)
        evaluate(start)
        evaluate(dspy.BootstrapFewShot(metric=is_right, **most).compile(start, trainset=train))
    elif settings.optimizer == "bootstrap_random_search":
        dspy.BootstrapFewShotWithRandomSearch(
            metric=is_right, num_candidate_programs=settings.num_candidates, **most
        ).compile(start, trainset=train, valset=development)
    elif settings.optimizer == "miprov2":
        _require_optuna()
        dspy.MIPROv2(
            metric=is_right, auto=None, num_candidates=settings.num_candidates, seed=seed, track_stats=False, **most
        ).compile(
            start,
            trainset=train,
            valset=development,
            num_trials=settings.num_trials,
            minibatch=False,  # scoring is cheap here, and only scores on all rows may be compared
        )
    else:
        _reflect(start, settings, train, development, seed)


def _reflect(start: Classify, settings: OptimizedSettings, train: list[Any], development: list[Any], seed: int) -> None:
    """GEPA changes instructions only, so the demonstrations are the first train rows, as drawn."""
    from dspy.teleprompt.gepa import InstructionProposer

    adapter = start.asker.adapter
    first = start.deepcopy()
    first.predict.demos = [dspy.Example(**row.toDict()) for row in train[: settings.shots]]
    dspy.GEPA(
        metric=with_feedback,
        max_metric_calls=(settings.num_trials + 1) * len(development),
        reflection_lm=dspy.settings.lm.copy(temperature=1.0),
        reflection_minibatch_size=min(REFLECTED, len(train)),
        instruction_proposer=InstructionProposer(adapter=adapter),
        warn_on_score_mismatch=False,
        seed=seed,
    ).compile(first, trainset=train[settings.shots :] or train, valset=development)


def _require_optuna() -> None:
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "--optimizer miprov2 needs the package 'optuna'; install it with: pip install 'beatingbert[dspy]'"
        ) from error
