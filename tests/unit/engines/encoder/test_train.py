from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from beatingbert.checkpoints import device
from beatingbert.engines import onednn
from beatingbert.engines.encoder import train, trainer
from beatingbert.engines.encoder.classifier import EncoderClassifier
from beatingbert.engines.encoder.engine import EncoderEngine
from beatingbert.engines.encoder.settings import EncoderSettings
from beatingbert.engines.encoder.vocabulary import whole_vocabulary
from beatingbert.engines.protocol import Upkeep, Workplace
from beatingbert.errors import BeatingBertError, TooFewExamplesError, TrainingError
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
        trainer.ClassificationTrainer,
        "compute_loss",
        _spying(
            trainer.ClassificationTrainer.compute_loss, lambda model: seen.update(p.dtype for p in model.parameters())
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
    monkeypatch.setattr(onednn, "pays", lambda device: False)  # layers that are packed to answer are no parameters
    dictated = iter([0.25, 0.75, 0.5, 0.75])
    weights: list[dict[str, torch.Tensor]] = []
    monkeypatch.setattr(
        train,
        "development_metrics",
        lambda output: {"accuracy": next(dictated), "macro_f1": 0.0, "mcc": 0.0, "predicted_classes": 2.0},
    )
    keep = train.KeepBest.on_evaluate

    def on_evaluate(self: Any, args: Any, state: Any, control: Any, metrics: Any, model: Any = None, **_: Any) -> None:
        with whole_vocabulary(model):
            weights.append({name: weight.cpu().clone() for name, weight in model.state_dict().items()})
        keep(self, args, state, control, metrics, model=model)

    monkeypatch.setattr(train.KeepBest, "on_evaluate", on_evaluate)
    place = workplace("sst2")
    classifier = fit(tiny_bert, epochs=4, place=place)
    assert classifier.facts.notes["best_epoch"] == 2
    assert [epoch["accuracy"] for epoch in classifier.facts.history] == [0.25, 0.75, 0.5, 0.75]
    assert [epoch["epoch"] for epoch in classifier.facts.history] == [1, 2, 3, 4]
    for held, expected in ((classifier.model.state_dict(), weights[1]), (_saved(place, "best_model"), weights[1])):
        assert all(torch.equal(held[name].cpu(), expected[name]) for name in expected)
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
        trainer, "masked_logits", lambda model, inputs: model(**inputs).logits * torch.tensor(float("nan"))
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


def test_training_stops_early_when_epochs_bring_nothing_better(
    fit: Fit, tiny_bert: Path, workplace: Callable[[str], Workplace], monkeypatch: pytest.MonkeyPatch
) -> None:
    dictated = iter([0.25, 0.75, 0.5, 0.75, 1.0])
    monkeypatch.setattr(train, "development_metrics", lambda output: judged(accuracy=next(dictated)))
    place = workplace("sst2")
    classifier = fit(tiny_bert, epochs=5, early_stopping_patience=2, place=place)
    assert [epoch["accuracy"] for epoch in classifier.facts.history] == [0.25, 0.75, 0.5, 0.75]
    assert classifier.facts.notes["best_epoch"] == 2
    assert classifier.facts.notes["stopped_early"] is True


def test_all_epochs_are_trained_unless_a_patience_is_given(fit: Fit, tiny_bert: Path) -> None:
    classifier = fit(tiny_bert, epochs=3, learning_rate=1e-7)
    assert len(classifier.facts.history) == 3
    assert classifier.facts.notes["stopped_early"] is False


@pytest.mark.parametrize(("metric", "best"), [("accuracy", 1), ("macro_f1", 2), ("mcc", 3)])
def test_the_best_epoch_is_chosen_by_the_metric_that_is_asked_for(
    fit: Fit, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch, metric: str, best: int
) -> None:
    epochs = iter(
        [judged(accuracy=0.9), judged(accuracy=0.8, macro_f1=0.9), judged(accuracy=0.8, macro_f1=0.8, mcc=0.9)]
    )
    monkeypatch.setattr(train, "development_metrics", lambda output: next(epochs))
    assert fit(tiny_bert, epochs=3, metric_for_best=metric).facts.notes["best_epoch"] == best


def test_every_epoch_is_written_down(fit: Fit, tiny_bert: Path) -> None:
    classifier = fit(tiny_bert, epochs=3, batch_size=16, warmup_share=0.0, learning_rate=6e-3)
    assert [set(epoch) for epoch in classifier.facts.history] == [
        {
            *("epoch", "train_loss", "development_loss", "accuracy", "macro_f1", "mcc", "predicted_classes"),
            *("learning_rate", "train_seconds", "evaluation_seconds", "examples_per_second"),
        }
    ] * 3
    # 12 steps; the rate falls by a twelfth after each, and an epoch's is that of its last step
    rates = [epoch["learning_rate"] for epoch in classifier.facts.history]
    assert rates == pytest.approx([6e-3 * 9 / 12, 6e-3 * 5 / 12, 6e-3 * 1 / 12])
    for epoch in classifier.facts.history:
        assert epoch["examples_per_second"] == pytest.approx(len(TRAIN) / epoch["train_seconds"])
        assert 0 < epoch["train_seconds"] + epoch["evaluation_seconds"] < classifier.facts.train_seconds


def test_development_metrics_are_scikit_learns() -> None:
    from types import SimpleNamespace

    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    gold, chosen = [0, 1, 2, 2, 1, 0, 2], [0, 1, 1, 2, 1, 2, 2]
    output = SimpleNamespace(predictions=torch.nn.functional.one_hot(torch.tensor(chosen)).numpy(), label_ids=gold)
    assert trainer.development_metrics(output) == {
        "accuracy": pytest.approx(accuracy_score(gold, chosen)),
        "macro_f1": pytest.approx(f1_score(gold, chosen, average="macro")),
        "mcc": pytest.approx(matthews_corrcoef(gold, chosen)),
        "predicted_classes": 3.0,
    }


@pytest.mark.parametrize(
    ("given", "clipped"), [({}, 1.0), ({"max_grad_norm": 0.01}, 0.01), ({"max_grad_norm": 0.0}, None)]
)
def test_gradients_are_clipped_at_one_unless_told_otherwise(
    fit: Fit, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, float], clipped: float | None
) -> None:
    norms: list[float] = []
    monkeypatch.setattr(
        train.KeepBest,
        "on_optimizer_step",  # the optimiser leaves the gradients as it has used them
        lambda self, args, state, control, model=None, **_: norms.append(
            float(torch.cat([w.grad.flatten() for w in model.parameters() if w.grad is not None]).norm())
        ),
        raising=False,
    )
    fit(tiny_bert, epochs=1, **given)
    if clipped is None:
        assert max(norms) > 1.01
    else:
        assert max(norms) <= clipped * 1.001


