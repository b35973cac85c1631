"""The average of a training's weights, and the loss over two passes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.special import rel_entr, softmax
from sklearn.metrics import log_loss

from beatingbert.engines.encoder import trainer
from beatingbert.engines.encoder.average import WeightAverage
from beatingbert.engines.encoder.classifier import EncoderClassifier
from beatingbert.engines.encoder.engine import EncoderEngine
from beatingbert.engines.encoder.settings import EncoderSettings
from beatingbert.engines.protocol import Workplace
from beatingbert.errors import SettingsError
from tiny_tasks import science, sentiment


def fit(checkpoint: Path, place: Workplace, **settings: Any) -> EncoderClassifier:
    given = {"full_precision": True, "learning_rate": 5e-3, "epochs": 2, "batch_size": 8} | settings
    rows = sentiment(32) if place.task.labels else science(16)
    return EncoderEngine(EncoderSettings(checkpoint=str(checkpoint), **given), place).fit(
        rows, development=rows[:16], seed=99
    )


def test_the_average_is_the_sum_of_the_steps_each_shrunk_by_all_later_ones() -> None:
    model = torch.nn.Linear(3, 2)
    average = WeightAverage(model, decay=0.5)
    steps = [model.weight.detach().numpy().astype(np.float64).copy()]
    for step in range(1, 6):
        with torch.no_grad():
            model.weight.add_(torch.randn(2, 3))
        steps.append(model.weight.detach().numpy().astype(np.float64).copy())
        average.on_step_end(None, SimpleNamespace(global_step=step), None)
    kept = [min(0.5, (1 + step) / (10 + step)) for step in range(1, 6)]  # 2/11, 3/12, 4/13, 5/14, 6/15
    shares = [np.prod(kept), *((1 - kept[at]) * np.prod(kept[at + 1 :]) for at in range(5))]
    assert sum(shares) == pytest.approx(1)
    with average.in_place():
        expected = sum(share * weights for share, weights in zip(shares, steps, strict=True))
        np.testing.assert_allclose(model.weight.detach().numpy(), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model.weight.detach().numpy().astype(np.float64), steps[-1])


def test_an_average_that_was_saved_is_taken_up(tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 2)
    average = WeightAverage(model, decay=0.9)
    with torch.no_grad():
        model.weight.add_(1.0)
    average.on_step_end(None, SimpleNamespace(global_step=40), None)
    average.save(tmp_path)
    copied = copy.deepcopy(model)
    other = WeightAverage(copied, decay=0.9)
    other.load(tmp_path)
    with average.in_place():
        kept = [weight.clone() for weight in model.parameters()]
    with other.in_place():
        assert all(torch.equal(one, taken) for one, taken in zip(kept, copied.parameters(), strict=True))


def test_the_average_is_what_epochs_are_judged_by_and_what_is_kept(
    tiny_bert: Path, workplace: Callable[[str], Workplace], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[torch.Tensor]] = []
    original = trainer.ClassificationTrainer.evaluate

    def evaluate(self: Any, *given: Any, **named: Any) -> dict[str, float]:
        assert self.average is not None
        seen.append([weight.cpu().clone() for weight in self.average._weights.values()])
        return original(self, *given, **named)

    plain = fit(tiny_bert, workplace("sst2"))
    monkeypatch.setattr(trainer.ClassificationTrainer, "evaluate", evaluate)
    place = workplace("sst2")
    averaged = fit(tiny_bert, place, weight_average=0.9)
    head = averaged.model.classifier.weight.detach().cpu()
    assert not torch.equal(head, plain.model.classifier.weight.detach().cpu())
    best = averaged.facts.notes["best_epoch"]
    assert any(torch.equal(head, weight) for weight in seen[best - 1])
    final = load_file(place.folder / "model" / "final_model" / "model.safetensors")["classifier.weight"]
    assert any(torch.equal(final, weight) for weight in seen[-1])


@pytest.mark.parametrize("task", ["sst2", "arc_challenge"])
def test_two_passes_cost_their_entropies_and_how_far_they_are_apart(
    tiny_bert: Path, workplace: Callable[[str], Workplace], monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    """Against scikit-learn's log loss and scipy's relative entropy, on the logits that the model gave."""
    told: list[tuple[float, np.ndarray, list[int]]] = []
    given_logits: list[np.ndarray] = []
    original = trainer.ClassificationTrainer.compute_loss
    masked = trainer.masked_logits

    def masked_logits(model: Any, inputs: Any) -> torch.Tensor:
        logits = masked(model, inputs)
        given_logits.append(logits.detach().cpu().double().numpy())
        return logits

    def compute_loss(self: Any, model: Any, inputs: Any, *given: Any, **named: Any) -> Any:
        labels, training = inputs["labels"].tolist(), model.training
        loss = original(self, model, inputs, *given, **named)
        if training:
            told.append((float(loss.detach()), given_logits[-1], labels))
        return loss

    monkeypatch.setattr(trainer, "masked_logits", masked_logits)
    monkeypatch.setattr(trainer.ClassificationTrainer, "compute_loss", compute_loss)
    fit(tiny_bert, workplace(task), r_drop=3.0, epochs=1)
    assert told
    for loss, logits, labels in told:
        assert len(logits) == 2 * len(labels)
        found = softmax(logits, axis=1)
        one, other = np.split(found, 2)
        assert not np.allclose(one, other)  # dropout differs
        entropy = log_loss([*labels, *labels], found, labels=range(found.shape[1]))
        apart = 0.5 * (rel_entr(one, other) + rel_entr(other, one)).sum(axis=1).mean()
        assert loss == pytest.approx(entropy + 1.5 * apart, rel=1e-4)


def test_the_epoch_with_the_least_loss_on_development_answers_where_that_is_asked_for(
    tiny_bert: Path, workplace: Callable[[str], Workplace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dictated: the third of four epochs is the most accurate, the second has the least loss."""
    dictated = iter([(0.5, 0.9), (0.6, 0.2), (0.9, 0.3), (0.7, 0.8)])
    original = trainer.ClassificationTrainer.evaluation_loop

    def evaluation_loop(self: Any, *given: Any, **named: Any) -> Any:
        output = original(self, *given, **named)
        accuracy, loss = next(dictated)
        output.metrics.update(eval_accuracy=accuracy, eval_loss=loss)
        return output

    monkeypatch.setattr(trainer.ClassificationTrainer, "evaluation_loop", evaluation_loop)
    facts = fit(tiny_bert, workplace("sst2"), epochs=4, metric_for_best="loss").facts
    assert [epoch["development_loss"] for epoch in facts.history] == [0.9, 0.2, 0.3, 0.8]
    assert facts.notes["best_epoch"] == 2


def test_two_passes_are_refused_where_no_dropout_tells_them_apart(
    tiny_modernbert: Path, workplace: Callable[[str], Workplace]
) -> None:
    with pytest.raises(SettingsError, match=r"--r_drop 1 lets two passes .* 'modernbert' model has no dropout"):
        fit(tiny_modernbert, workplace("sst2"), r_drop=1.0)
