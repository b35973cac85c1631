import json
from collections.abc import Callable
from pathlib import Path

import pytest

from beatingbert.report.comparisons import hold_contests
from beatingbert.report.contenders import Kind
from beatingbert.report.frame import read_frame
from beatingbert.report.page import sheets
from beatingbert.report.page.data import Outcome, PageData
from beatingbert.report.page.gather import gather_page
from beatingbert.report.page.render import render_page
from beatingbert.report.prices import read_prices
from beatingbert.runs.evidence import write_questions
from beatingbert.runs.record import RunRecord
from beatingbert.tasks.example import Question

MakeRun = Callable[..., RunRecord]
T, F = True, False
LLM = {"engine": "llm", "settings": {"shots": 0}}
WINS, LOSES = [T] * 9 + [F], [F] * 9 + [T]


def gather(folder: Path) -> PageData:
    frame = read_frame(folder)
    return gather_page(frame, hold_contests(frame), read_prices())


def keep_texts(record: RunRecord, rows: int) -> None:
    questions = [Question(f"q{at}", {"sentence": f"review number {at}, which is long enough"}) for at in range(rows)]
    write_questions(record.folder / "questions.parquet", {"validation": questions}, {})


def keep_prompts(record: RunRecord, rows: int) -> None:
    folder = record.folder / "prompts"
    folder.mkdir()
    lines = [{"split": "validation", "id": f"q{at}", "prompt": f"Review: {at}"} for at in range(rows)]
    (folder / "prompts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def test_a_contender_is_a_row_with_the_mean_of_its_seeds(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("a", [T, T, T, T], model="bert", cell={"seed": 1})
    make_run("b", [T, T, F, F], model="bert", cell={"seed": 2})
    (row,) = gather(runs_dir).rows
    assert (row.model, row.seeds, row.rows, row.kind) == ("bert", 2, 4, Kind.ENCODER)
    assert row.accuracy.value == 0.75
    assert row.accuracy.low < 0.75 < row.accuracy.high
    assert (row.p50_ms, row.per_second, row.train_seconds) == (1.25, 1234.5, 250.0)


def test_the_most_accurate_comes_first_and_sides_are_told_apart(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("bert", LOSES)
    make_run("gemma", WINS, cell=LLM)
    make_run("qwen", [T] * 5 + [F] * 5, cell={"engine": "lora", "settings": {"shots": 0}}, notes={"rank": 8})
    make_run("linear", [T] * 3 + [F] * 7, cell={"engine": "linear"})
    rows = gather(runs_dir).rows
    assert [(row.model, row.kind) for row in rows] == [
        ("gemma", Kind.PROMPTED),
        ("qwen", Kind.ADAPTED),
        ("linear", Kind.BASELINE),
        ("bert", Kind.ENCODER),
    ]


def test_the_verdict_says_who_leads(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("bert", LOSES * 20)
    make_run("gemma", WINS * 20, cell=LLM)
    (verdict,) = gather(runs_dir).verdicts
    assert (verdict.task, verdict.outcome) == ("sst2", Outcome.LLM)
    assert verdict.sentence.startswith("gemma (zero-shot) leads bert (fine-tuned on 3,600) by 80.0 points")


def test_over_several_tasks_there_is_one_verdict_more(make_run: MakeRun, runs_dir: Path) -> None:
    for task in ("sst2", "rte"):
        make_run(f"bert-{task}", WINS * 20, model="bert", cell={"task": task})
        make_run(f"gemma-{task}", LOSES * 20, model="gemma", cell={**LLM, "task": task})
    whole, *others = gather(runs_dir).verdicts
    assert (whole.task, whole.outcome) == ("all tasks", Outcome.ENCODER)
    assert [(one.task, one.outcome) for one in others] == [("rte", Outcome.ENCODER), ("sst2", Outcome.ENCODER)]


def test_runs_on_different_rows_get_sheets_and_titles_of_their_own(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("bert", [T, F])
    make_run("roberta", [F, T])
    make_run("gemma", [T, F], cell=LLM, first_id=100)
    page = gather(runs_dir)
    assert [len(sheet.runs) for sheet in page.sheets] == [2, 1]
    titles = [sheet.name for sheet in page.sheets]
    assert len(set(titles)) == 2 and all(title.startswith("sst2 [") for title in titles)
    assert {row.task for row in page.rows} == set(titles)
    assert any("which rows" in note for note in page.notes)


def test_the_sheet_counts_who_was_right_where(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("bert", [T, T, T, F, F])
    make_run("gemma", [T, F, F, T, F], cell=LLM)
    (sheet,) = gather(runs_dir).sheets
    assert [(run.name, run.right) for run in sheet.runs] == [
        ("bert (fine-tuned on 3,600)", 3),
        ("gemma (zero-shot)", 2),
    ]
    (pair,) = sheet.pairs
    assert (pair.only_first, pair.only_second, pair.both_wrong, pair.differ) == (2, 1, 1, 3)
    assert [one.id for one in sheet.questions] == ["q1", "q2", "q3", "q4"]
    assert (sheet.rows, sheet.wrong_rows, sheet.left_out_runs) == (5, 4, 0)


def test_texts_come_from_any_run_that_kept_them_and_prompts_from_each(make_run: MakeRun, runs_dir: Path) -> None:
    keep_texts(make_run("bert", [F, F]), 2)
    keep_prompts(make_run("gemma", [T, F], cell=LLM), 2)
    (sheet,) = gather(runs_dir).sheets
    assert [run.name for run in sheet.runs] == ["gemma (zero-shot)", "bert (fine-tuned on 3,600)"]
    question = sheet.questions[1]
    assert question.texts == {"sentence": "review number 1, which is long enough"}
    assert [answer.prompt for answer in question.answers] == ["Review: 1", None]
    assert (question.gold, [answer.label for answer in question.answers]) == ("positive", ["negative", "negative"])


def test_rows_stand_in_the_order_of_their_numbers(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("bert", [F] * 12)
    assert sorted(["q10", "q9"], key=sheets._natural) == ["q10", "q9"]
    assert sorted(["10", "9", "b", "a", "9" * 5000], key=sheets._natural) == ["9", "10", "9" * 5000, "a", "b"]
    assert len(gather(runs_dir).sheets[0].questions) == 12


def test_files_that_cannot_be_read_are_told_and_stop_nothing(make_run: MakeRun, runs_dir: Path) -> None:
    record = make_run("gemma", [T, F], cell=LLM)
    (record.folder / "questions.parquet").write_bytes(b"no table")
    keep_prompts(record, 1)
    with (record.folder / "prompts" / "prompts.jsonl").open("a") as file:
        file.write('{"split": "vali')
    (runs_dir / "broken").mkdir()
    (runs_dir / "broken" / "results.json").write_text("{")
    page = gather(runs_dir)
    assert page.sheets[0].questions[0].texts == {}
    for told in ("questions are not shown", "prompts are not shown", "Not read: broken: damaged"):
        assert any(told in note for note in page.notes), told
    assert not any(str(runs_dir) in note for note in page.notes)


def test_too_many_runs_and_rows_are_left_out_and_told(
    make_run: MakeRun, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "MOST_RUNS", 2)
    monkeypatch.setattr(sheets, "MOST_ROWS", 3)
    for at in range(4):
        make_run(f"model{at}", [T] * at + [F] * (6 - at))
    page = gather(runs_dir)
    (sheet,) = page.sheets
    assert [run.name for run in sheet.runs] == ["model3 (fine-tuned on 3,600)", "model2 (fine-tuned on 3,600)"]
    assert sheet.left_out_runs == 2
    assert [one.id for one in sheet.questions] == ["q2", "q3", "q4"]  # the one on which they differ, then others
    assert any("2 more of sst2 are left out" in note for note in page.notes)


def test_a_learning_curve_joins_runs_that_differ_in_train_rows_alone(make_run: MakeRun, runs_dir: Path) -> None:
    for size, right in ((100, [T, F, F, F]), (1000, [T, T, T, F])):
        data = {"train_rows": size, "revision": "r1"}
        settings = {"checkpoint": "bert"}
        make_run(f"bert-{size}", right, model="bert", cell={"train_size": size, "settings": settings}, data=data)
    make_run("gemma", [T, T, F, F], cell=LLM)
    curve, level = gather(runs_dir).curves
    assert curve.name == "bert (fine-tuned)"
    assert [(point.train_rows, point.accuracy.value) for point in curve.points] == [(100, 0.25), (1000, 0.75)]
    assert (level.name, [point.train_rows for point in level.points]) == ("gemma (zero-shot)", [0])


def test_without_two_sizes_there_is_no_curve(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("bert", [T, F])
    make_run("gemma", [T, F], cell=LLM)
    assert gather(runs_dir).curves == ()


def test_speeds_of_two_machines_are_not_joined(make_run: MakeRun, runs_dir: Path) -> None:
    fast = {"machine": {"cpu": "fast one", "logical_cores": 2}}
    slow = {"machine": {"cpu": "slow one", "logical_cores": 2}}
    for seed, machine in enumerate((slow, fast, fast)):
        record = make_run(f"unused{seed}", [T, F], model="other", cell={"seed": seed}, environment=machine)
        speed = {**record.efficiency, "latency": {**record.efficiency["latency"], "p50_ms": 9.0 - seed}}
        about = {"model": "bert", "cell": {"seed": seed}, "environment": machine, "efficiency": speed}
        make_run(f"bert{seed}", [T, F], **about)
    page = gather(runs_dir)
    row = next(row for row in page.rows if row.model == "bert")
    assert (row.seeds, row.p50_ms, row.precision) == (3, 7.5, "fp32")
    assert any(note == f"Machine {row.machine}: fast one, 2 cores." for note in page.notes)


def test_the_page_of_real_runs_can_be_rendered(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("bert", WINS)
    make_run("gemma", LOSES, cell=LLM)
    assert "gemma" in render_page(gather(runs_dir))
