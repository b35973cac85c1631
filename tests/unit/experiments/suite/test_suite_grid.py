from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from beatingbert import BERTConfig, LinearConfig, LLMConfig, MajorityConfig
from beatingbert.experiments.config import RUNS
from beatingbert.experiments.suite.flags import flags_of, from_plain, to_plain
from beatingbert.experiments.suite.load import Suite

Load = Callable[..., Suite]
Complaints = Callable[[str], list[str]]


def test_a_suites_line_is_the_same_as_the_flags_of_a_run(load: Load, data_dir: Path) -> None:
    suite = load("""
        grid:
          - engine: encoder
            task: sst2
            model: wheel:minilm-l6
            lr: 1e-4
            epochs: 2
            no_fp16: true
            max_samples: 50
    """)
    assert [one.config for one in suite.cells] == [
        BERTConfig(
            task="sst2",
            model_name="wheel:minilm-l6",
            learning_rate=1e-4,
            num_epochs=2,
            no_fp16=True,
            max_samples=50,
            data_dir=data_dir,
        )
    ]


def test_lists_are_multiplied(load: Load) -> None:
    suite = load("grid: [{engine: [majority, linear], task: [sst2, mnli], seed: [1, 2, 3], max_samples: [20, ~]}]")
    found = {(one.cell.engine, one.cell.task, one.cell.seed, one.cell.train_size) for one in suite.cells}
    assert len(suite.cells) == len(found) == 2 * 2 * 3 * 2
    assert {size for _, _, _, size in found} == {20, None}


def test_settings_in_each_vary_together(load: Load) -> None:
    suite = load("""
        grid:
          - engine: encoder
            task: sst2
            each:
              - {model: bert-base-uncased, lr: 2e-5}
              - {model: roberta-base, lr: [1e-5, 3e-5]}
    """)
    assert {(one.config.model, one.cell.settings["learning_rate"]) for one in suite.cells} == {
        ("bert-base-uncased", 2e-5),
        ("roberta-base", 1e-5),
        ("roberta-base", 3e-5),
    }


def test_defaults_hold_where_the_engine_has_the_key_and_the_block_says_nothing_else(load: Load) -> None:
    suite = load("""
        defaults: {task: sst2, seed: 7, lr: 3e-5, max_samples: 40}
        grid:
          - engine: majority
          - engine: encoder
            max_samples: 20
    """)
    majority, encoder = (one.cell for one in suite.cells)
    assert (majority.seed, majority.train_size) == (7, 40)
    assert (encoder.seed, encoder.train_size, encoder.settings["learning_rate"]) == (7, 20, 3e-5)


def test_a_default_that_no_engine_of_the_suite_has_is_unknown(complaints: Complaints) -> None:
    told = complaints("defaults: {lr: 1e-4}\ngrid: [{engine: majority, task: sst2}]")
    assert told == ["line 1: unknown key 'lr'; 'engine: encoder' has it, 'engine: majority' has not"]


def test_exclusions_take_out_what_matches_all_their_keys_defaults_included(load: Load) -> None:
    suite = load("""
        grid:
          - {engine: [majority, linear], task: [sst2, mnli], seed: [99, 5]}
        exclude:
          - {engine: linear, task: mnli}
          - {task: sst2, seed: [5, 6]}
    """)
    assert {(one.cell.engine, one.cell.task, one.cell.seed) for one in suite.cells} == {
        ("majority", "sst2", 99),
        ("majority", "mnli", 99),
        ("majority", "mnli", 5),
        ("linear", "sst2", 99),
    }


def test_an_exclusion_may_take_out_what_could_not_be_done(load: Load) -> None:
    suite = load("""
        grid:
          - {engine: llm, task: [sst2, arc_challenge], mode: [zero-shot, few-shot]}
        exclude:
          - {task: arc_challenge, mode: few-shot}
    """)
    assert len(suite.cells) == 3


