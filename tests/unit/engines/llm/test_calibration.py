from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.special import softmax as scipy_softmax

from beatingbert.engines.llm.calibration import (
    CONTENT_FREE,
    Calibration,
    estimate,
    questions_to_estimate_on,
    refuse_positions,
    softmax,
)
from beatingbert.engines.llm.classifier import LlmClassifier
from beatingbert.engines.llm.engine import LlmEngine
from beatingbert.engines.llm.settings import LLMSettings
from beatingbert.engines.protocol import Workplace
from beatingbert.errors import SettingsError, TooFewExamplesError
from beatingbert.tasks.catalog import TASKS, find_task
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction
from beatingbert.tasks.spec import Shape
from tiny_tasks import entailment, questions_of, sentiment

LABELS = ("a", "b", "c")
RNG = np.random.default_rng(5)
SCORES = RNG.normal([-3.0, -9.0, -5.0], 2.0, size=(20, 3))  # of twenty questions; the prompt favours a over c over b
LOG_LIKELIHOODS = [dict(zip(LABELS, row, strict=True)) for row in SCORES.tolist()]

TRAIN, DEVELOPMENT = sentiment(40), sentiment(12, start=200)
QUESTIONS = questions_of(sentiment(9, start=100))
Fit = Callable[..., LlmClassifier]


def values(probabilities: dict[str, float]) -> list[float]:
    assert tuple(probabilities) == LABELS
    return list(probabilities.values())


def test_contextual_calibration_makes_a_content_free_text_uniform() -> None:
    for one in LOG_LIKELIHOODS:
        assert values(estimate([one]).probabilities(one)) == pytest.approx([1 / 3] * 3)


def test_contextual_calibration_is_the_papers_affine_map_divided_by_its_sum() -> None:
    content_free = scipy_softmax(SCORES[:3], axis=1).mean(axis=0)
    calibration = estimate(LOG_LIKELIHOODS[:3])
    for one, scores in zip(LOG_LIKELIHOODS, SCORES, strict=True):
        mapped = np.diag(1 / content_free) @ scipy_softmax(scores)
        assert values(calibration.probabilities(one)) == pytest.approx((mapped / mapped.sum()).tolist())


def test_with_an_even_prior_contextual_calibration_changes_no_order() -> None:
    calibration = Calibration(dict.fromkeys(LABELS, 1 / 3))
    for one in LOG_LIKELIHOODS:
        calibrated = calibration.probabilities(one)
        assert sorted(LABELS, key=calibrated.__getitem__) == sorted(LABELS, key=one.__getitem__)


def test_batch_calibration_subtracts_the_logarithm_of_the_mean_probability() -> None:
    mean = scipy_softmax(SCORES, axis=1).mean(axis=0)
    calibration = estimate(LOG_LIKELIHOODS)
    assert list(calibration.prior.values()) == pytest.approx(mean.tolist())
    assert np.ptp(mean) > 0.1
    for one, scores in zip(LOG_LIKELIHOODS, SCORES, strict=True):
        shifted = log_softmax(scores) - np.log(mean)
        assert values(calibration.probabilities(one)) == pytest.approx(scipy_softmax(shifted).tolist())


def test_what_all_labels_of_a_question_have_in_common_cancels() -> None:
    shifted = [{label: value - 100 * at for label, value in one.items()} for at, one in enumerate(LOG_LIKELIHOODS)]
    first, second = (estimate(rows).probabilities(LOG_LIKELIHOODS[0]) for rows in (LOG_LIKELIHOODS, shifted))
    assert values(first) == pytest.approx(values(second))


def test_a_label_that_is_never_likely_breaks_nothing() -> None:
    extreme = {"a": 0.0, "b": -2000.0, "c": -1.0}
    calibration = estimate([extreme])
    assert values(calibration.probabilities({"a": -3.0, "b": 0.0, "c": -3.0})) == pytest.approx([0, 1, 0])


def test_the_content_free_texts_stand_in_all_text_fields() -> None:
    drawn = questions_to_estimate_on("contextual", find_task("rte"), train=[], development=[], shown=[], seed=1)
    assert [dict(question.texts) for question in drawn["content_free"]] == [
        {"sentence1": text, "sentence2": text} for text in ("N/A", "[MASK]", "")
    ]


def draw(train: list[Example], development: list[Example], shown: list[Example], seed: int = 1) -> dict[str, Any]:
    return questions_to_estimate_on(
        "batch", find_task("sst2"), train=train, development=development, shown=shown, seed=seed
    )


