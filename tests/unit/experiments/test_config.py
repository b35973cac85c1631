import dataclasses
from pathlib import Path
from typing import Any, Literal

import pytest
from watchful import WatchfulEngine

from beatingbert import BERTConfig, GemmaConfig, LinearConfig, LLMConfig, MajorityConfig, RunConfig, run
from beatingbert.engines.catalog import ENGINES, check_settings
from beatingbert.errors import SettingsError, UnknownNameError
from beatingbert.experiments.config.server import SERVED_FLAGS
from beatingbert.experiments.planning import plan_cell

# Where rows lie and results go: no part of the question.
PLACE = {"keep_classifier", "data_dir", "output_dir", "run_name"}
# How a training is kept and watched: no part of it either.
UPKEEP: dict[str, Any] = {"resume": True, "checkpoint_steps": 100, "report_to": "wandb"}
EVERY_RUN: dict[str, Any] = {
    "task": "mnli",
    "max_samples": 50,
    "max_eval_samples": 10,
    "seed": 100,
    "select_on": "validation",
}
BERT: dict[str, Any] = EVERY_RUN | {
    "model_name": "roberta-base",
    "learning_rate": 3e-5,
    "batch_size": 8,
    "num_epochs": 4,
    "max_length": 128,
    "gradient_accumulation_steps": 2,
    "no_fp16": True,
    "warmup_ratio": 0.2,
    "weight_decay": 0.1,
    "max_grad_norm": 0.5,
    "metric_for_best": "mcc",
    "early_stopping_patience": 2,
    "fresh_head": True,
    "retry_collapsed": 3,
    "r_drop": 1.0,
    "weight_average": 0.999,
    "mode": "predict",
    "model_path": "another/best_model",
}
LLM: dict[str, Any] = EVERY_RUN | {
    "mode": "zero-shot",
    "model_name": "wheel:smollm2-135m-instruct",
    "num_few_shot": 3,
    "temperature": 0.7,
    "batch_size": 8,
    "max_new_tokens": 5,
    "max_length": 512,
    "answer_by": "generation",
    "constrained": True,
    "rank_only": True,
    "chat_template": "never",
    "shot_order": "by_label",
    "calibration": "contextual",
    "no_fp16": True,
    "choice_by": "letter",
    "normalise_by": "none",
}
LORA: dict[str, Any] = {
    "lora_rank": 4,
    "lora_alpha": 4,
    "lora_dropout": 0.0,
    "lora_targets": "all-linear",
    "learning_rate": 1e-3,
    "num_epochs": 1,
    "gradient_accumulation_steps": 2,
    "gradient_checkpointing": True,
    "adapter_path": Path("another/best_adapter"),
    "merge": True,
}
DSPY: dict[str, Any] = {
    "optimizer": "miprov2",
    "reasoning": True,
    "dspy_adapter": "chat",
    "max_train_examples": 20,
    "max_val_examples": 10,
    "num_candidates": 3,
    "num_trials": 4,
    "max_optimizer_calls": 500,
    "max_optimizer_tokens": 9_000,
    "max_optimizer_seconds": 60.0,
    "program_path": Path("another/dspy_optimized"),
}
NOT_IN_DSPY: dict[str, Any] = {
    "temperature": 0.5,
    "answer_by": "generation",
    "constrained": True,
    "rank_only": True,
    "calibration": "contextual",
}
MULTIPLE_CHOICE = ("choice_by", "normalise_by")
LINEAR: dict[str, Any] = EVERY_RUN | {"max_ngram": 3, "min_count": 2}


def field_names(config_type: type[RunConfig]) -> set[str]:
    return {field.name for field in dataclasses.fields(config_type)}


@pytest.mark.parametrize(
    ("config_type", "changes", "others"),
    [
        (BERTConfig, BERT, PLACE | UPKEEP.keys()),
        # What a wording says is, and what servers know: see their own tests.
        (LLMConfig, LLM | LORA | DSPY, PLACE | {"prompt_dir", "max_optimizer_cost", *SERVED_FLAGS}),
        (LinearConfig, LINEAR, PLACE),
        (MajorityConfig, EVERY_RUN, PLACE),
    ],
    ids=["encoder", "llm", "linear", "majority"],
)
def test_every_field_is_known_to_these_tests(
    config_type: type[RunConfig], changes: dict[str, Any], others: set[str]
) -> None:
    assert field_names(config_type) == changes.keys() | others