@pytest.mark.parametrize("max_grad_norm", [0.01, 1.0, 100.0])
def test_clipping_in_the_optimiser_is_torchs_own_clipping(
    fit: Fit, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch, max_grad_norm: float
) -> None:
    ours = logits_of(fit(tiny_bert, max_grad_norm=max_grad_norm).predict(questions_of(TRAIN)))
    monkeypatch.delattr(trainer.ClassificationTrainer, "_clip_grad_norm")
    theirs = logits_of(fit(tiny_bert, max_grad_norm=max_grad_norm).predict(questions_of(TRAIN)))
    assert ours == pytest.approx(theirs, abs=1e-5)


@pytest.mark.parametrize("first_bad", [1, 3, 6])
def test_a_loss_that_is_no_number_stops_at_its_step_and_names_the_last_good_checkpoint(
    fit: Fit, tiny_bert: Path, workplace: Callable[[str], Workplace], monkeypatch: pytest.MonkeyPatch, first_bad: int
) -> None:
    """Four steps an epoch; the loss is lost at one of them, long before anything would be logged."""
    done: list[int] = []
    original = trainer.ClassificationTrainer.compute_loss

    def compute_loss(self: Any, model: Any, inputs: Any, *given: Any, **options: Any) -> Any:
        loss = original(self, model, inputs, *given, **options)
        if model.training:
            done.append(1)
            return loss * float("nan") if len(done) >= first_bad else loss
        return loss

    monkeypatch.setattr(trainer.ClassificationTrainer, "compute_loss", compute_loss)
    kept = "trainer/checkpoint-4" if first_bad > 4 else "no checkpoint yet"
    place = workplace("sst2")
    with pytest.raises(TrainingError, match=rf"training loss became nan at step {first_bad} of 12, .*{kept}"):
        fit(tiny_bert, epochs=3, place=place)
    late = 1 if torch.cuda.is_available() else 0  # a GPU is asked without waiting for it
    assert first_bad <= len(done) <= first_bad + late
    assert (place.folder / "trainer" / "checkpoint-4" / "model.safetensors").is_file() == (first_bad > 4)


