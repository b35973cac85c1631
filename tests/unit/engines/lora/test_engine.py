from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

import tiny_models
from beatingbert.checkpoints import device
from beatingbert.engines import onednn
from beatingbert.engines.llm.classifier import LlmClassifier
from beatingbert.engines.llm.engine import LlmEngine
from beatingbert.engines.llm.settings import LLMSettings
from beatingbert.engines.lora import train as train_module
from beatingbert.engines.lora.engine import Exam, LoraEngine
from beatingbert.engines.lora.loss import AnswerLoss
from beatingbert.engines.lora.settings import LoraSettings
from beatingbert.engines.protocol import Workplace
from beatingbert.errors import CheckpointError, SettingsError, TooFewExamplesError, TrainingError
from beatingbert.tasks.example import Example
from beatingbert.tasks.prediction import Prediction
from tiny_tasks import blanks, entailment, questions_of, science, sentiment

TRAIN, DEVELOPMENT, UNSEEN = sentiment(64), sentiment(20, start=200), sentiment(30, start=1000)
ASKED = questions_of(UNSEEN)
Fit = Callable[..., LlmClassifier]


@pytest.fixture
def fit(workplace: Callable[[str], Workplace]) -> Fit:
    """fit(checkpoint, task="sst2", place=..., **settings): adapted in full precision, in a folder of its own."""

    def make(
        checkpoint: Path,
        task: str = "sst2",
        train: list[Example] = TRAIN,
        development: list[Example] = DEVELOPMENT,
        seed: int = 99,
        place: Workplace | None = None,
        **settings: Any,
    ) -> LlmClassifier:
        given = {"full_precision": True, "learning_rate": 5e-3, "epochs": 1, "rank": 4} | settings
        engine = LoraEngine(LoraSettings(checkpoint=str(checkpoint), **given), place or workplace(task))
        return engine.fit(train, development=development, seed=seed)

    return make


def accuracy(predictions: list[Prediction], examples: list[Example]) -> float:
    right = [one.label == example.label for one, example in zip(predictions, examples, strict=True)]
    return sum(right) / len(right)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(folder / "adapter_model.safetensors"))


def test_the_presence_of_a_word_is_learnt(fit: Fit, tiny_qwen: Path) -> None:
    classifier = fit(tiny_qwen, train=sentiment(128), epochs=8, rank=8, learning_rate=1e-2)
    before, after = (classifier.facts.history[at]["accuracy"] for at in (0, classifier.facts.notes["best_epoch"] - 1))
    assert before < after
    assert after >= 0.9
    assert accuracy(classifier.predict(ASKED), UNSEEN) >= 0.85
    losses = [epoch["train_loss"] for epoch in classifier.facts.history]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    ("task", "rows", "settings"),
    [
        ("rte", entailment, {}),
        ("arc_challenge", science, {}),
        ("arc_challenge", science, {"choice_by": "letter"}),
        ("winogrande", blanks, {}),
    ],
    ids=["pair", "endings", "letters", "blank"],
)
def test_every_shape_of_task_is_learnt_from(
    fit: Fit, tiny_llama: Path, task: str, rows: Any, settings: dict[str, Any]
) -> None:
    examples = rows(24)
    classifier = fit(tiny_llama, task, train=examples, development=examples[:8], epochs=4, **settings)
    history = classifier.facts.history
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    best = history[classifier.facts.notes["best_epoch"] - 1]
    assert accuracy(classifier.predict(questions_of(examples[:8])), examples[:8]) == pytest.approx(best["accuracy"])


def test_the_history_is_what_the_answers_are_worth(fit: Fit, tiny_qwen: Path) -> None:
    from sklearn.metrics import f1_score, matthews_corrcoef

    classifier = fit(tiny_qwen, epochs=3)
    history, best = classifier.facts.history, classifier.facts.notes["best_epoch"]
    assert [epoch["epoch"] for epoch in history] == [1, 2, 3]
    assert all(epoch["seconds"] > 0 and math.isfinite(epoch["train_loss"]) for epoch in history)
    chosen = [one.label for one in classifier.predict(questions_of(DEVELOPMENT))]
    gold = [example.label for example in DEVELOPMENT]
    assert history[best - 1]["accuracy"] == sum(map(str.__eq__, chosen, gold)) / len(gold)
    assert history[best - 1]["macro_f1"] == pytest.approx(f1_score(gold, chosen, average="macro"))
    assert history[best - 1]["mcc"] == pytest.approx(matthews_corrcoef(gold, chosen))


