from __future__ import annotations

from pathlib import Path

import pytest

from beatingbert.runs.submission import FORMS, write_submission
from beatingbert.tasks.catalog import TASKS, find_task
from beatingbert.tasks.prediction import Prediction


def answers(task: str) -> list[Prediction]:
    labels = find_task(task).labels
    return [Prediction(question_id=f"q{at + 500}", label=labels[at % len(labels)]) for at in range(4)]


@pytest.mark.parametrize(
    ("task", "file", "written"),
    [
        ("sst2", "SST-2.tsv", ["0", "1", "0", "1"]),
        ("mrpc", "MRPC.tsv", ["0", "1", "0", "1"]),
        ("qqp", "QQP.tsv", ["0", "1", "0", "1"]),
        ("rte", "RTE.tsv", ["entailment", "not_entailment", "entailment", "not_entailment"]),
        ("mnli", "MNLI-m.tsv", ["entailment", "neutral", "contradiction", "entailment"]),
        ("mnli_matched", "MNLI-m.tsv", ["entailment", "neutral", "contradiction", "entailment"]),
        ("mnli_mismatched", "MNLI-mm.tsv", ["entailment", "neutral", "contradiction", "entailment"]),
    ],
)
def test_the_file_is_as_the_benchmarks_server_wants_it(
    tmp_path: Path, task: str, file: str, written: list[str]
) -> None:
    path = write_submission(tmp_path, find_task(task), answers(task))
    assert path == tmp_path / file
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines == ["index\tprediction", *(f"{at}\t{label}" for at, label in enumerate(written))]


def test_every_task_of_glue_has_a_form_and_no_other() -> None:
    assert set(FORMS) == {name for name, task in TASKS.items() if task.hub and task.hub.dataset == "nyu-mll/glue"}


def test_other_tasks_and_missing_answers_give_no_file(tmp_path: Path) -> None:
    assert write_submission(tmp_path, find_task("boolq"), answers("boolq")) is None
    silent = [Prediction(question_id="q", label=None)]
    assert write_submission(tmp_path, find_task("sst2"), silent) is None
    assert list(tmp_path.iterdir()) == []