def test_weights_that_are_no_numbers_are_never_kept(
    fit: Fit, tiny_bert: Path, workplace: Callable[[str], Workplace], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_a_weight(self: Any, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if state.global_step == 3:  # in the last step of the first epoch: no loss tells of it
            with torch.no_grad():
                model.classifier.weight[0, 0] = float("inf")

    monkeypatch.setattr(train.KeepBest, "on_optimizer_step", break_a_weight)
    place = workplace("sst2")
    with pytest.raises(TrainingError, match="model's weights became nan at step 4 of 12"):
        fit(tiny_bert, epochs=3, place=place)
    assert list(place.folder.rglob("checkpoint-*")) == []


def one_sided(output: Any) -> dict[str, float]:
    return judged(accuracy=0.5, predicted_classes=1.0)


def test_a_training_whose_answers_are_all_one_class_is_marked(
    fit: Fit, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(train, "development_metrics", one_sided)
    with caplog.at_level("WARNING", logger="beatingbert"):
        classifier = fit(tiny_bert, epochs=1)
    assert classifier.facts.notes["collapsed"] is True
    assert "attempts" not in classifier.facts.notes
    assert "collapsed" in caplog.text


def test_a_development_part_of_one_class_is_no_collapse(fit: Fit, tiny_bert: Path) -> None:
    positive = [example for example in DEVELOPMENT if example.label == "positive"]
    classifier = fit(tiny_bert, epochs=10, development=positive)
    assert accuracy(classifier.predict(questions_of(positive)), positive) == 1
    assert "collapsed" not in classifier.facts.notes
    assert "collapsed" not in fit(tiny_bert, epochs=1, development=[]).facts.notes
    assert fit(tiny_bert, epochs=10).facts.notes["collapsed"] is False


@pytest.mark.parametrize(("answers", "seeds"), [([1, 1, 2], [7, 1007, 2007]), ([1, 1, 1], [7, 1007, 2007]), ([2], [7])])
def test_a_collapsed_training_is_begun_again_with_another_seed(
    fit: Fit,
    tiny_bert: Path,
    workplace: Callable[[str], Workplace],
    monkeypatch: pytest.MonkeyPatch,
    answers: list[int],
    seeds: list[int],
) -> None:
    classes = iter(answers)
    monkeypatch.setattr(train, "development_metrics", lambda output: judged(mcc=0.25, predicted_classes=next(classes)))
    place = workplace("sst2")
    told = fit(tiny_bert, epochs=1, seed=7, retry_collapsed=2, metric_for_best="mcc", place=place).facts
    assert [attempt["seed"] for attempt in told.notes["attempts"]] == seeds
    assert [attempt["collapsed"] for attempt in told.notes["attempts"]] == [number == 1 for number in answers]
    assert {attempt["mcc"] for attempt in told.notes["attempts"]} == {0.25}
    assert told.notes["collapsed"] is (answers[-1] == 1)
    assert told.train_seconds == pytest.approx(sum(attempt["seconds"] for attempt in told.notes["attempts"]))
    assert not (place.folder / "trainer").exists()


def test_a_second_attempt_is_the_training_of_its_own_seed(
    fit: Fit, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = fit(tiny_bert, epochs=2, seed=1007).predict(questions_of(DEVELOPMENT))
    original, judgements = train.development_metrics, iter([True, True, False, False])
    monkeypatch.setattr(
        train, "development_metrics", lambda out: original(out) | ({"predicted_classes": 1} if next(judgements) else {})
    )
    assert fit(tiny_bert, epochs=2, seed=7, retry_collapsed=1).predict(questions_of(DEVELOPMENT)) == alone


def test_a_retry_that_was_interrupted_is_gone_on_with(
    fit: Fit, tiny_bert: Path, workplace: Callable[[str], Workplace], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = workplace("sst2")
    original, judgements = train.development_metrics, iter([1, 1, 2, 2, 2])
    monkeypatch.setattr(
        train, "development_metrics", lambda output: original(output) | {"predicted_classes": next(judgements)}
    )

    def pull_the_plug(phase: str, done: int, total: int) -> None:
        heard.append(done)
        if heard == [*range(1, 9), *range(1, 7)]:  # eight steps of the first attempt, six of the second
            raise KeyboardInterrupt

    heard: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        fit(tiny_bert, seed=7, retry_collapsed=1, place=replace(place, progress=pull_the_plug))
    resumed = fit(tiny_bert, seed=7, retry_collapsed=1, place=replace(place, upkeep=Upkeep(resume=True)))
    assert [(one["seed"], one["collapsed"]) for one in resumed.facts.notes["attempts"]] == [(7, True), (1007, False)]
    assert len(resumed.facts.history) == 2
    monkeypatch.setattr(train, "development_metrics", original)
    alone = fit(tiny_bert, seed=1007).predict(questions_of(DEVELOPMENT))
    assert resumed.predict(questions_of(DEVELOPMENT)) == alone