def test_a_batch_comes_from_the_development_part_and_is_filled_up_from_train() -> None:
    train, development = sentiment(300), sentiment(200, start=1000)
    whole = draw(train, development, [])
    assert {part: len(questions) for part, questions in whole.items()} == {"development": 128, "train": 0}
    both = draw(train, development[:20], [])
    assert {part: len(questions) for part, questions in both.items()} == {"development": 20, "train": 108}
    assert {type(question) for part in both.values() for question in part} == {Question}
    assert {question.id for question in both["development"]} == {f"s{at}" for at in range(1000, 1020)}


def test_the_batch_follows_the_seed() -> None:
    first, again, other = (
        [question.id for question in draw(sentiment(300), [], [], seed)["train"]] for seed in (1, 1, 2)
    )
    assert first == again != other
    assert first != [f"s{at}" for at in range(128)]  # files may be sorted


def test_a_demonstration_is_not_asked() -> None:
    repeated = Example(Question("again", {"sentence": f" {TRAIN[3].question.texts['sentence'].upper()}"}), "positive")
    drawn = draw([*TRAIN, repeated], [], TRAIN[:5])
    assert {question.id for question in drawn["train"]} == {f"s{at}" for at in range(5, 40)}


def test_too_few_rows_to_estimate_on_are_refused() -> None:
    assert len(draw(TRAIN[:15], [], TRAIN[:5])["train"]) == 10
    with pytest.raises(TooFewExamplesError, match=r"at least 10 .*found 9; raise --max_samples"):
        draw(TRAIN[:14], [], TRAIN[:5])


@pytest.mark.parametrize("task", [task for task in TASKS.values() if task.shape is Shape.CHOICE], ids=lambda t: t.name)
@pytest.mark.parametrize("kind", ["contextual", "batch"])
def test_positions_of_choices_are_not_calibrated(kind: str, task: Any, workplace: Callable[[str], Workplace]) -> None:
    with pytest.raises(SettingsError, match="positions of each question's own choices; leave --calibration out"):
        LlmEngine(LLMSettings(checkpoint="x", calibration=kind), workplace(task.name))
    refuse_positions("none", task)


@pytest.fixture
def fit(workplace: Callable[[str], Workplace]) -> Fit:
    """fit(checkpoint, task="sst2", **settings) in full precision."""

    def make(
        checkpoint: Path,
        task: str = "sst2",
        *,
        train: Any = TRAIN,
        development: Any = DEVELOPMENT,
        seed: int = 99,
        **settings: Any,
    ) -> LlmClassifier:
        given = {"full_precision": True, "checkpoint": str(checkpoint)} | settings
        place = replace(workplace(task), prompt_dir=given.pop("prompt_dir", None))
        return LlmEngine(LLMSettings(**given), place).fit(train, development=development, seed=seed)

    return make


def kept(prediction: Prediction) -> tuple[dict[str, float], dict[str, float]]:
    assert prediction.log_likelihoods is not None
    assert prediction.probabilities is not None
    return dict(prediction.log_likelihoods), dict(prediction.probabilities)


@pytest.mark.parametrize("fixture", ["tiny_llama", "tiny_gemma_chat", "tiny_qwen"])
@pytest.mark.parametrize("kind", ["contextual", "batch"])
@pytest.mark.parametrize("shots", [0, 4])
def test_calibrated_answers_follow_from_the_raw_ones_and_from_what_was_noted(
    request: pytest.FixtureRequest, fit: Fit, fixture: str, kind: str, shots: int
) -> None:
    checkpoint = request.getfixturevalue(fixture)
    raw = fit(checkpoint, shots=shots)
    calibrated = fit(checkpoint, shots=shots, calibration=kind)
    noted = calibrated.facts.notes["calibration"]
    calibration = Calibration(noted["prior"])
    if kind == "contextual":
        asked = [Question(text, {"sentence": text}) for text in CONTENT_FREE]
        assert noted["estimated_on"] == {"content_free": 3}
    else:
        shown = [one for one in TRAIN if one.question.id in raw.facts.notes["demonstrations"]]
        drawn = draw(TRAIN, DEVELOPMENT, shown, seed=99)
        asked = [question for part in drawn.values() for question in part]
        assert noted["estimated_on"] == {"development": 12, "train": 40 - shots}
    expected = estimate([kept(one)[0] for one in raw.predict(asked)])
    assert noted.items() >= {"kind": kind, "seed": 99}.items()
    assert calibration.prior == pytest.approx(expected.prior, abs=1e-4)
    for one, plain in zip(calibrated.predict(QUESTIONS), raw.predict(QUESTIONS), strict=True):
        scores, probabilities = kept(one)
        assert scores == pytest.approx(plain.log_likelihoods, abs=1e-4)
        assert one.prompt == plain.prompt
        assert probabilities == pytest.approx(calibration.probabilities(scores))
        assert one.label == max(probabilities, key=probabilities.__getitem__)


