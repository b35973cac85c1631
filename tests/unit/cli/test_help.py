"""Help pages are kept as files, so that every change of a flag or a word of help is seen in a diff.

After a wanted change: UPDATE_GOLDEN=1 python -m pytest tests/unit/cli/test_help.py, then read the diff.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from beatingbert import BERTConfig, LLMConfig, RunConfig
from beatingbert.cli.main import main, parse, report_script, script
from beatingbert.experiments.config.adapter import ADAPTER_FLAGS, TRAINING_FLAGS
from beatingbert.experiments.config.program import DSPY_FIELDS
from beatingbert.experiments.config.server import SERVED_FLAGS

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "help"
SCRIPTS = Path(__file__).resolve().parents[3] / "experiments"
UPDATE = "UPDATE_GOLDEN"

PAGES: dict[str, Callable[[], int]] = {
    "beatingbert": lambda: main(["--help"]),
    "run": lambda: main(["run", "--help"]),
    **{
        f"run_{name}": lambda name=name: main(["run", name, "--help"]) for name in "encoder llm linear majority".split()
    },
    **{
        name: lambda name=name: main([name, "--help"])
        for name in ("inspect", "show", "diff", "report", "demo", "suite", "decide", "predict", "export", "serve")
    },
    **{
        f"suite_{name}": lambda name=name: main(["suite", name, "--help"])
        for name in "plan run status publish report".split()
    },
    "run_bert.py": lambda: script(BERTConfig, "run_bert.py", ["--help"]),
    "run_llm.py": lambda: script(LLMConfig, "run_llm.py", ["--help"]),
    "analyze_results.py": lambda: report_script("analyze_results.py", ["--help"]),
}

EVERY_RUN = "task max_samples max_eval_samples output_dir run_name data_dir seed select_on keep_classifier".split()
RUN_BERT = [
    *"model lr batch_size epochs max_length gradient_accumulation_steps mode model_path no_fp16".split(),
    *"warmup_ratio weight_decay max_grad_norm metric_for_best early_stopping_patience fresh_head".split(),
    *"retry_collapsed r_drop weight_average resume checkpoint_steps report_to".split(),
    *EVERY_RUN,
]
RUN_LLM = [
    *"mode model num_few_shot temperature batch_size max_new_tokens max_length lora_rank lr epochs".split(),
    *"lora_alpha lora_dropout lora_targets gradient_accumulation_steps gradient_checkpointing merge".split(),
    *"adapter_path max_train_examples max_val_examples no_fp16 answer_by constrained prompt_dir chat_template".split(),
    *"calibration rank_only choice_by normalise_by shot_order".split(),
    *"base_url concurrency timeout max_retries max_requests max_cost price_in price_out".split(),
    *"ask_again pull api_key_env".split(),
    *"optimizer reasoning dspy_adapter num_candidates num_trials program_path".split(),
    *"max_optimizer_calls max_optimizer_tokens max_optimizer_seconds max_optimizer_cost".split(),
    *EVERY_RUN,
]
VALUES = {
    "task": "rte",
    "lr": "0.001",
    "warmup_ratio": "0.3",
    "weight_decay": "0.2",
    "max_grad_norm": "0.7",
    "r_drop": "2.0",
    "weight_average": "0.99",
    "metric_for_best": "mcc",
    "report_to": "wandb",
    "temperature": "0.5",
    "select_on": "validation",
    "answer_by": "generation",
    "chat_template": "never",
    "choice_by": "letter",
    "normalise_by": "none",
    "shot_order": "by_label",
    "calibration": "contextual",
    "lora_dropout": "0.25",
    "lora_targets": "all-linear",
    "optimizer": "miprov2",
    "dspy_adapter": "chat",
    "max_optimizer_seconds": "12.5",
    "max_optimizer_cost": "0.75",
    "base_url": "http://127.0.0.1:8000/v1",
    "timeout": "17.5",
    "max_cost": "1.5",
    "price_in": "0.5",
    "price_out": "2.5",
    "api_key_env": "MY_KEY",
}
MODES = {"run_bert.py": "predict", "run_llm.py": "few-shot"}
# Flags without a value.
SWITCHES = ("no_fp16", "constrained", "rank_only", "fresh_head", "resume", "gradient_checkpointing", "merge")
SWITCHES += ("ask_again", "pull", "reasoning", "keep_classifier")
PRICES = {"price_in": "1", "price_out": "1"}
LORA = {*TRAINING_FLAGS.values(), *ADAPTER_FLAGS.values()}  # flags of run_llm.py that only lora mode knows


def page(ask: Callable[[], int], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stopped:
        ask()
    assert stopped.value.code == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return "".join(f"{line.rstrip()}\n" for line in printed.out.splitlines())


@pytest.mark.parametrize("name", PAGES)
def test_the_help_page_is_the_one_that_is_kept(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown, path = page(PAGES[name], capsys), GOLDEN / f"{name}.txt"
    if os.environ.get(UPDATE):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8"), f"if this change is wanted, run again with {UPDATE}=1"


def test_no_help_page_is_kept_that_nothing_shows() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(PAGES)


@pytest.mark.parametrize(("name", "flags"), [("run_bert.py", RUN_BERT), ("run_llm.py", RUN_LLM)])
def test_the_flags_of_the_studys_scripts_are_exactly_these(
    name: str, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = re.findall(r"^  (?:-h, )?--(\w+)", page(PAGES[name], capsys), flags=re.MULTILINE)
    assert sorted(shown) == sorted([*flags, "help"])


@pytest.mark.parametrize(
    ("config_type", "name", "flag"),
    [
        *((BERTConfig, "run_bert.py", flag) for flag in RUN_BERT),
        *((LLMConfig, "run_llm.py", flag) for flag in RUN_LLM),
    ],
)
def test_a_flag_is_the_same_with_hyphens_and_underscores(
    config_type: type[RunConfig], name: str, flag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "x")
    value = MODES[name] if flag == "mode" else VALUES.get(flag, "17")
    given = [] if flag in SWITCHES else [value]
    others = ["--task", "arc_challenge" if flag in ("choice_by", "normalise_by") else "sst2"] if flag != "task" else []
    if config_type is LLMConfig and f"--{flag}" in LORA:
        others += ["--mode", "lora"]
    if flag == "shot_order":
        others += ["--mode", "few-shot"]
    if flag in DSPY_FIELDS:
        others += ["--mode", "dspy"]
    if flag in (*SERVED_FLAGS, "max_optimizer_cost"):
        others += ["--model", "ollama/tiny"]
    if flag in ("max_cost", "max_optimizer_cost", *PRICES):  # they need each other
        others += [word for one, price in PRICES.items() if one != flag for word in (f"--{one}", price)]
    if config_type is BERTConfig and flag in ("mode", "model_path"):
        others += ["--model-path", "x"] if flag == "mode" else ["--mode", "eval"]

    def field_values(written: str) -> dict[str, object]:
        config = parse(config_type, [f"--{written}", *given, *others], prog=name, about=None)
        return dataclasses.asdict(config)

    taken = field_values(flag)
    assert taken == field_values(flag.replace("_", "-"))
    # The value has arrived somewhere: no flag is read and dropped.
    assert value in map(str, taken.values()) or (flag in SWITCHES and taken[flag] is True)


def test_the_frozen_flags_are_the_fields_of_the_configs() -> None:
    short = {"model": "model_name", "lr": "learning_rate", "epochs": "num_epochs"}
    for config_type, flags in ((BERTConfig, RUN_BERT), (LLMConfig, RUN_LLM)):
        assert {short.get(flag, flag) for flag in flags} == {field.name for field in dataclasses.fields(config_type)}


@pytest.mark.parametrize(("name", "config_type"), [("run_bert.py", BERTConfig), ("run_llm.py", LLMConfig)])
def test_the_scripts_are_doors_onto_these_configs(
    name: str, config_type: type[RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[type[RunConfig], str]] = []

    def remember(kind: type[RunConfig], *, prog: str) -> int:
        asked.append((kind, prog))
        return 0

    monkeypatch.setattr("beatingbert.cli.main.script", remember)
    source = (SCRIPTS / name).read_text(encoding="utf-8")
    with pytest.raises(SystemExit) as stopped:
        exec(compile(source, name, "exec"), {"__name__": "__main__"})
    assert stopped.value.code == 0
    assert asked == [(config_type, name)]


def test_the_script_that_writes_the_report_is_a_door_onto_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def remember(*, prog: str) -> int:
        asked.append(prog)
        return 0

    monkeypatch.setattr("beatingbert.cli.main.report_script", remember)
    source = (SCRIPTS / "analyze_results.py").read_text(encoding="utf-8")
    with pytest.raises(SystemExit) as stopped:
        exec(compile(source, "analyze_results.py", "exec"), {"__name__": "__main__"})
    assert stopped.value.code == 0
    assert asked == ["analyze_results.py"]


@pytest.mark.parametrize("name", PAGES)
def test_a_help_page_fits_the_terminal(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert max(map(len, page(PAGES[name], capsys).splitlines())) <= 100
