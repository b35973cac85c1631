"""A candidate's earlier classifier, where a later trial may take its place or not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from beatingbert.decision import bench as bench_module
from beatingbert.decision.bench import Bench
from beatingbert.decision.candidates import Candidate
from beatingbert.decision.limits import Limits
from beatingbert.decision.plans import Plan
from beatingbert.decision.trials import Trial
from beatingbert.errors import BeatingBertError, TrainingError
from beatingbert.prompts.template import load_template
from beatingbert.tasks.catalog import find_task
from tiny_tasks import sentiment

LINEAR = Candidate(name="TF-IDF", engine="linear")


def attempt(
    made: Bench,
    candidate: Candidate,
    rows: int,
    *,
    epochs: int | None = None,
    asked: int = 20,
    deadline: float = math.inf,
    answering: float = 0.0,
    accept: Callable[[Trial], bool] = lambda trial: True,
) -> Trial:
    plan = Plan(candidate=candidate, rows=rows, epochs=epochs, asked=asked, room=1e9, expected=1.0, answering=answering)
    return made.attempt(plan, deadline=deadline, accept=accept)


def bench(folder: Path) -> Bench:
    task = find_task("sst2")
    return Bench(
        task,
        sentiment(80),
        sentiment(20, start=1000),
        provenance={"task": "sst2", "revision": "r1"},
        runs=folder,
        prompt_sha256=load_template(task).sha256,
        metric="accuracy",
        limits=Limits(),
        seed=99,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


@pytest.mark.parametrize("engine", ["encoder", "lora"])
def test_what_is_not_kept_leaves_the_earlier_one_answering_as_before(
    tmp_path: Path, tiny_minilm: Path, tiny_llama: Path, engine: str
) -> None:
    checkpoint = tiny_minilm if engine == "encoder" else tiny_llama
    tuned = Candidate(
        name="tuned", engine=engine, settings={"checkpoint": str(checkpoint), "learning_rate": 0.01}, epochs=(1, 2)
    )
    made, questions = bench(tmp_path), [one.question for one in sentiment(20, start=1000)]
    first = attempt(made, tuned, 40, epochs=1)
    held, before = made.built[tuned], files(tmp_path)
    said = held.fitted.classifier.predict(questions)
    second = attempt(made, tuned, 80, epochs=2, accept=lambda trial: False)
    assert (second.rows, second.epochs) == (80, 2)
    assert made.built[tuned] is held and files(tmp_path) == before
    assert held.fitted.classifier.predict(questions) == said
    assert {one.question_id: one.label for one in said} == dict(first.answers)


def test_what_is_kept_takes_its_place(tmp_path: Path) -> None:
    made = bench(tmp_path)
    attempt(made, LINEAR, 40)
    held = made.built[LINEAR]
    heard = []
    trial = attempt(made, LINEAR, 80, accept=lambda trial: bool(heard.append(trial)) or True)
    assert heard == [trial] and made.built[LINEAR] is not held
    assert made.built[LINEAR].cell.train_size is None, "all rows"
    assert [one.name for one in tmp_path.iterdir()] == ["tf-idf"]


def test_whoever_was_judged_can_be_fitted_once_more_on_all_rows_with_what_was_chosen_kept(tmp_path: Path) -> None:
    """Against scikit-learn's own pipeline on the same rows, of the strength that the trial had chosen."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    made = bench(tmp_path)
    attempt(made, LINEAR, 80)
    chosen = made.built[LINEAR].fitted.classifier.facts.notes["inverse_regularisation"]
    made.refit(LINEAR)
    built = made.built[LINEAR]
    assert built.cell.settings["strength"] == chosen
    assert built.fitted.classifier.facts.notes["fitted_again_with_development_rows"] == 20
    assert built.splits.provenance["train_rows"] == 100
    rows, asked = [*sentiment(80), *sentiment(20, start=1000)], sentiment(30, start=5000)
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b|[!?]")
    theirs = make_pipeline(words, LogisticRegression(C=chosen, max_iter=1000, random_state=99))
    theirs.fit(["\n".join(one.question.texts.values()) for one in rows], [one.label for one in rows])
    expected = theirs.predict_proba(["\n".join(one.question.texts.values()) for one in asked])
    answers = built.fitted.classifier.predict([one.question for one in asked])
    np.testing.assert_allclose([list((one.probabilities or {}).values()) for one in answers], expected, rtol=1e-6)


