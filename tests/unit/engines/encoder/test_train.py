from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from beatingbert.checkpoints import device
from beatingbert.engines.encoder import train
from beatingbert.engines.encoder.engine import EncoderClassifier, EncoderEngine
from beatingbert.engines.encoder.settings import EncoderSettings
from beatingbert.engines.protocol import Workplace
from beatingbert.errors import BeatingBertError, TooFewExamplesError
from beatingbert.tasks.example import Example
from beatingbert.tasks.prediction import Prediction
from tiny_tasks import questions_of, science, sentiment

TRAIN, DEVELOPMENT = sentiment(64), sentiment(16, start=200)
Fit = Callable[..., EncoderClassifier]


@pytest.fixture
def fit(workplace: Callable[[str], Workplace]) -> Fit:
    """fit(checkpoint, train=..., development=..., **settings): fine-tuned in full precision, in a folder of its own."""

    def make(
        checkpoint: Path,
        task: str = "sst2",
        train: list[Example] = TRAIN,
        development: list[Example] = DEVELOPMENT,
        seed: int = 99,
        place: Workplace | None = None,
        **settings: Any,
    ) -> EncoderClassifier:
        given = {"full_precision": True, "learning_rate": 5e-3, "epochs": 2} | settings
        engine = EncoderEngine(EncoderSettings(checkpoint=str(checkpoint), **given), place or workplace(task))
        return engine.fit(train, development=development, seed=seed)

    return make


def accuracy(predictions: list[Prediction], examples: list[Example]) -> float:
    right = [one.label == example.label for one, example in zip(predictions, examples, strict=True)]
    return sum(right) / len(right)


def logits_of(predictions: list[Prediction]) -> list[float]:
    return [value for one in predictions for value in (one.probabilities or {}).values()]


def judged(**metrics: float) -> dict[str, float]:
    """What an epoch may be judged to be."""
    return {"accuracy": 0.5, "macro_f1": 0.5, "mcc": 0.0, "predicted_classes": 2.0} | metrics


@pytest.mark.parametrize("fixture", ["tiny_bert", "tiny_distilbert"])
def test_the_presence_of_a_word_is_learnt(request: pytest.FixtureRequest, fit: Fit, fixture: str) -> None:
    classifier = fit(request.getfixturevalue(fixture), epochs=10)
    assert accuracy(classifier.predict(questions_of(TRAIN)), TRAIN) >= 0.95
    unseen = sentiment(40, start=1000)
    assert accuracy(classifier.predict(questions_of(unseen)), unseen) >= 0.9


def test_multiple_choice_with_differing_numbers_of_choices_is_learnt(fit: Fit, tiny_bert: Path) -> None:
    rows = science(48)
    classifier = fit(tiny_bert, "arc_challenge", train=rows, development=rows[:12], epochs=6, batch_size=8)
    unseen = science(60)[48:]
    predictions = classifier.predict(questions_of(unseen))
    assert accuracy(predictions, unseen) >= 0.9
    for one, example in zip(predictions, unseen, strict=True):
        assert one.probabilities is not None
        assert list(one.probabilities) == [str(at) for at in range(len(example.question.choices))]
        assert sum(one.probabilities.values()) == pytest.approx(1)