@pytest.mark.parametrize("name", BERT)
def test_every_field_of_an_encoder_run_reaches_the_cell(
    watched: type[WatchfulEngine], data_dir: Path, name: str
) -> None:
    trained: dict[str, Any] = {"mode": "eval", "model_path": "x"} if name in ("mode", "model_path") else {}
    before = BERTConfig(task="sst2", data_dir=data_dir, **trained)
    assert plan_cell(dataclasses.replace(before, **{name: BERT[name]})).id != plan_cell(before).id


@pytest.mark.parametrize("mode", ["zero-shot", "few-shot", "lora"])
def test_the_usual_order_of_demonstrations_is_not_named(
    watched: type[WatchfulEngine], data_dir: Path, mode: Literal["zero-shot", "few-shot", "lora"]
) -> None:
    """Cells of before there was a choice keep their ids."""
    assert "shot_order" not in plan_cell(LLMConfig(task="sst2", data_dir=data_dir, mode=mode)).settings


@pytest.mark.parametrize("name", LLM)
def test_every_field_of_an_llm_run_reaches_the_cell(watched: type[WatchfulEngine], data_dir: Path, name: str) -> None:
    Path("prompts").mkdir()
    before = LLMConfig(task="arc_challenge" if name in MULTIPLE_CHOICE else "sst2", data_dir=data_dir, mode="few-shot")
    assert plan_cell(dataclasses.replace(before, **{name: LLM[name]})).id != plan_cell(before).id


@pytest.mark.parametrize("name", [*LORA, "batch_size", "max_length", "chat_template", "no_fp16", "seed"])
def test_every_field_of_an_adaptation_reaches_the_cell(
    watched: type[WatchfulEngine], data_dir: Path, name: str
) -> None:
    before = LLMConfig(task="sst2", data_dir=data_dir, mode="lora")
    value = 4 if name == "batch_size" else (LLM | LORA)[name]  # 8 is the default
    assert plan_cell(dataclasses.replace(before, **{name: value})).id != plan_cell(before).id


def test_a_default_that_is_written_out_is_the_same_cell(watched: type[WatchfulEngine], data_dir: Path) -> None:
    before = LLMConfig(task="sst2", data_dir=data_dir, mode="lora")
    written: dict[str, Any] = {"lora_rank": 16, "lora_alpha": 32, "learning_rate": 2e-4, "batch_size": 8}
    assert plan_cell(dataclasses.replace(before, **written)) == plan_cell(before)


@pytest.mark.parametrize("name", LORA)
def test_what_only_lora_mode_knows_is_refused_elsewhere(name: str) -> None:
    flag = {"learning_rate": "lr", "num_epochs": "epochs"}.get(name, name)
    told = refused(LLMConfig, mode="few-shot", **{name: LORA[name]})
    assert told.startswith(f"--{flag} would change nothing in --mode few-shot; leave it out, or use --mode lora")
    assert LLMConfig(task="sst2", mode="lora", **{name: LORA[name]}).engine == "lora"


@pytest.mark.parametrize("name", [*(name for name in LORA if name not in ("adapter_path", "merge")), "batch_size"])
def test_settings_of_a_training_are_refused_where_an_adapter_is_given(name: str) -> None:
    settings = {"mode": "lora", "adapter_path": Path("adapter"), name: (LLM | LORA)[name]}
    assert "with --adapter_path nothing is trained" in refused(LLMConfig, **settings)


@pytest.mark.parametrize("name", DSPY)
def test_every_field_of_an_optimisation_reaches_the_cell(
    watched: type[WatchfulEngine], data_dir: Path, name: str
) -> None:
    before = LLMConfig(task="sst2", data_dir=data_dir, mode="dspy")
    assert plan_cell(dataclasses.replace(before, **{name: DSPY[name]})).id != plan_cell(before).id


def test_the_defaults_of_an_optimisation_written_out_are_the_same_cell(
    watched: type[WatchfulEngine], data_dir: Path
) -> None:
    before = LLMConfig(task="sst2", data_dir=data_dir, mode="dspy")
    written: dict[str, Any] = {"optimizer": "bootstrap", "max_train_examples": 300, "max_val_examples": 100}
    assert plan_cell(dataclasses.replace(before, **written)) == plan_cell(before)