def test_a_last_fit_is_told_apart_from_what_the_trial_learnt_from(tmp_path: Path) -> None:
    made = bench(tmp_path)
    attempt(made, LINEAR, 40)
    searched = made.built[LINEAR].fitted.classifier.facts.train_seconds
    made.refit(LINEAR)
    built = made.built[LINEAR]
    facts = built.fitted.classifier.facts
    assert built.splits.provenance["train_rows"] - facts.notes["fitted_again_with_development_rows"] == 40
    assert facts.train_seconds > searched, "the search for the strength counts too"


@pytest.mark.parametrize("error", [TrainingError("no"), MemoryError(), torch.cuda.OutOfMemoryError("full")])
def test_a_last_fit_that_fails_leaves_the_classifier_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    made = bench(tmp_path)
    attempt(made, LINEAR, 80)
    held = made.built[LINEAR]

    def fail(*given: Any) -> Any:
        raise error

    monkeypatch.setattr(bench_module, "fit", fail)
    made.refit(LINEAR)
    assert made.built[LINEAR] is held


def test_whoever_cannot_be_fitted_again_stays_as_it_was(tmp_path: Path) -> None:
    made, majority = bench(tmp_path), Candidate(name="majority", engine="majority")
    attempt(made, majority, 80)
    held = made.built[majority]
    made.refit(majority)
    assert made.built[majority] is held


def test_where_the_later_one_fails_the_earlier_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench(tmp_path)
    attempt(made, LINEAR, 40)
    held, before = made.built[LINEAR], files(tmp_path)

    def refuse(*given: object) -> None:
        raise BeatingBertError("too large")

    monkeypatch.setattr(Bench, "_require_within", refuse)
    with pytest.raises(BeatingBertError, match="too large"):
        attempt(made, LINEAR, 80)
    assert made.built[LINEAR] is held and files(tmp_path) == before
    assert [one.name for one in tmp_path.iterdir()] == ["tf-idf"]


def test_what_is_interrupted_leaves_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench(tmp_path)
    attempt(made, LINEAR, 40)
    held, before = made.built[LINEAR], files(tmp_path)

    def stop(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Bench, "_require_within", stop)
    with pytest.raises(KeyboardInterrupt):
        attempt(made, LINEAR, 80)
    assert made.built[LINEAR] is held and files(tmp_path) == before


def test_whoever_is_out_of_time_has_answered_a_sample_of_the_rows_and_not_their_head(tmp_path: Path) -> None:
    task = find_task("sst2")
    rows = sorted(sentiment(400, start=1000), key=lambda one: one.label)
    ticks: Iterator[float] = (float(at) for at in range(10_000))
    made = Bench(
        task,
        sentiment(80),
        rows,
        provenance={"task": "sst2", "revision": "r1"},
        runs=tmp_path,
        prompt_sha256=load_template(task).sha256,
        metric="accuracy",
        limits=Limits(),
        seed=99,
        clock=lambda: next(ticks),
    )
    trial = attempt(
        made,
        LINEAR,
        80,
        asked=400,
        deadline=0.0,
    )
    assert len(trial.answers) == 64
    gold = {one.question.id: one.label for one in rows}
    share = sum(gold[name] == rows[0].label for name in trial.answers) / 64
    assert 0.3 < share < 0.7, "the file is sorted by label, its head has one alone"


def test_a_training_stops_early_enough_for_the_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    really = bench_module.fit

    def watch(cell: Any, splits: Any, workplace: Any) -> Any:
        seen.append(workplace.upkeep.deadline)
        return really(cell, splits, workplace)

    monkeypatch.setattr(bench_module, "fit", watch)
    attempt(bench(tmp_path), LINEAR, 40, deadline=1e12, answering=5.0)
    assert seen == [1e12 - 5]


@pytest.mark.parametrize(
    "error", [MemoryError(), type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"), RuntimeError("odd")]
)
def test_a_model_that_memory_does_not_hold_is_told_and_other_failures_are_not_swallowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*given: object) -> None:
        raise error

    monkeypatch.setattr(bench_module, "fit", fail)
    expected: type[Exception] = RuntimeError if str(error) == "odd" else TrainingError
    with pytest.raises(expected, match="odd" if str(error) == "odd" else "memory does not hold"):
        attempt(bench(tmp_path), LINEAR, 40)