def test_an_exclusion_that_matches_nothing_is_a_slip_of_the_pen(complaints: Complaints) -> None:
    text = "grid: [{engine: linear, task: sst2}]\nexclude:\n  - {task: rte}\n  - {tusk: sst2}\n"
    told = complaints(text)
    assert told[0] == "line 3: this exclusion matches no cell; mend it or take it out"
    assert "line 4: unknown key 'tusk'; did you mean 'task'?" in told


def test_a_suite_of_which_nothing_is_left_is_refused(complaints: Complaints) -> None:
    assert complaints("grid: [{engine: linear, task: sst2}]\nexclude: [{engine: linear}]") == [
        "every cell is excluded; nothing would be run"
    ]


@pytest.mark.parametrize(
    ("block", "told"),
    [
        (
            "{engine: encoder, task: sst2, mode: zero-shot}",
            "'mode' of 'engine: encoder' is one of train, eval, predict",
        ),
        ("{engine: encoder, task: sst2, mode: zero-shot}", "'engine: llm' has it"),
        ("{engine: encoder, task: sst2, num_few_shot: 5}", "'engine: llm' has it, 'engine: encoder' has not"),
        ("{engine: lora, task: sst2}", "An adapted LLM is 'engine: llm' with 'mode: lora'"),
        ("{engine: linaer, task: sst2}", "Did you mean 'linear'?"),
        ("{engine: linear, task: sst3}", "unknown task 'sst3'. Did you mean 'sst2'?"),
        ("{engine: linear}", "no 'task'"),
        ("{task: sst2}", "no 'engine'; choose from encoder, llm, linear, majority"),
        ("{engine: linear, task: sst2, seed: one}", "'seed' is a whole number, not 'one'"),
        ("{engine: linear, task: sst2, seed: 1.5}", "'seed' is a whole number, not '1.5'"),
        ("{engine: encoder, task: sst2, lr: nan}", "'lr' is a number, not 'nan'"),
        ("{engine: encoder, task: sst2, fresh_head: 1}", "'fresh_head' is true or false, not '1'"),
        ("{engine: linear, task: sst2, max_samples: 0}", "--max_samples must be at least 1, got 0"),
        ("{engine: encoder, task: sst2, lr: 3}", "learning_rate must lie between 0 and 1, got 3.0"),
        ("{engine: linear, task: [sst2, sst2]}", "'task' has 'sst2' twice; keep one"),
        ("{engine: linear, task: sst2, run_name: mine}", "'run_name' is not for suites"),
        ("{engine: llm, task: sst2, mode: zero-shot, lora_rank: 4}", "--lora_rank would change nothing"),
        (
            "{engine: llm, task: arc_challenge, mode: few-shot}",
            "has no train rows there (files), and few-shot needs some",
        ),
        ("{engine: llm, task: sst2, mode: lora, model: wheel:minilm-l6}", "so lora cannot use it; choose a causal"),
        ("{engine: llm, task: sst2, model: bert-base-uncased}", "is an encoder, which does not continue a text"),
        ("{engine: llm, task: sst2, model: wheel:nothing}", "nothing"),
        ("{engine: linear, task: rte}", "no folder 'rte'"),
        ("{engine: encoder, task: sst2, mode: eval}", "--mode eval needs --model_path"),
        ("{engine: llm, task: sst2, prompt_dir: nowhere}", "is no folder"),
        ("{engine: linear, task: sst2, each: [{task: mnli}]}", "'task' is given in 'each' and in line 2; keep one"),
        ("{engine: linear, each: [{engine: majority, task: sst2}]}", "an engine of its own wants a block of its own"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_line_and_a_way_out(
    complaints: Complaints, block: str, told: str
) -> None:
    lines = complaints(f"grid:\n  - {block}\n")
    assert any(line.startswith("line 2: ") and told in line for line in lines), lines


def test_a_complaint_names_the_line_of_the_value_that_it_is_about(complaints: Complaints) -> None:
    text = """
        grid:
          - engine: llm
            task:
              - sst2
              - arc_challenge
            mode: few-shot
    """
    (told,) = complaints(text)
    assert told.startswith("line 5: task 'arc_challenge' has no train rows")


def test_a_list_from_elsewhere_is_told_with_the_block_that_uses_it(complaints: Complaints) -> None:
    text = """
        grid:
          - {engine: majority, task: &tasks [sst2, mnli]}
          - {engine: llm, mode: few-shot, model: wheel:mpnet-base, task: *tasks}
          - {engine: majority, seed: 1, task: *tasks, max_samples: 0}
    """
    told = complaints(text)
    assert told[0].startswith("line 3: --model wheel:mpnet-base is an encoder")
    assert told[-1].startswith("line 4: --max_samples must be at least 1")


def test_the_same_cell_twice_is_refused_with_both_lines_and_what_differs_in_vain(complaints: Complaints) -> None:
    text = """
        grid:
          - {engine: llm, task: sst2, mode: zero-shot, max_samples: [20, 30]}
          - {engine: linear, task: sst2}
          - {engine: linear, task: [sst2, mnli]}
    """
    first, second = complaints(text)
    assert first.startswith("line 2: the same cell as one above in this block: google/gemma-3-1b-it on sst2.")
    assert "They differ in max_samples, which changes nothing here." in first
    assert second.startswith("line 4: the same cell as one in line 3: linear on sst2. Take one out")


def test_a_grid_beyond_all_measure_is_refused_before_it_is_made(complaints: Complaints) -> None:
    seeds = ", ".join(map(str, range(1000)))
    sizes = ", ".join(map(str, range(1, 1001)))
    (told,) = complaints(f"grid:\n  - {{engine: linear, task: sst2, seed: [{seeds}], max_samples: [{sizes}]}}\n")
    assert "line 2: this block brings the suite to 1,000,000 cells; at most 100,000" in told


def test_places_are_beside_the_suite_file(load: Load, tmp_path: Path) -> None:
    text = (Path(__file__).parents[4] / "src" / "beatingbert" / "prompts" / "texts" / "sst2.txt").read_text("utf-8")
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "sst2.txt").write_text(text.replace("Review", "Said"), encoding="utf-8")
    suite = load("grid: [{engine: llm, task: sst2, prompt_dir: [~, words]}]")
    assert [one.config.prompt_folder for one in suite.cells] == [None, tmp_path / "words"]
    assert len({one.cell.prompt_sha256 for one in suite.cells}) == 2


def test_a_value_given_instead_holds_whatever_the_file_says(load: Load) -> None:
    suite = load("grid: [{engine: linear, task: sst2, max_eval_samples: [10, 20]}]", max_eval_samples=7)
    assert [one.cell.eval_size for one in suite.cells] == [7]


@pytest.mark.parametrize(
    "config",
    [
        MajorityConfig(task="sst2", data_dir=Path("/data"), output_dir=Path("out"), run_name="x"),
        LinearConfig(task="rte", max_ngram=3),
        BERTConfig(task="sst2", learning_rate=1e-5, no_fp16=True, max_samples=3),
        LLMConfig(task="sst2", mode="lora", adapter_path=Path("a/b"), prompt_dir=Path("c")),
    ],
    ids=lambda config: config.engine,
)
def test_a_config_travels_as_plain_json_and_comes_back(config: MajorityConfig) -> None:
    import json

    assert from_plain(json.loads(json.dumps(to_plain(config)))) == config
    assert from_plain(to_plain(replace(config, seed=5))) != config


@pytest.mark.parametrize("engine", RUNS)
def test_every_flag_has_a_kind_that_values_can_be_read_as(engine: str) -> None:
    for flag in flags_of(engine).values():
        assert flag.kind in (str, int, float, bool, Path) or all(isinstance(one, str) for one in get_args(flag.kind))
        assert flag.name in (flag.field, *("model", "lr", "epochs"))