def test_the_train_loss_is_the_mean_over_all_examples(
    fit: Fit, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 20 examples in batches of 8, the last batch has 4: each example counts the same."""
    seen: list[tuple[int, float]] = []
    call = AnswerLoss.__call__

    def spy(self: AnswerLoss, rows: Any) -> torch.Tensor:
        loss = call(self, rows)
        seen.append((len(rows), float(loss.detach())))
        return loss

    monkeypatch.setattr(AnswerLoss, "__call__", spy)
    classifier = fit(tiny_llama, train=TRAIN[:20], development=[])
    assert sorted(count for count, _ in seen) == [4, 8, 8]
    mean = sum(count * loss for count, loss in seen) / 20
    assert classifier.facts.history == [
        {"epoch": 1.0, "train_loss": pytest.approx(mean), "seconds": classifier.facts.history[0]["seconds"]}
    ]


def test_one_seed_gives_the_same_answers_and_another_gives_others(fit: Fit, tiny_gemma: Path) -> None:
    first, again, other = (fit(tiny_gemma, seed=seed).predict(ASKED) for seed in (7, 7, 8))
    assert first == again
    assert [one.log_likelihoods for one in first] != [one.log_likelihoods for one in other]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_models_own_weights_are_not_touched(
    fit: Fit, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    monkeypatch.setattr(device, "_has_bf16", lambda kind: True)
    monkeypatch.setattr(onednn, "pays", lambda device: False)  # layers that are packed to answer are no parameters
    classifier = fit(tiny_llama, epochs=2, full_precision=precision == "fp32", merge=True)
    assert classifier.facts.precision == precision
    held = {name.replace(".base_layer", ""): weight for name, weight in classifier.model.state_dict().items()}
    for name, weight in load_file(tiny_llama / "model.safetensors").items():
        assert torch.equal(held[name].cpu(), weight.to(held[name].dtype))


def test_half_precision_learns_as_well(fit: Fit, tiny_qwen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_has_bf16", lambda kind: True)
    classifier = fit(tiny_qwen, train=sentiment(128), epochs=8, rank=8, learning_rate=1e-2, full_precision=False)
    assert classifier.facts.precision == "bf16"
    assert max(epoch["accuracy"] for epoch in classifier.facts.history) >= 0.9


def test_the_best_epoch_on_development_answers(
    fit: Fit, tiny_llama: Path, workplace: Callable[[str], Workplace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Development accuracies are dictated: the second of four epochs is best, the fourth only equals it."""
    dictated = iter([0.25, 0.75, 0.5, 0.75])
    held: list[dict[str, torch.Tensor]] = []

    def grade(self: Exam, model: Any) -> dict[str, float]:
        held.append(
            {name: weight.detach().cpu().clone() for name, weight in model.named_parameters() if "lora_" in name}
        )
        return {"accuracy": next(dictated), "macro_f1": 0.0}

    monkeypatch.setattr(Exam, "grade", grade)
    place = workplace("sst2")
    classifier = fit(tiny_llama, epochs=4, place=place)
    assert classifier.facts.notes["best_epoch"] == 2
    assert [epoch["accuracy"] for epoch in classifier.facts.history] == [0.25, 0.75, 0.5, 0.75]
    kept = {name: weight for name, weight in classifier.model.named_parameters() if "lora_" in name}
    for name, weight in kept.items():
        assert torch.equal(weight.cpu(), held[1][name])
    for folder, epoch in (("best_adapter", 1), ("final_adapter", 3)):
        saved = weights(place.folder / "adapter" / folder)
        assert len(saved) == len(kept)
        for name, weight in saved.items():
            ours = name.removeprefix("base_model.model.").replace(".weight", ".default.weight")
            assert torch.equal(weight, held[epoch][ours])


def test_the_best_epoch_is_told_by_the_metric_that_is_asked_for(
    fit: Fit, tiny_llama: Path, workplace: Callable[[str], Workplace], monkeypatch: pytest.MonkeyPatch
) -> None:
    dictated = iter([(0.9, 0.1), (0.5, 0.8), (0.6, 0.2)])

    def grade(self: Exam, model: Any) -> dict[str, float]:
        accuracy, macro_f1 = next(dictated)
        return {"accuracy": accuracy, "macro_f1": macro_f1, "mcc": 0.0}

    monkeypatch.setattr(Exam, "grade", grade)
    classifier = fit(tiny_llama, epochs=3, place=workplace("sst2"), metric_for_best="macro_f1")
    assert classifier.facts.notes["best_epoch"] == 2


def test_the_checkpoint_is_read_once_although_an_earlier_epoch_answers(
    fit: Fit, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[type] = []
    original = PreTrainedModel.from_pretrained.__func__

    def reading(cls: type, *given: Any, **named: Any) -> Any:
        read.append(cls)
        return original(cls, *given, **named)

    dictated = iter([0.75, 0.5])
    monkeypatch.setattr(PreTrainedModel, "from_pretrained", classmethod(reading))
    monkeypatch.setattr(Exam, "grade", lambda self, model: {"accuracy": next(dictated), "macro_f1": 0.0})
    classifier = fit(tiny_llama, epochs=2)
    assert classifier.facts.notes["best_epoch"] == 1
    assert len(classifier.predict(ASKED)) == len(ASKED)
    assert [one.__name__ for one in read] == ["LlamaForCausalLM"]


def test_without_development_the_last_epoch_answers(
    fit: Fit, tiny_llama: Path, workplace: Callable[[str], Workplace]
) -> None:
    place = workplace("sst2")
    classifier = fit(tiny_llama, development=[], epochs=2, place=place)
    assert classifier.facts.notes["best_epoch"] == 2
    best, final = (weights(place.folder / "adapter" / name) for name in ("best_adapter", "final_adapter"))
    assert all(torch.equal(best[name], final[name]) for name in best)


def test_an_adapter_gives_the_answers_of_its_trainings_end(
    fit: Fit, tiny_gemma_chat: Path, workplace: Callable[[str], Workplace], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "_has_bf16", lambda kind: True)
    for full in (True, False):
        place = workplace("sst2")
        trained = fit(tiny_gemma_chat, place=place, epochs=2, full_precision=full)
        folder = place.folder / "adapter" / "best_adapter"
        loaded = fit(tiny_gemma_chat, train=[], development=[], adapter=str(folder), full_precision=full)
        answers = trained.predict(ASKED)
        assert loaded.predict(ASKED) == answers
        assert loaded.facts.history == []
        assert loaded.facts.train_seconds == 0
        assert loaded.facts.notes["adapter"] == str(folder)
        assert loaded.facts.notes["asked_otherwise_than_trained"] == []
        plain = LlmEngine(LLMSettings(checkpoint=str(tiny_gemma_chat), full_precision=full), place)
        assert plain.fit([], development=[], seed=99).predict(ASKED) != answers


def test_what_is_asked_otherwise_than_in_training_is_told(
    fit: Fit, tiny_qwen: Path, workplace: Callable[[str], Workplace]
) -> None:
    place = workplace("sst2")
    fit(tiny_qwen, place=place)
    folder = str(place.folder / "adapter" / "best_adapter")
    other = fit(tiny_qwen, "rte", train=[], development=[], adapter=folder, chat_template="never")
    assert other.facts.notes["asked_otherwise_than_trained"] == ["task", "prompt_sha256", "chat_template"]


def test_a_bare_script_with_peft_alone_loads_the_adapter(
    fit: Fit, tiny_llama: Path, workplace: Callable[[str], Workplace]
) -> None:
    place = workplace("sst2")
    classifier = fit(tiny_llama, place=place)
    folder = place.folder / "adapter" / "best_adapter"
    script = f"""
import json, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
base = AutoModelForCausalLM.from_pretrained({str(tiny_llama)!r}, dtype=torch.float32)
model = PeftModel.from_pretrained(base, {str(folder)!r}).eval()
print(json.dumps(model(torch.tensor([[5, 9, 30, 31]])).logits[0, -1].tolist()))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    expected = classifier.model(torch.tensor([[5, 9, 30, 31]], device=classifier.model.device)).logits[0, -1].cpu()
    torch.testing.assert_close(torch.tensor(json.loads(done.stdout.splitlines()[-1])), expected)
    assert sorted(path.name for path in folder.iterdir()) == [
        *("adapter_config.json", "adapter_model.safetensors", "beatingbert.json")
    ]
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(tiny_llama)


@pytest.mark.parametrize("fixture", ["tiny_llama", "tiny_gemma_chat", "tiny_gpt2"])
def test_a_merged_model_is_asked_like_any_checkpoint_and_answers_the_same(
    request: pytest.FixtureRequest, fit: Fit, workplace: Callable[[str], Workplace], fixture: str
) -> None:
    place, checkpoint = workplace("sst2"), request.getfixturevalue(fixture)
    adapted = fit(checkpoint, place=place, merge=True)
    merged = place.folder / "merged_model"
    plain = LlmEngine(LLMSettings(checkpoint=str(merged), full_precision=True), workplace("sst2"))
    for one, other in zip(plain.fit([], development=[], seed=99).predict(ASKED), adapted.predict(ASKED), strict=True):
        assert one.label == other.label
        assert one.prompt == other.prompt
        assert one.log_likelihoods == pytest.approx(other.log_likelihoods, abs=1e-3)
    assert adapted.facts.notes["merged_model"] == {
        "precision": "fp32",
        "rows_compared": len(DEVELOPMENT),
        "answers_changed": 0,
    }
    assert sorted(load_file(merged / "model.safetensors")) == sorted(load_file(checkpoint / "model.safetensors"))


def test_an_adapter_can_be_merged_later(fit: Fit, tiny_llama: Path, workplace: Callable[[str], Workplace]) -> None:
    first, second = workplace("sst2"), workplace("rte")
    fit(tiny_llama, place=first, merge=True)
    adapter = str(first.folder / "adapter" / "best_adapter")
    fit(tiny_llama, train=[], development=[], place=replace(second, task=first.task), adapter=adapter, merge=True)
    one, other = (load_file(place.folder / "merged_model" / "model.safetensors") for place in (first, second))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_record_tells_what_was_trained(fit: Fit, tiny_llama: Path, workplace: Callable[[str], Workplace]) -> None:
    place = workplace("sst2")
    facts = fit(tiny_llama, place=place, rank=3, alpha=5).facts
    plain = sum(weight.numel() for weight in load_file(tiny_llama / "model.safetensors").values())
    file = place.folder / "adapter" / "best_adapter" / "adapter_model.safetensors"
    # q and o are 32 x 32, k and v 32 x 16 (one key head of two), in each of two layers
    trainable = 2 * 3 * (2 * (32 + 32) + 2 * (32 + 16))
    assert facts.notes["trainable_parameters"] == trainable
    assert facts.parameters == plain + trainable
    assert facts.notes["trainable_share"] == pytest.approx(trainable / plain)
    assert facts.notes["adapter_bytes"] == file.stat().st_size
    assert facts.notes["target_modules"] == ["k_proj", "o_proj", "q_proj", "v_proj"]
    assert (facts.notes["rank"], facts.notes["alpha"]) == (3, 5)
    assert (facts.notes["train_rows"], facts.notes["development_rows"]) == (64, 20)
    assert facts.notes["reads_common_beginning_once"] is True
    assert facts.train_seconds > sum(epoch["seconds"] for epoch in facts.history) > 0


def test_the_settings_reach_the_trainer(fit: Fit, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    original = train_module.TrainingArguments

    def spy(**options: Any) -> Any:
        given.append(original(**options))
        return given[-1]

    monkeypatch.setattr(train_module, "TrainingArguments", spy)
    fit(
        tiny_llama,
        learning_rate=3e-4,
        train_batch_size=5,
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
    assert options.max_grad_norm == 1.0
    assert options.lr_scheduler_type == "linear"
    assert options.train_sampling_strategy == "group_by_length"
    assert not options.bf16


@pytest.mark.parametrize(
    "how", [{"gradient_accumulation_steps": 4, "train_batch_size": 4}, {"gradient_checkpointing": True}]
)
def test_less_memory_takes_the_same_step(
    fit: Fit, tiny_gemma: Path, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    """Gradients at the only step of 16 examples at once, and in the way that needs less memory."""
    gradients: list[torch.Tensor] = []
    monkeypatch.setattr(
        train_module.KeepBest,
        "on_pre_optimizer_step",
        lambda self, args, state, control, model=None, **_: gradients.append(
            torch.cat([weight.grad.flatten().clone() for weight in model.parameters() if weight.grad is not None])
        ),
    )
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_, **__: torch.tensor(0.0))
    settings = {"train": TRAIN[:16], "development": [], "dropout": 0.0, "train_batch_size": 16}
    fit(tiny_gemma, **settings)
    fit(tiny_gemma, **(settings | how))
    assert len(gradients) == 2
    assert float(gradients[0].abs().max()) > 1e-3
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-5)


def test_a_loss_that_is_no_number_stops_the_training_before_the_weights_are_none(
    fit: Fit, tiny_llama: Path, workplace: Callable[[str], Workplace], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = AnswerLoss.__call__
    monkeypatch.setattr(AnswerLoss, "__call__", lambda self, rows: call(self, rows) * float("nan"))
    place = workplace("sst2")
    with pytest.raises(TrainingError, match=r"training loss became nan at step 1: lower --lr"):
        fit(tiny_llama, place=place)
    assert list((place.folder / "adapter").iterdir()) == []


def test_a_device_that_runs_out_of_memory_is_told_with_the_way_out(
    fit: Fit, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: AnswerLoss, rows: Any) -> torch.Tensor:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(AnswerLoss, "__call__", full)
    with pytest.raises(TrainingError, match=r"batch of 8; lower --batch_size .*or use --gradient_checkpointing"):
        fit(tiny_llama)


def test_stopped_while_it_is_written_an_adapter_is_not_there(
    fit: Fit, tiny_llama: Path, workplace: Callable[[str], Workplace], monkeypatch: pytest.MonkeyPatch
) -> None:
    from peft import PeftModel

    save, calls = PeftModel.save_pretrained, []

    def stopped(self: Any, folder: str, **options: Any) -> None:
        calls.append(folder)
        save(self, folder, **options)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(PeftModel, "save_pretrained", stopped)
    dictated = iter([0.5, 0.75, 0.8])
    monkeypatch.setattr(Exam, "grade", lambda self, model: {"accuracy": next(dictated), "macro_f1": 0.0})
    place = workplace("sst2")
    with pytest.raises(KeyboardInterrupt):
        fit(tiny_llama, epochs=3, place=place)
    left = place.folder / "adapter"
    assert [path.name for path in left.iterdir()] == ["best_adapter"]  # the first epoch's, which was written whole
    assert fit(tiny_llama, train=[], development=[], adapter=str(left / "best_adapter")).predict(ASKED[:2])


def test_progress_tells_every_step_and_the_development_part(
    tiny_llama: Path, workplace: Callable[[str], Workplace]
) -> None:
    told: list[tuple[str, int, int]] = []
    place = replace(workplace("sst2"), progress=lambda *step: told.append(step))
    settings = LoraSettings(checkpoint=str(tiny_llama), epochs=2, train_batch_size=16, full_precision=True)
    LoraEngine(settings, place).fit(TRAIN, development=DEVELOPMENT, seed=99)
    assert [step[1:] for step in told if step[0] == "training"] == [(step, 8) for step in range(1, 9)]
    assert [step for step in told if step[0] == "development"][-1] == ("development", 20, 20)
    assert {step[0] for step in told} == {"training", "development"}


def test_train_rows_of_one_label_are_refused(fit: Fit, tiny_llama: Path) -> None:
    with pytest.raises(TooFewExamplesError, match="at least two labels in train, got 32 rows of one"):
        fit(tiny_llama, train=[example for example in TRAIN if example.label == "positive"])


def test_a_family_that_cannot_compute_layers_twice_is_told(
    fit: Fit, tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import LlamaForCausalLM

    monkeypatch.setattr(LlamaForCausalLM, "supports_gradient_checkpointing", False)
    with pytest.raises(SettingsError, match="'llama' model does not support --gradient_checkpointing"):
        fit(tiny_llama, gradient_checkpointing=True)


@pytest.fixture
def adapter(fit: Fit, tiny_llama: Path, workplace: Callable[[str], Workplace]) -> Path:
    place = workplace("sst2")
    fit(tiny_llama, place=place)
    return place.folder / "adapter" / "best_adapter"


def refusal(fit: Fit, checkpoint: Path, adapter: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        fit(checkpoint, train=[], development=[], adapter=str(adapter))
    return str(caught.value)


def test_an_adapter_of_another_model_is_refused_by_its_hash(
    fit: Fit, adapter: Path, tiny_llama: Path, tmp_path: Path
) -> None:
    """The same shapes under the same name, but another weight."""
    other = tmp_path / "elsewhere" / tiny_llama.name
    shutil.copytree(tiny_llama, other)
    held = load_file(other / "model.safetensors")
    held["model.norm.weight"] = held["model.norm.weight"] + 1
    save_file(held, other / "model.safetensors", metadata={"format": "pt"})
    told = refusal(fit, other, adapter)
    assert f"was trained on '{tiny_llama}', whose weights have another hash" in told
    assert f"Use --model {tiny_llama}" in told


def test_the_same_weights_elsewhere_take_the_adapter(fit: Fit, adapter: Path, tiny_llama: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_llama, tmp_path / "renamed")
    moved = fit(tmp_path / "renamed", train=[], development=[], adapter=str(adapter))
    assert moved.predict(ASKED) == fit(tiny_llama, train=[], development=[], adapter=str(adapter)).predict(ASKED)


def test_an_adapter_from_elsewhere_is_checked_by_name(
    fit: Fit, adapter: Path, tiny_llama: Path, tiny_qwen: Path
) -> None:
    (adapter / "beatingbert.json").unlink()
    assert fit(tiny_llama, train=[], development=[], adapter=str(adapter)).predict(ASKED[:2])
    assert f"was trained on '{tiny_llama}'; it means nothing to '{tiny_qwen}'" in refusal(fit, tiny_qwen, adapter)


def test_an_adapter_that_does_not_fit_is_refused_with_the_reason(
    fit: Fit, adapter: Path, tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models of the right name, as an adapter from elsewhere is checked by, with other layers and other shapes."""
    (adapter / "beatingbert.json").unlink()
    other = tiny_models.build_gpt2(tmp_path / "first" / tiny_llama.name)
    told = refusal(fit, other, adapter)
    assert told.startswith(f"adapter {str(adapter)!r} does not fit {str(other)!r}: Target modules")
    monkeypatch.setattr(tiny_models, "HIDDEN", 64)
    told = refusal(fit, tiny_models.build_llama(tmp_path / "second" / tiny_llama.name), adapter)
    assert "size mismatch" in told
    assert "Give the model that it was trained on as --model" in told


def test_an_adapter_for_more_or_fewer_layers_is_refused(fit: Fit, adapter: Path, tiny_llama: Path) -> None:
    (adapter / "beatingbert.json").unlink()
    held = weights(adapter)
    file = adapter / "adapter_model.safetensors"
    save_file({name: weight for name, weight in held.items() if ".layers.1." not in name}, file)
    assert "0 of its weights have no place there and 8 are missing" in refusal(fit, tiny_llama, adapter)
    more = {
        name.replace(".layers.1.", ".layers.2."): weight.clone()
        for name, weight in held.items()
        if ".layers.1." in name
    }
    save_file(held | more, file)
    assert "8 of its weights have no place there and 0 are missing" in refusal(fit, tiny_llama, adapter)


def test_a_folder_that_is_no_adapter_is_refused_with_a_hint(fit: Fit, adapter: Path, tiny_llama: Path) -> None:
    told = refusal(fit, tiny_llama, adapter.parent)
    assert "holds no adapter_config.json" in told
    assert f"did you mean {str(adapter)!r}?" in told
    assert f"did you mean {str(adapter)!r}?" in refusal(fit, tiny_llama, adapter.parents[1])
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    assert "a pickle, which can run code when it is opened, is refused" in refusal(fit, tiny_llama, adapter)


@pytest.mark.parametrize(("name", "text"), [("adapter_config.json", "{}"), ("beatingbert.json", '{"base": {}}')])
def test_a_damaged_file_is_told_by_its_name(fit: Fit, adapter: Path, tiny_llama: Path, name: str, text: str) -> None:
    (adapter / name).write_text(text)
    assert name in refusal(fit, tiny_llama, adapter)