@pytest.mark.parametrize("kind", ["contextual", "batch"])
def test_calibration_takes_away_a_prompts_bias(fit: Fit, tiny_llama: Path, tmp_path: Path, kind: str) -> None:
    """One label's words are a long nonsense that nothing makes likely: only calibrated answers ever name it."""
    text = "[instruction]\nJudge.\n[question]\n{sentence}\n[labels]\nnegative: bad\npositive: zqxj vvkw 0387 zqxj\n"
    folder = tmp_path / "prompts"
    folder.mkdir()
    (folder / "sst2.txt").write_text(text, encoding="utf-8")
    questions = questions_of(sentiment(40, start=300))
    raw = fit(tiny_llama, prompt_dir=folder).predict(questions)
    assert {one.label for one in raw} == {"negative"}
    classifier = fit(tiny_llama, prompt_dir=folder, calibration=kind)
    assert {one.label for one in classifier.predict(questions)} == {"negative", "positive"}
    for one, plain in zip(classifier.predict(questions), raw, strict=True):
        assert kept(one)[0] == pytest.approx(kept(plain)[0], abs=1e-3)  # what was scored stays as it was


def test_the_three_content_free_texts_are_together_even(fit: Fit, tiny_llama: Path) -> None:
    """p_cf is the mean over the three texts, so dividing that mean by it gives each label the same."""
    classifier = fit(tiny_llama, calibration="contextual")
    prior = classifier.facts.notes["calibration"]["prior"]
    asked = [Question(text, {"sentence": text}) for text in CONTENT_FREE]
    rows = [softmax(kept(one)[0]) for one in classifier.predict(asked)]
    quotients = [sum(row[label] for row in rows) / 3 / prior[label] for label in prior]
    assert quotients == pytest.approx([1.0, 1.0], abs=1e-4)


@pytest.mark.parametrize("kind", ["contextual", "batch"])
def test_a_calibrated_answer_depends_on_its_own_question_alone(fit: Fit, tiny_qwen: Path, kind: str) -> None:
    classifier = fit(tiny_qwen, shots=2, calibration=kind)
    together = classifier.predict(QUESTIONS)
    others = questions_of(sentiment(5, start=900))
    for one, question in zip(together, QUESTIONS, strict=True):
        (alone,) = classifier.predict([question])
        among_others = classifier.predict([*others, question])[-1]
        for other in (alone, among_others):
            assert other.label == one.label
            assert other.probabilities == pytest.approx(one.probabilities, abs=1e-4)
    backwards = classifier.predict(QUESTIONS[::-1])[::-1]
    assert [one.label for one in backwards] == [one.label for one in together]


def test_no_label_reaches_batch_calibration(fit: Fit, tiny_llama: Path) -> None:
    swapped = [replace(one, label="negative" if one.label == "positive" else "positive") for one in TRAIN]
    first, second = (
        fit(tiny_llama, calibration="batch", train=train, development=[]).facts.notes["calibration"]
        for train in (TRAIN, swapped)
    )
    assert first["prior"] == second["prior"]


def test_a_pair_of_texts_is_calibrated_too(fit: Fit, tiny_llama: Path) -> None:
    rows = entailment(14)
    for kind in ("contextual", "batch"):
        classifier = fit(tiny_llama, "rte", calibration=kind, train=rows, development=[])
        for one in classifier.predict(questions_of(rows[:3])):
            assert sum(kept(one)[1].values()) == pytest.approx(1)


def test_progress_hears_of_the_calibration(tiny_llama: Path, workplace: Callable[[str], Workplace]) -> None:
    heard: list[tuple[str, int, int]] = []
    place = replace(workplace("sst2"), progress=lambda *step: heard.append(step))
    settings = LLMSettings(checkpoint=str(tiny_llama), full_precision=True, calibration="contextual")
    LlmEngine(settings, place).fit([], development=[], seed=99)
    assert heard[-1] == ("calibrating", 3, 3)


def test_without_calibration_nothing_is_noted_of_it(fit: Fit, tiny_llama: Path) -> None:
    assert "calibration" not in fit(tiny_llama).facts.notes
