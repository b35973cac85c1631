"""The table of tasks is complete and consistent."""

from __future__ import annotations

import subprocess
import sys

import pytest

from beatingbert.errors import DataError, SettingsError, UnknownNameError
from beatingbert.tasks.catalog import TASKS, find_task
from beatingbert.tasks.example import Question
from beatingbert.tasks.spec import Blank, Hub, Shape, Task

NAMES = (
    "sst2 rte boolq anli_r1 anli_r2 anli_r3 mnli mnli_matched mnli_mismatched qqp mrpc hellaswag winogrande "
    "arc_challenge rotten_tomatoes"
).split()


def test_every_promised_task_is_in_the_table_under_its_name() -> None:
    assert list(TASKS) == NAMES
    assert all(task.name == name for name, task in TASKS.items())


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_a_task_can_be_read_from_the_hub_with_every_split_it_names(task: Task) -> None:
    assert {task.train, *task.evaluation, task.test} - {None} <= set(task.hub.splits)
    assert task.licence
    assert task.citation


def test_an_unknown_task_is_answered_with_a_guess_and_the_list() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown task 'sst'.*'sst2'.*Known: anli_r1.*beatingbert show tasks"):
        find_task("sst")
    assert find_task("rte").labels == ("entailment", "not_entailment")


def test_labels_of_a_multiple_choice_question_are_its_positions() -> None:
    assert TASKS["arc_challenge"].labels_of(Question("0", {"question": "?"}, ("a", "b", "c"))) == ("0", "1", "2")


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"labels": ()}, "labels are declared exactly when"),
        ({"labels": ("a", "a")}, "two or more different names"),
        ({"choice_columns": ("c",)}, "choice_columns are declared exactly when"),
        ({"shape": Shape.PAIR}, "a pair has two text fields"),
        ({"long_field": "other"}, "long_field 'other' is none of"),
        ({"evaluation": ()}, "at least one evaluation split"),
        ({"blank": Blank(field="text", mark="_")}, "a blank is for multiple choice and lies in 'text'"),
        (
            {"shape": Shape.CHOICE, "labels": (), "choice_columns": ("c",), "blank": Blank(field="other", mark="_")},
            "a blank is for multiple choice and lies in 'text'",
        ),
    ],
)
def test_a_contradictory_declaration_is_refused(changes: dict[str, object], rule: str) -> None:
    declared: dict[str, object] = {
        "name": "mine",
        "title": "Mine",
        "shape": Shape.SINGLE,
        "text_fields": ("text",),
        "long_field": "text",
        "labels": ("no", "yes"),
        "folder": "mine",
        "prompt": "mine",
        "hub": Hub(dataset="me/mine", config=None, splits={}),
        "licence": "mine",
        "citation": "me",
    }
    with pytest.raises(SettingsError, match=rule):
        Task(**(declared | changes))  # type: ignore[arg-type]


def test_importing_the_tasks_loads_no_heavy_library() -> None:
    code = (
        "import sys, beatingbert.tasks.splits, beatingbert.tasks.catalog\n"
        "heavy = {'numpy', 'pandas', 'pyarrow', 'datasets', 'sklearn', 'torch', 'transformers'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


def test_a_blank_parts_a_text_at_its_first_mark() -> None:
    assert Blank(field="text", mark="_").split(" So _ ran, _ did. ") == (" So ", " ran, _ did. ")


@pytest.mark.parametrize("text", ["no gap", "it ends with _", "it ends with _ ", ""])
def test_a_text_without_blank_or_without_anything_after_it_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="expected a blank \\('_'\\) with text after it in 'text', found"):
        Blank(field="text", mark="_").split(text)