def test_a_missing_choice_is_never_chosen(fit: Fit, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = science(12)
    classifier = fit(tiny_bert, "arc_challenge", train=rows, development=[], epochs=1)
    forward = classifier.model.forward

    def in_love_with_padding(input_ids: torch.Tensor, attention_mask: torch.Tensor, **others: Any) -> Any:
        output = forward(input_ids=input_ids, attention_mask=attention_mask, **others)
        output.logits[attention_mask.sum(dim=-1) == 1] += 1e6
        return output

    monkeypatch.setattr(classifier.model, "forward", in_love_with_padding)
    for one, example in zip(classifier.predict(questions_of(rows)), rows, strict=True):
        assert one.label is not None
        assert int(one.label) < len(example.question.choices)
        assert sum((one.probabilities or {}).values()) == pytest.approx(1)


def test_one_seed_gives_the_same_predictions_and_another_gives_others(fit: Fit, tiny_bert: Path) -> None:
    asked = questions_of(DEVELOPMENT)
    first, again, other = (fit(tiny_bert, seed=seed).predict(asked) for seed in (7, 7, 8))
    assert first == again
    assert logits_of(first) != logits_of(other)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_are_fp32_during_training_whatever_the_file_holds(
    fit: Fit, tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    folder = _copy(tiny_bert, tmp_path / "half", dtype=str(dtype).removeprefix("torch."))
    weights = {name: tensor.to(dtype) for name, tensor in load_file(tiny_bert / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    seen: set[torch.dtype] = set()
    monkeypatch.setattr(
        train.ClassificationTrainer,
        "compute_loss",
        _spying(
            train.ClassificationTrainer.compute_loss, lambda model: seen.update(p.dtype for p in model.parameters())
        ),
    )
    monkeypatch.setattr(device, "_has_bf16", lambda kind: True)
    classifier = fit(folder, full_precision=False, epochs=2, place=None)
    assert seen == {torch.float32}
    assert classifier.facts.precision == "bf16"
    assert {weight.dtype for weight in classifier.model.parameters()} == {torch.float32}


def _copy(checkpoint: Path, folder: Path, **changes: Any) -> Path:
    """The checkpoint with changes to its config.json."""
    shutil.copytree(checkpoint, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    return folder


def _spying(original: Any, look: Callable[[Any], None]) -> Any:
    def compute_loss(self: Any, model: Any, inputs: Any, **options: Any) -> Any:
        look(model)
        return original(self, model, inputs, **options)

    return compute_loss


def test_half_precision_trains_as_well(fit: Fit, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_has_bf16", lambda kind: True)
    classifier = fit(tiny_bert, full_precision=False, epochs=10)
    assert classifier.facts.precision == "bf16"
    assert accuracy(classifier.predict(questions_of(TRAIN)), TRAIN) >= 0.95


def test_the_best_epoch_on_development_answers(
    fit: Fit, tiny_bert: Path, workplace: Callable[[str], Workplace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Development accuracies are dictated: the second of four epochs is best, the fourth only equals it."""
    dictated = iter([0.25, 0.75, 0.5, 0.75])
    weights: list[dict[str, torch.Tensor]] = []
    monkeypatch.setattr(
        train,
        "development_metrics",
        lambda output: {"accuracy": next(dictated), "macro_f1": 0.0, "mcc": 0.0, "predicted_classes": 2.0},
    )
    keep = train.KeepBest.on_evaluate

    def on_evaluate(self: Any, args: Any, state: Any, control: Any, metrics: Any, model: Any = None, **_: Any) -> None:
        weights.append(copy.deepcopy(model.state_dict()))
        keep(self, args, state, control, metrics, model=model)

    monkeypatch.setattr(train.KeepBest, "on_evaluate", on_evaluate)
    place = workplace("sst2")
    classifier = fit(tiny_bert, epochs=4, place=place)
    assert classifier.facts.notes["best_epoch"] == 2
    assert [epoch["accuracy"] for epoch in classifier.facts.history] == [0.25, 0.75, 0.5, 0.75]
    assert [epoch["epoch"] for epoch in classifier.facts.history] == [1, 2, 3, 4]
    for held, expected in ((classifier.model.state_dict(), weights[1]), (_saved(place, "best_model"), weights[1])):
        assert all(torch.equal(held[name], expected[name]) for name in expected)
    final = _saved(place, "final_model")
    assert all(torch.equal(final[name], weights[3][name]) for name in weights[3])


def _saved(place: Workplace, name: str) -> dict[str, torch.Tensor]:
    return dict(load_file(place.folder / "model" / name / "model.safetensors"))


def test_development_metrics_agree_with_a_count_by_hand(fit: Fit, tiny_bert: Path) -> None:
    classifier = fit(tiny_bert, epochs=2)
    best = classifier.facts.history[classifier.facts.notes["best_epoch"] - 1]
    predictions = classifier.predict(questions_of(DEVELOPMENT))
    assert best["accuracy"] == pytest.approx(accuracy(predictions, DEVELOPMENT))
    right = [(one.probabilities or {})[example.label] for one, example in zip(predictions, DEVELOPMENT, strict=True)]
    assert best["development_loss"] == pytest.approx(-sum(torch.tensor(right).log().tolist()) / len(right), abs=1e-4)


def test_without_development_the_last_epoch_answers_and_both_folders_exist(
    fit: Fit, tiny_bert: Path, workplace: Callable[[str], Workplace]
) -> None:
    place = workplace("sst2")
    classifier = fit(tiny_bert, development=[], epochs=2, place=place)
    assert classifier.facts.notes["best_epoch"] == 2
    best, final = _saved(place, "best_model"), _saved(place, "final_model")
    assert all(torch.equal(best[name], final[name]) for name in best)
    assert [epoch["epoch"] for epoch in classifier.facts.history] == [1, 2]


def test_the_settings_reach_the_trainer(fit: Fit, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    original = train.TrainingArguments

    def spy(**options: Any) -> Any:
        given.append(original(**options))
        return given[-1]

    monkeypatch.setattr(train, "TrainingArguments", spy)
    fit(
        tiny_bert,
        learning_rate=3e-4,
        batch_size=5,
        epochs=2,
        gradient_accumulation_steps=3,
        weight_decay=0.25,
        warmup_share=0.5,
        seed=11,
    )
    (options,) = given
    assert options.learning_rate == 3e-4
    assert options.per_device_train_batch_size == 5
    assert options.num_train_epochs == 2
    assert options.gradient_accumulation_steps == 3
    assert options.weight_decay == 0.25
    assert options.seed == 11
    assert options.warmup_steps == 5  # half of 2 epochs of ceil(13 batches / 3) = 5 steps
    assert options.train_sampling_strategy == "group_by_length"


def test_max_length_reaches_the_tokenizer_and_cut_rows_are_counted(fit: Fit, tiny_bert: Path) -> None:
    classifier = fit(tiny_bert, max_length=8, epochs=1)
    rows = classifier.encoded(TRAIN)
    whole = fit(tiny_bert, max_length=512, epochs=1)
    lengths = [one.length for one in whole.encoded(TRAIN)]
    assert max(one.length for one in rows) == 8
    assert [one.lost_tokens for one in rows] == [max(0, length - 8) for length in lengths]
    assert classifier.facts.notes["train_rows_truncated"] == sum(length > 8 for length in lengths) > 0
    assert whole.facts.notes["train_rows_truncated"] == 0
    assert [one.lost_tokens for one in classifier.predict(questions_of(TRAIN))] == [one.lost_tokens for one in rows]


def test_accumulated_batches_make_the_same_step_as_one_large_batch(
    fit: Fit, tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradients at the first step, of 16 questions at once and of 4 times 4, without dropout."""
    gradients: list[torch.Tensor] = []
    monkeypatch.setattr(
        train.KeepBest,
        "on_pre_optimizer_step",
        lambda self, args, state, control, model=None, **_: gradients.append(
            torch.cat([weight.grad.flatten().clone() for weight in model.parameters() if weight.grad is not None])
        ),
        raising=False,
    )
    steady = _copy(tiny_bert, tmp_path / "steady", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_, **__: torch.tensor(0.0))
    losses = []
    for batch_size, steps in ((16, 1), (4, 4)):
        classifier = fit(
            steady, train=TRAIN[:16], development=[], epochs=1, batch_size=batch_size, gradient_accumulation_steps=steps
        )
        losses.append(classifier.facts.history[0]["train_loss"])
    assert len(gradients) == 2
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-5)


def test_a_loss_that_is_no_number_stops_the_training(
    fit: Fit, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        train, "masked_logits", lambda model, inputs: model(**inputs).logits * torch.tensor(float("nan"))
    )
    with pytest.raises(BeatingBertError, match=r"training loss became nan at step .*lower --lr"):
        fit(tiny_bert, epochs=1)


def test_progress_tells_every_step(tiny_bert: Path, tmp_path: Path, workplace: Callable[[str], Workplace]) -> None:
    told: list[tuple[str, int, int]] = []
    place = workplace("sst2")
    hearing = Workplace(task=place.task, folder=place.folder, progress=lambda *step: told.append(step))
    settings = EncoderSettings(checkpoint=str(tiny_bert), epochs=2, batch_size=16, full_precision=True)
    EncoderEngine(settings, hearing).fit(TRAIN, development=[], seed=99).predict(questions_of(TRAIN))
    assert [step[1:] for step in told if step[0] == "training"] == [(step, 8) for step in range(1, 9)]
    assert [step[1:] for step in told if step[0] == "answering"] == [(64, 64)]


def test_train_rows_of_one_label_are_refused(fit: Fit, tiny_bert: Path) -> None:
    with pytest.raises(TooFewExamplesError, match="at least two labels in train, got 32 rows of one"):
        fit(tiny_bert, train=[example for example in TRAIN if example.label == "positive"])


def test_nothing_of_the_trainers_own_is_left_behind(
    fit: Fit, tiny_bert: Path, workplace: Callable[[str], Workplace]
) -> None:
    place = workplace("sst2")
    fit(tiny_bert, epochs=1, place=place)
    assert sorted(path.name for path in (place.folder / "model").iterdir()) == [
        *("best_model", "final_model", "training.json")
    ]
    assert not (place.folder / "trainer").exists()