@pytest.mark.parametrize("name", [*DSPY, "max_optimizer_cost"])
def test_what_only_dspy_mode_knows_is_refused_elsewhere(name: str) -> None:
    told = refused(LLMConfig, mode="few-shot", **{name: (DSPY | {"max_optimizer_cost": 1.0})[name]})
    assert told.startswith(f"--{name} would change nothing in --mode few-shot; leave it out, or use --mode dspy")


@pytest.mark.parametrize("name", NOT_IN_DSPY)
def test_what_a_compiled_program_leaves_no_room_for_is_refused(name: str) -> None:
    assert refused(LLMConfig, mode="dspy", **{name: NOT_IN_DSPY[name]}).startswith(f"--{name} does not go with")


@pytest.mark.parametrize("name", [name for name in DSPY if name not in ("reasoning", "dspy_adapter", "program_path")])
def test_settings_of_a_search_are_refused_where_a_program_is_given(name: str) -> None:
    told = refused(LLMConfig, mode="dspy", program_path=Path("program"), **{name: DSPY[name]})
    assert "with --program_path nothing is optimised" in told


def test_a_prompt_is_never_optimised_on_the_rows_that_are_reported() -> None:
    assert "on the rows that are reported" in refused(LLMConfig, mode="dspy", select_on="validation")


def test_a_limit_on_the_money_of_an_optimisation_needs_prices() -> None:
    told = refused(LLMConfig, mode="dspy", model_name="ollama/tiny", max_optimizer_cost=1.0)
    assert "needs --price_in and --price_out" in told
    priced = LLMConfig(
        task="sst2", mode="dspy", model_name="ollama/tiny", max_optimizer_cost=1.0, price_in=1.0, price_out=2.0
    )
    assert priced.engine_settings()["max_cost"] == 1.0


def test_a_program_needs_train_rows_only_to_be_compiled() -> None:
    assert LLMConfig(task="sst2", mode="dspy").needs_train
    assert not LLMConfig(task="sst2", mode="dspy", program_path=Path("program")).needs_train


@pytest.mark.parametrize("model_name", ["wheel:smollm2-135m-instruct", "ollama/tiny", "openai/tiny"])
def test_the_same_engine_compiles_for_models_here_and_behind_servers(model_name: str) -> None:
    config = LLMConfig(task="sst2", mode="dspy", model_name=model_name, num_few_shot=4)
    assert (config.engine, config.run_kind) == ("optimized", "dspy_k4")
    assert (config.engine_settings()["base_url"] is None) == model_name.startswith("wheel:")


def test_an_adapter_needs_train_rows_only_to_be_trained() -> None:
    assert LLMConfig(task="sst2", mode="lora").needs_train
    assert not LLMConfig(task="sst2", mode="lora", adapter_path=Path("adapter")).needs_train


@pytest.mark.parametrize("name", LINEAR)
def test_every_field_of_a_linear_run_reaches_the_cell(data_dir: Path, name: str) -> None:
    before = LinearConfig(task="sst2", data_dir=data_dir)
    assert plan_cell(dataclasses.replace(before, **{name: LINEAR[name]})).id != plan_cell(before).id


@pytest.mark.parametrize("name", ["output_dir", "run_name"])
def test_where_the_results_go_changes_no_cell(data_dir: Path, name: str) -> None:
    before = MajorityConfig(task="sst2", data_dir=data_dir)
    assert plan_cell(dataclasses.replace(before, **{name: "elsewhere"})) == plan_cell(before)


@pytest.mark.parametrize("name", UPKEEP)
def test_how_a_training_is_kept_changes_no_cell_but_reaches_the_engine(
    watched: type[WatchfulEngine], data_dir: Path, name: str
) -> None:
    before = BERTConfig(task="sst2", data_dir=data_dir)
    after = dataclasses.replace(before, **{name: UPKEEP[name]})
    assert plan_cell(after) == plan_cell(before)
    assert getattr(after.upkeep, name) == UPKEEP[name] != getattr(before.upkeep, name)


def test_only_a_training_is_gone_on_with() -> None:
    with pytest.raises(SettingsError, match="--resume goes on with a training, so it does not go with --mode eval"):
        BERTConfig(task="sst2", mode="eval", model_path="x", resume=True)


