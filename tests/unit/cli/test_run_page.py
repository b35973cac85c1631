import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import Table, parquet

from beatingbert.cli.main import main
from beatingbert.cli.run_page import surest_mistakes
from beatingbert.report.answers import read_answers
from beatingbert.runs.evidence import write_questions
from beatingbert.tasks.example import Question


@pytest.fixture
def runs(made_runs: Path) -> Path:
    return Path(shutil.copytree(made_runs, "results"))


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out


def keep_questions(folder: Path, text: str) -> None:
    """Texts of the questions as a run keeps them."""
    ids = read_answers(folder, "validation").ids
    questions = [Question(one, {"sentence": text}) for one in ids]
    write_questions(folder / "questions.parquet", {"validation": questions}, {})


def test_a_run_is_shown_whole(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, "show", "run", "first")
    assert out.startswith("majority (trained on 36) on sst2\n")
    assert "validation: 12 rows, 0 without label, 0 cut" in out
    for told in ("settings", "engine ", "data", "train_rows", "efficiency", "latency p50 / p95", "peak memory"):
        assert told in out
    for told in ("accuracy", "75.0", "macro-F1", "MCC", "gold / answered", "no label"):
        assert told in out
    assert "3 of 3 mistakes, the surest first" in out
    assert out.count("positive  negative 0.") == 3


def test_a_run_is_named_by_its_folder_or_below_another_results_folder(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_name = shown(capsys, "show", "run", "second")
    assert shown(capsys, "show", "run", str(runs / "second")) == by_name
    runs.rename("other")
    assert shown(capsys, "show", "run", "second", "--results-dir", "other").startswith("linear (trained on 36) on sst2")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["show", "run"], "'show run' needs a run"),
        (["show", "run", "frist"], "Did you mean 'first'?"),
        (["diff", "first", "nobody"], "unknown run 'nobody'"),
        (["diff", "first", "few"], "12 and 8 rows of 'validation', 8 ids in common"),
        (["diff", "first", "second", "--rows", "-1"], "--rows must be 0 or more"),
        (["diff", "first", "second", "--margin", "2"], "margin must be a fraction"),
    ],
)
def test_what_cannot_be_shown_is_misuse(
    runs: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert told in " ".join(capsys.readouterr().err.split())


def test_two_runs_are_held_against_each_other(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = " ".join(shown(capsys, "diff", "first", "second").split())
    assert "A: majority (trained on 36), results/first" in out
    assert "B: linear (trained on 36), results/second" in out
    assert "sst2, validation: 12 rows" in out
    assert "accuracy of A: 75.0 [" in out
    assert "both right" in out and "both wrong" in out
    assert "only B has: max_ngram 2, min_count 1" in out
    assert "engine majority linear" in out


def flip(folder: Path) -> None:
    """Turn every answer of the run into the other label, and the record with them."""
    table = parquet.read_table(folder / "predictions.parquet")
    rows = table.to_pylist()
    for row in rows:
        row["label"] = "positive" if row["label"] == "negative" else "negative"
    parquet.write_table(Table.from_pylist(rows, schema=table.schema), folder / "predictions.parquet")


def test_the_rows_on_which_two_runs_part_are_shown_as_many_as_asked_for(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flip(runs / "second")
    keep_questions(runs / "first", "two\nlines [red]of text[/red]")
    out = shown(capsys, "diff", "first", "second", "--rows", "2")
    assert "2 of the 9 rows that only A got right" in out
    assert "2 of the 3 rows that only B got right" in out
    assert out.count("two lines [red]of text[/red]") == 4
    assert "rows that only" not in shown(capsys, "diff", "first", "second", "--rows", "0")


@pytest.mark.parametrize("text", ["[bold]x[/bold]", "[/]", "tail\\", "[link=http://x]y"])
def test_no_text_is_taken_for_markup(
    runs: Path, text: str, capsys: pytest.CaptureFixture[str], at_width: Callable[[int], None]
) -> None:
    path = runs / "first" / "results.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    data["model"] = text
    path.write_text(json.dumps(data), encoding="utf-8")
    keep_questions(runs / "first", text)
    assert shown(capsys, "show", "run", "first").count(text) == 1 + 3
    assert text in shown(capsys, "diff", "first", "second")


def test_the_surest_mistake_comes_first(runs: Path) -> None:
    answers = read_answers(runs / "second", "validation")
    found = surest_mistakes(answers, 100)
    assert [bool(answers.right[at]) for at in found] == [False] * int((~answers.right).sum())
    sure = [(answers.probabilities[at] or {})[answers.label[at]] for at in found]
    assert sure == sorted(sure, reverse=True)
    assert surest_mistakes(answers, 1) == found[:1]


def test_the_prompt_of_a_run_is_shown_word_for_word(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = runs / "first"
    (folder / "dspy_optimized").mkdir()
    (folder / "dspy_optimized" / "prompt.txt").write_text("[user]\nIs it [bold]good[/bold]?\x1b[2J\n", encoding="utf-8")
    assert main(["show", "prompt", "first", "--results_dir", str(runs)]) == 0
    assert capsys.readouterr().out == "[user]\nIs it [bold]good[/bold]?\ufffd[2J\n"


def test_a_run_without_a_prompt_has_none_to_show(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(runs / "first" / "prompts", ignore_errors=True)
    assert main(["show", "prompt", "first", "--results_dir", str(runs)]) == 2
    assert "was asked by no prompt" in " ".join(capsys.readouterr().err.split())
