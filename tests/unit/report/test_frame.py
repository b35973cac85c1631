import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from beatingbert.errors import DataError
from beatingbert.report import frame as frame_module
from beatingbert.report.answers import read_answers
from beatingbert.report.frame import Frame, read_frame, read_sound_record
from beatingbert.runs.evidence import write_predictions
from beatingbert.runs.record import RunRecord
from beatingbert.tasks.prediction import Prediction

MakeRun = Callable[..., RunRecord]
T, F = True, False
RIGHT = [T, T, F, T]


def change(record: RunRecord, alter: Callable[[dict[str, Any]], object]) -> None:
    """Change what the run's results.json says."""
    path = record.folder / "results.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    alter(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def only_reason(frame: Frame, name: str) -> str:
    """Why the run of this name, and no other, was skipped."""
    (skipped,) = frame.skipped
    assert skipped.path.parent.name == name
    return skipped.reason


def test_runs_on_the_same_rows_are_one_group(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("a", RIGHT)
    make_run("b", [F, F, F, T])
    frame = read_frame(runs_dir)
    (group,) = frame.groups
    assert (group.task, group.split, group.revision, group.title) == ("sst2", "validation", "r1", "sst2")
    assert group.ids.tolist() == ["q0", "q1", "q2", "q3"]
    assert group.gold.tolist() == ["negative", "positive", "negative", "positive"]
    found = {one.model: group.right(one).tolist() for one in group.contenders}
    assert found == {"a": [RIGHT], "b": [[F, F, F, T]]}
    assert frame.skipped == ()


@pytest.mark.parametrize(
    "other",
    [{"first_id": 1}, {"data": {"revision": "r2"}}, {"cell": {"task": "rte"}}],
    ids=["other rows", "other data", "other task"],
)
def test_runs_on_other_rows_are_another_group(make_run: MakeRun, runs_dir: Path, other: dict[str, Any]) -> None:
    make_run("a", RIGHT)
    make_run("b", RIGHT, **other)
    groups = read_frame(runs_dir).groups
    assert sorted(one.model for group in groups for one in group.contenders) == ["a", "b"]
    assert [len(group.contenders) for group in groups] == [1, 1]


def test_rows_with_another_gold_label_are_other_rows(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("a", [T, T])
    swapped = make_run("b", [T, T])
    answers = [Prediction(question_id=f"q{at}", label=label) for at, label in enumerate(("positive", "negative"))]
    gold = {("validation", "q0"): "positive", ("validation", "q1"): "negative"}
    write_predictions(swapped.folder / "predictions.parquet", {"validation": answers}, gold)
    assert len(read_frame(runs_dir).groups) == 2


def test_rows_are_paired_by_id_not_by_position(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("a", [T, F, F])
    turned = make_run("b", [T, F, F])
    answers = [
        Prediction(question_id=f"q{at}", label=label)
        for at, label in ((2, "positive"), (0, "negative"), (1, "negative"))
    ]
    gold = {("validation", f"q{at}"): label for at, label in enumerate(("negative", "positive", "negative"))}
    write_predictions(turned.folder / "predictions.parquet", {"validation": answers}, gold)
    (group,) = read_frame(runs_dir).groups
    assert [group.right(one).tolist() for one in group.contenders] == [[[T, F, F]], [[T, F, F]]]


def test_the_runs_of_a_contender_come_by_seed(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("late", [T, F], model="bert", cell={"seed": 8})
    make_run("other", [F, F], model="electra", cell={"engine_version": 2})
    make_run("tail", [F, T], model="bert", cell={"seed": 3})
    (group,) = read_frame(runs_dir).groups
    bert = next(one for one in group.contenders if one.model == "bert")
    assert group.right(bert).tolist() == [[F, T], [T, F]]


def test_a_run_on_an_unlabelled_split_is_a_record_but_in_no_group(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("predicted", RIGHT, unlabelled=True)
    frame = read_frame(runs_dir)
    assert [one.run_name for one in frame.records] == ["predicted"]
    assert frame.groups == ()


def test_runs_are_found_however_deep_they_lie(make_run: MakeRun, runs_dir: Path) -> None:
    make_run("a", RIGHT)
    assert len(read_frame(runs_dir.parent).records) == 1


def test_an_empty_folder_is_an_empty_frame(tmp_path: Path) -> None:
    frame = read_frame(tmp_path)
    assert (frame.records, frame.skipped, frame.groups) == ((), (), ())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "damaged: not readable as JSON"),
        ("\udcff", "damaged: not readable as JSON"),
        ("[" * 100_000, "damaged: not readable as JSON"),
        ("[1, 2]", "foreign"),
        ('{"accuracy": 0.9}', "foreign"),
        ('{"format": 7, "cell": {}}', "format 7 is newer than 1"),
        ('{"format": 0, "cell": {}}', "format 0 is older than 1"),
        ('{"format": "x", "cell": {}}', "format 'x' is older than 1"),
        ('{"format": 1, "cell": {}}', "an entry is missing"),
        ('{"format": 1, "cell": 3}', "an entry is missing"),
    ],
)
def test_a_file_that_is_no_record_is_listed_with_the_reason_and_the_others_are_read(
    make_run: MakeRun, runs_dir: Path, text: str, reason: str
) -> None:
    make_run("good", RIGHT)
    (runs_dir / "bad").mkdir()
    (runs_dir / "bad" / "results.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    frame = read_frame(runs_dir)
    assert [one.run_name for one in frame.records] == ["good"]
    assert reason in only_reason(frame, "bad")
    assert "\n" not in frame.skipped[0].reason


@pytest.mark.parametrize(
    ("alter", "told"),
    [
        (lambda data: data["efficiency"].pop("latency"), "no 'latency'"),
        (lambda data: data["efficiency"].update(latency=None), "TypeError"),
        (lambda data: data["data"].pop("revision"), "no 'revision'"),
        (lambda data: data["data"].update(revision=["x"]), "TypeError"),
        (lambda data: data["scores"]["validation"]["metrics"].pop("accuracy"), "no 'accuracy'"),
        (lambda data: data["scores"]["validation"]["metrics"]["mcc"].update(low="x"), "ValueError"),
        (lambda data: data["scores"]["validation"]["metrics"]["mcc"].update(low=0.99), "does not hold its value"),
        (lambda data: data["scores"]["validation"].pop("confusion_matrix"), "no 'confusion_matrix'"),
        (lambda data: data["scores"]["validation"]["confusion_matrix"]["rows"].pop(), "does not fit its labels"),
        (lambda data: data["scores"]["validation"].update(reliability=[{"low": 0, "count": 0}]), "no 'high'"),
        (lambda data: data["cell"].update(surprise=1), "TypeError"),
        (lambda data: data["cell"].update(engine="crystal ball"), "engine 'crystal ball' is unknown"),
        (lambda data: data["scores"]["validation"].update(rows=5), "tells of 5 rows of 'validation' and accuracy 0.75"),
        (lambda data: data["scores"]["validation"]["metrics"]["accuracy"].update(value=0.5), "accuracy 0.5000"),
        (lambda data: data["scores"].update(test=data["scores"]["validation"]), "rows of 'test'"),
    ],
)
def test_a_record_that_lacks_or_contradicts_something_is_skipped_and_the_reason_names_it(
    make_run: MakeRun, runs_dir: Path, alter: Callable[[dict[str, Any]], object], told: str
) -> None:
    change(make_run("bad", RIGHT), alter)
    make_run("good", RIGHT)
    frame = read_frame(runs_dir)
    assert told in only_reason(frame, "bad")
    assert [one.model for group in frame.groups for one in group.contenders] == ["good"]


def test_a_run_without_its_predictions_is_skipped(make_run: MakeRun, runs_dir: Path) -> None:
    (make_run("gone", RIGHT).folder / "predictions.parquet").unlink()
    assert only_reason(read_frame(runs_dir), "gone") == ("damaged: predictions.parquet is missing; run the cell again")


def test_damaged_predictions_are_skipped(make_run: MakeRun, runs_dir: Path) -> None:
    path = make_run("cut", RIGHT).folder / "predictions.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    assert "predictions.parquet cannot be read" in only_reason(read_frame(runs_dir), "cut")


@pytest.mark.parametrize(
    ("ids", "gold", "told"),
    [(["q0", "q0"], ["negative", "negative"], "twice"), (["q0", "q1"], ["negative", None], "without gold")],
)
def test_predictions_that_cannot_be_paired_are_skipped(
    make_run: MakeRun, runs_dir: Path, ids: list[str], gold: list[str | None], told: str
) -> None:
    record = make_run("odd", [T, T])
    answers = [Prediction(question_id=one, label="negative") for one in ids]
    truth = {("validation", one): label for one, label in zip(ids, gold, strict=True) if label}
    write_predictions(record.folder / "predictions.parquet", {"validation": answers}, truth)
    assert told in only_reason(read_frame(runs_dir), "odd")


def test_reading_one_record_names_its_fault_without_a_path(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^damaged: not readable"):
        read_sound_record(tmp_path / "results.json")


def test_progress_counts_the_runs(make_run: MakeRun, runs_dir: Path) -> None:
    for name in "ab":
        make_run(name, RIGHT)
    heard: list[tuple[str, int, int]] = []
    read_frame(runs_dir, progress=lambda *step: heard.append(step))
    assert heard == [("reading runs", done, 2) for done in range(3)]


def test_every_column_comes_sorted_by_id(make_run: MakeRun) -> None:
    record = make_run("a", [T, T, T])
    answers = [
        Prediction(question_id="q2", label="positive", probabilities={"positive": 0.75, "negative": 0.25}),
        Prediction(question_id="q0", label=None, reply="=maybe\nnot", lost_tokens=4),
        Prediction(question_id="q1", label="positive", log_likelihoods={"positive": -0.5}),
    ]
    gold = {("validation", f"q{at}"): "positive" for at in range(3)}
    write_predictions(record.folder / "predictions.parquet", {"validation": answers}, gold)
    found = read_answers(record.folder, "validation")
    assert found.ids.tolist() == ["q0", "q1", "q2"]
    assert found.label.tolist() == [None, "positive", "positive"]
    assert found.right.tolist() == [False, True, True]
    assert found.right.dtype == np.bool_
    assert found.probabilities == [None, None, {"positive": 0.75, "negative": 0.25}]
    assert found.log_likelihoods == [None, {"positive": -0.5}, None]
    assert found.reply.tolist() == ["=maybe\nnot", None, None]
    assert found.lost_tokens.tolist() == [4, 0, 0]


def test_answers_stay_in_memory_for_a_while_but_not_all_of_them(
    make_run: MakeRun, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_module, "KEPT", 2)
    runs = [make_run(name, RIGHT) for name in "abc"]
    frame = read_frame(runs_dir)
    first = [frame.answers(record, "validation") for record in runs]
    assert frame.answers(runs[2], "validation") is first[2]
    assert frame.answers(runs[0], "validation") is not first[0]