@pytest.mark.parametrize("steps", [0, -5])
def test_checkpoints_come_after_one_step_at_least(steps: int) -> None:
    with pytest.raises(SettingsError, match=f"--checkpoint_steps must be at least 1, got {steps}"):
        BERTConfig(task="sst2", checkpoint_steps=steps)


def test_the_same_rows_in_another_folder_are_the_same_cell(data_dir: Path) -> None:
    moved = data_dir.rename(data_dir.with_name("moved"))
    first = plan_cell(MajorityConfig(task="sst2", data_dir=moved))
    moved.rename(data_dir)
    assert plan_cell(MajorityConfig(task="sst2", data_dir=data_dir)) == first


def test_another_wording_is_another_cell(watched: type[WatchfulEngine], data_dir: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    config = LLMConfig(task="sst2", data_dir=data_dir, prompt_dir=own)
    shipped = plan_cell(config)
    text = "[instruction]\nHow is it?\n[question]\n{sentence}\nIt is\n[labels]\nnegative: bad\npositive: good\n"
    (own / "sst2.txt").write_text(text, encoding="utf-8")
    assert plan_cell(config).prompt_sha256 != shipped.prompt_sha256


@pytest.mark.parametrize(
    "config",
    [
        BERTConfig(task="sst2"),
        BERTConfig(task="sst2", mode="eval", model_path="some/best_model"),
        LLMConfig(task="sst2"),
        LLMConfig(task="sst2", mode="few-shot", temperature=0.5),
        LLMConfig(task="sst2", mode="lora", lora_rank=4),
        LLMConfig(task="sst2", mode="dspy", optimizer="gepa"),
        LLMConfig(task="sst2", constrained=True),
        LLMConfig(task="sst2", model_name="ollama/qwen2:0.5b"),
        LinearConfig(task="sst2"),
        MajorityConfig(task="sst2"),
    ],
    ids=lambda config: f"{config.engine}-{getattr(config, 'mode', '')}",
)
def test_the_engine_takes_the_settings_and_adds_none_in_secret(config: RunConfig) -> None:
    settings = config.engine_settings()
    taken = check_settings(config.engine, settings)
    known = {field.name for field in dataclasses.fields(taken)}
    assert {name: getattr(taken, name) for name in settings} == settings
    # Two of the encoder's have no flag, as in the study, four of the linear one's and one of LoRA's are for `decide`,
    # and three are named only where they are unusual; a new one must be thought about.
    usual = {"warmup_share", "weight_decay", "choose_by", "of", "metric_for_best"}
    usual |= {"shot_order", "r_drop", "weight_average", "strength", "balanced"}
    assert known - settings.keys() <= usual


def test_the_defaults_of_the_flags_are_those_of_the_engine() -> None:
    lora = LLMConfig(task="sst2", mode="lora")
    dspy = LLMConfig(task="sst2", mode="dspy")
    for config in (BERTConfig(task="sst2"), LLMConfig(task="sst2"), lora, dspy, LinearConfig(task="sst2")):
        settings = config.engine_settings()
        checkpoint = {"checkpoint": settings["checkpoint"]} if "checkpoint" in settings else {}
        assert check_settings(config.engine, settings) == check_settings(config.engine, checkpoint)


def test_the_seed_is_99_unless_asked_otherwise() -> None:
    for config_type in (BERTConfig, LLMConfig, LinearConfig, MajorityConfig):
        assert config_type(task="sst2").seed == 99


def test_every_config_asks_an_engine_of_the_catalog() -> None:
    configs = [kind(task="sst2") for kind in (BERTConfig, LLMConfig, LinearConfig, MajorityConfig)]
    configs += [LLMConfig(task="sst2", mode=mode) for mode in ("lora", "dspy")]
    configs += [LLMConfig(task="sst2", model_name="ollama/qwen2:0.5b")]
    assert {config.engine for config in configs} == ENGINES.keys() - {"embedding"}  # which `decide` alone asks


def test_the_old_name_of_the_llm_config_still_works() -> None:
    assert GemmaConfig is LLMConfig


def refused(config_type: type[RunConfig], **settings: Any) -> str:
    """The message with which a config is refused, on construction or when its engine's settings are."""
    with pytest.raises(SettingsError) as caught:
        config = config_type(**{"task": "sst2", **settings})
        check_settings(config.engine, config.engine_settings())
    return str(caught.value)


@pytest.mark.parametrize(
    ("config_type", "settings", "told"),
    [
        (BERTConfig, {"model_path": "x"}, "--model_path"),
        (BERTConfig, {"mode": "eval"}, "--model_path"),
        (BERTConfig, {"mode": "predict"}, "--model_path"),
        (BERTConfig, {"batch_size": 0}, "batch_size"),
        (BERTConfig, {"learning_rate": 0.0}, "learning_rate"),
        (BERTConfig, {"num_epochs": 0}, "epochs"),
        (LLMConfig, {"mode": "few-shot", "num_few_shot": 0}, "--num_few_shot"),
        (LLMConfig, {"temperature": 0.5, "answer_by": "likelihood"}, "temperature"),
        (LLMConfig, {"temperature": -0.5}, "temperature"),
        (LLMConfig, {"constrained": True, "answer_by": "likelihood"}, "constrained"),
        (LLMConfig, {"batch_size": 0}, "batch_size"),
        (LLMConfig, {"calibration": "batch", "temperature": 0.5}, "--answer_by likelihood"),
        (LLMConfig, {"calibration": "contextual", "answer_by": "generation"}, "--answer_by likelihood"),
        (LLMConfig, {"calibration": "batch", "task": "arc_challenge"}, "positions of each question's own choices"),
        (LLMConfig, {"calibration": "contextual", "task": "hellaswag"}, "leave --calibration out"),
        (LLMConfig, {"calibration": "batch", "select_on": "validation"}, "on the rows that are reported"),
        (LLMConfig, {"max_retries": 0}, "--max_retries would change nothing"),
        (LLMConfig, {"max_optimizer_calls": 0}, "--max_optimizer_calls would change nothing"),
        (LLMConfig, {"shot_order": "by_label"}, "leave it out, or use --mode few-shot"),
        (LLMConfig, {"shot_order": "by_label", "mode": "lora"}, "leave it out, or use --mode few-shot"),
        (LLMConfig, {"shot_order": "by_label", "mode": "few-shot", "task": "arc_challenge"}, "on a task with labels"),
        (LLMConfig, {"mode": "lora", "lora_rank": 0}, "rank must be at least 1, got 0"),
        (LLMConfig, {"mode": "lora", "lora_dropout": 1.0}, "dropout must lie in [0, 1), got 1.0"),
        (LLMConfig, {"mode": "lora", "calibration": "contextual"}, "leave it out"),
        (LinearConfig, {"max_ngram": 0}, "max_ngram"),
        (MajorityConfig, {"max_samples": 0}, "--max_samples"),
        (MajorityConfig, {"max_eval_samples": -1}, "--max_eval_samples"),
    ],
)
def test_what_contradicts_itself_is_refused_by_name(
    config_type: type[RunConfig], settings: dict[str, Any], told: str
) -> None:
    assert told in refused(config_type, **settings)


def test_a_refused_setting_is_refused_before_any_engine_is_imported(
    watched: type[WatchfulEngine], data_dir: Path
) -> None:
    with pytest.raises(SettingsError):
        run(LLMConfig(task="sst2", data_dir=data_dir, temperature=0.5, answer_by="likelihood"))
    assert watched.seen == {}
    assert list(Path("results").glob("*")) == []


@pytest.mark.parametrize("setting", [{"temperature": 0.5}, {"constrained": True}])
def test_what_only_makes_sense_for_replies_means_that_they_are_written(setting: dict[str, Any]) -> None:
    assert LLMConfig(task="sst2", **setting).engine_settings()["answer_by"] == "generation"
    assert LLMConfig(task="sst2").engine_settings()["answer_by"] == "likelihood"


def test_an_unknown_task_is_refused_with_the_closest_name() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'sst2'"):
        MajorityConfig(task="sst3")


@pytest.mark.parametrize(("name", "value"), [("choice_by", "letter"), ("normalise_by", "none")])
def test_settings_of_multiple_choice_are_refused_where_labels_are_named(name: str, value: str) -> None:
    given: dict[str, Any] = {name: value}
    with pytest.raises(SettingsError, match=f"{name} '{value}' is for multiple choice, .*'sst2'.*negative, positive"):
        LLMConfig(task="sst2", **given)
    assert LLMConfig(task="winogrande", **given).engine_settings()[name] == value
