import dataclasses
import json
import re
from pathlib import Path
from typing import Any, Literal

import pytest
from pyarrow import parquet
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef
from watchful import WatchfulEngine

from beatingbert import BERTConfig, LinearConfig, LLMConfig, MajorityConfig, RunConfig, RunRecord, run
from beatingbert.classifiers.kept import read_development
from beatingbert.errors import DataError, RunExistsError, SettingsError, TooFewExamplesError
from beatingbert.report.errors import analysis
from beatingbert.tasks.example import Question

Rows = list[dict[str, Any]]

TABLES = (
    *("by_label", "by_length", "by_truncation", "confusion_matrix", "confusion_matrix_normalized"),
    *("errors", "per_class", "reliability", "top_errors"),
)


def answers_of(record: RunRecord) -> Rows:
    rows: Rows = parquet.read_table(record.folder / "predictions.parquet").to_pylist()
    return rows


def results_of(record: RunRecord) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((record.folder / "results.json").read_text(encoding="utf-8"))
    return told


@pytest.fixture(params=[MajorityConfig, LinearConfig], ids=["majority", "linear"])
def record(request: pytest.FixtureRequest, data_dir: Path) -> RunRecord:
    return run(request.param(task="sst2", data_dir=data_dir))


def test_a_run_leaves_the_folder_that_the_design_promises(record: RunRecord) -> None:
    assert record.folder == Path("results") / record.run_name
    assert {path.relative_to(record.folder).as_posix() for path in record.folder.rglob("*") if path.is_file()} == {
        *("checksums.sha256", "config.json", "results.json", "history.json", "log.txt"),
        *("predictions.parquet", "questions.parquet"),
        "error_analysis/analysis.json",
        *(f"error_analysis/validation/{name}.csv" for name in TABLES),
    }


def test_an_error_analysis_that_fails_is_logged_and_the_run_is_kept(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(folder: Path) -> None:
        raise DataError("no room")

    monkeypatch.setattr(analysis, "analyse_errors", fails)
    record = run(MajorityConfig(task="sst2", data_dir=data_dir))
    assert (record.folder / "results.json").is_file()
    assert not (record.folder / "error.txt").exists()
    assert "no room" in (record.folder / "log.txt").read_text(encoding="utf-8")


def test_the_results_hold_every_metric_with_its_interval(record: RunRecord) -> None:
    told = results_of(record)
    assert set(told["metrics"]) == {"accuracy", "macro_f1", "mcc", "ece", "brier"}
    for metric in told["metrics"].values():
        assert metric["low"] <= metric["value"] <= metric["high"]
    assert told["metrics"] == told["scores"]["validation"]["metrics"]


def test_the_metrics_are_scikit_learns_on_the_predictions_that_are_kept(record: RunRecord) -> None:
    rows = answers_of(record)
    gold, labels = [row["gold"] for row in rows], [row["label"] for row in rows]
    metrics = results_of(record)["metrics"]
    assert len(rows) == 24
    assert metrics["accuracy"]["value"] == pytest.approx(accuracy_score(gold, labels))
    assert metrics["macro_f1"]["value"] == pytest.approx(f1_score(gold, labels, average="macro", zero_division=0.0))
    assert metrics["mcc"]["value"] == pytest.approx(matthews_corrcoef(gold, labels))


def test_the_record_names_data_machine_versions_and_cost(record: RunRecord) -> None:
    told = results_of(record)
    assert told["data"]["source"] == "files"
    assert len(told["data"]["revision"]) == 64
    assert told["data"]["splits"]["validation"]["used"] == 24
    assert told["environment"]["machine"]["cpu"]
    assert told["efficiency"]["latency"]["n"] == 24
    assert told["efficiency"]["throughput"]["n"] == 24
    assert told["cell"]["id"] == record.cell.id


def test_no_path_of_this_machine_is_in_the_results(record: RunRecord, data_dir: Path) -> None:
    assert str(data_dir) not in (record.folder / "results.json").read_text(encoding="utf-8")


def test_what_was_asked_for_is_kept_with_the_run(data_dir: Path) -> None:
    record = run(LinearConfig(task="sst2", data_dir=data_dir, max_samples=40, seed=3, run_name="mine"))
    told = json.loads((record.folder / "config.json").read_text(encoding="utf-8"))
    assert told["run_name"] == "mine"
    assert told["config"]["max_samples"] == 40
    assert told["config"]["seed"] == 3
    assert told["cell"] == record.cell.to_json()


def test_the_same_cell_gives_the_same_predictions(data_dir: Path) -> None:
    config = LinearConfig(task="sst2", data_dir=data_dir, max_samples=40, max_eval_samples=12)
    first, second = run(config), run(config)
    assert first.folder != second.folder
    assert first.cell == second.cell
    assert answers_of(first) == answers_of(second)
    assert first.scores == second.scores


def test_other_rows_are_another_cell(data_dir: Path) -> None:
    config = MajorityConfig(task="sst2", data_dir=data_dir)
    first = run(config)
    with (data_dir / "sst2" / "validation.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"idx": 5000, "sentence": "one more", "label": 1}) + "\n")
    assert run(config).cell.id != first.cell.id


def test_no_gold_label_reaches_the_engine_when_it_answers(watched: type[WatchfulEngine], data_dir: Path) -> None:
    run(MajorityConfig(task="sst2", data_dir=data_dir))
    asked = watched.seen["asked"]
    assert {type(one) for one in asked} == {Question}
    assert {tuple(one.texts) for one in asked} == {("sentence",)}
    assert not any(hasattr(one, "label") for one in asked)
    reported = {one.id for one in asked}
    shown = {example.question.id for example in watched.seen["train"] + watched.seen["development"]}
    assert not reported & shown


def test_a_development_part_of_train_is_handed_out_for_choosing(watched: type[WatchfulEngine], data_dir: Path) -> None:
    record = run(MajorityConfig(task="sst2", data_dir=data_dir, seed=7))
    train, development = watched.seen["train"], watched.seen["development"]
    assert (len(train), len(development)) == (72, 8)
    assert not {one.question.id for one in train} & {one.question.id for one in development}
    assert watched.seen["seed"] == 7
    assert (record.data["train_rows"], record.data["development_rows"]) == (72, 8)
    assert record.data["optimistic"] is False


def test_choosing_on_validation_is_recorded_as_optimistic(watched: type[WatchfulEngine], data_dir: Path) -> None:
    record = run(MajorityConfig(task="sst2", data_dir=data_dir, select_on="validation"))
    assert len(watched.seen["train"]) == 80
    assert {one.question.id for one in watched.seen["development"]} == {row["id"] for row in answers_of(record)}
    told = results_of(record)
    assert told["data"]["optimistic"] is True
    assert told["cell"]["select_on"] == "validation"


@pytest.mark.parametrize(("select_on", "kept"), [("development", 8), ("validation", 0)])
def test_no_row_that_is_reported_is_kept_beside_the_classifier(
    data_dir: Path, select_on: Literal["development", "validation"], kept: int
) -> None:
    """An exported form would be compared on those rows, which no report is about."""
    record = run(LinearConfig(task="sst2", data_dir=data_dir, select_on=select_on, keep_classifier=True))
    assert len(read_development(record.folder / "classifier")) == kept


def test_max_samples_bounds_what_is_learnt_from_with_the_development_part(
    watched: type[WatchfulEngine], data_dir: Path
) -> None:
    run(MajorityConfig(task="sst2", data_dir=data_dir, max_samples=40))
    assert len(watched.seen["train"]) + len(watched.seen["development"]) == 40


def test_both_sides_of_mnli_are_reported_side_by_side(data_dir: Path) -> None:
    record = run(MajorityConfig(task="mnli", data_dir=data_dir))
    assert {split: score["rows"] for split, score in record.scores.items()} == {
        "validation_matched": 9,
        "validation_mismatched": 6,
    }
    assert [row["split"] for row in answers_of(record)] == ["validation_matched"] * 9 + ["validation_mismatched"] * 6
    assert record.metrics == record.scores["validation_matched"]["metrics"]
    assert (record.folder / "error_analysis" / "validation_mismatched" / "errors.csv").is_file()


def test_predict_mode_answers_the_unlabelled_split_and_scores_nothing(
    watched: type[WatchfulEngine], data_dir: Path
) -> None:
    record = run(BERTConfig(task="sst2", data_dir=data_dir, mode="predict", model_path="some/best_model"))
    told = results_of(record)
    assert told["metrics"] == {}
    assert told["scores"] == {}
    assert told["cell"]["mode"] == "predict"
    assert (told["data"]["source"], told["data"]["splits"]) == ("files", {"test": 6})
    rows = answers_of(record)
    assert [row["id"] for row in rows] == [str(at) for at in range(2000, 2006)]
    assert {row["gold"] for row in rows} == {None}
    assert [one["id"] for one in parquet.read_table(record.folder / "questions.parquet").to_pylist()] == [
        row["id"] for row in rows
    ]
    assert not (record.folder / "error_analysis").exists()
    assert watched.seen["train"] == []


def test_predict_mode_leaves_glues_file_numbered_by_row(watched: type[WatchfulEngine], data_dir: Path) -> None:
    given: dict[str, Any] = {"task": "sst2", "data_dir": data_dir, "mode": "predict", "model_path": "x"}
    lines = (run(BERTConfig(**given)).folder / "SST-2.tsv").read_text(encoding="utf-8").splitlines()
    assert lines == ["index\tprediction", *(f"{at}\t0" for at in range(6))]  # the rows' own ids are 2000 to 2005
    some = run(BERTConfig(**given, max_eval_samples=2))
    assert not (some.folder / "SST-2.tsv").exists()  # half a file would be refused
    (data_dir / "sst2" / "test.jsonl").rename(data_dir / "sst2" / "test_part.jsonl")
    part = run(BERTConfig(**given))
    assert not (part.folder / "SST-2.tsv").exists()  # row numbers of a sample are not the benchmark's


def test_predict_mode_answers_as_many_as_are_asked_for(watched: type[WatchfulEngine], data_dir: Path) -> None:
    config = BERTConfig(task="sst2", data_dir=data_dir, mode="predict", model_path="x", max_eval_samples=2)
    assert len(answers_of(run(config))) == 2


def test_eval_mode_scores_without_reading_train(watched: type[WatchfulEngine], data_dir: Path) -> None:
    (data_dir / "sst2" / "train.jsonl").unlink()
    record = run(BERTConfig(task="sst2", data_dir=data_dir, mode="eval", model_path="some/best_model"))
    assert record.metrics["accuracy"]["value"] == 0.75
    assert watched.seen["settings"].trained_model == "some/best_model"


def test_zero_shot_reads_no_train_rows_and_few_shot_does(watched: type[WatchfulEngine], data_dir: Path) -> None:
    run(LLMConfig(task="sst2", data_dir=data_dir))
    assert watched.seen["train"] == []
    run(LLMConfig(task="sst2", data_dir=data_dir, mode="few-shot", num_few_shot=3))
    assert len(watched.seen["train"]) == 72
    assert watched.seen["settings"].shots == 3


def test_batch_calibration_reads_train_rows_zero_shot_too_and_contextual_reads_none(
    watched: type[WatchfulEngine], data_dir: Path
) -> None:
    record = run(LLMConfig(task="sst2", data_dir=data_dir, calibration="batch", max_samples=40))
    assert (len(watched.seen["train"]), len(watched.seen["development"])) == (36, 4)
    assert record.cell.train_size == 40
    reported = {row["id"] for row in answers_of(record)}
    assert not reported & {one.question.id for one in watched.seen["train"] + watched.seen["development"]}
    run(LLMConfig(task="sst2", data_dir=data_dir, calibration="contextual"))
    assert watched.seen["train"] == watched.seen["development"] == []


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (BERTConfig(task="sst2", model_name="google/bert_uncased"), "google_bert_uncased_sst2"),
        (BERTConfig(task="sst2", mode="eval", model_path="runs/a/best_model"), "best_model_eval_sst2"),
        (LLMConfig(task="sst2"), "google_gemma-3-1b-it_zero_shot_sst2"),
        (LLMConfig(task="sst2", mode="few-shot", num_few_shot=8), "google_gemma-3-1b-it_few_shot_k8_sst2"),
        (LLMConfig(task="sst2", model_name="dir/_odd name.gguf"), "odd-name_zero_shot_sst2"),
        (LinearConfig(task="sst2"), "linear_sst2"),
    ],
    ids=["encoder", "encoder-eval", "zero-shot", "few-shot", "odd-name", "linear"],
)
def test_runs_are_named_as_the_study_names_them(
    watched: type[WatchfulEngine], data_dir: Path, config: RunConfig, name: str
) -> None:
    record = run(dataclasses.replace(config, data_dir=data_dir))
    assert re.fullmatch(rf"{re.escape(name)}_\d{{8}}_\d{{6}}", record.run_name)
    assert record.folder.name == record.run_name


def test_an_output_folder_of_ones_own_is_the_folder_of_the_run(data_dir: Path, tmp_path: Path) -> None:
    record = run(MajorityConfig(task="sst2", data_dir=data_dir, output_dir=tmp_path / "mine", run_name="a name"))
    assert record.folder == tmp_path / "mine"
    assert record.run_name == "a name"
    assert not Path("results").exists()


def test_a_finished_run_is_not_done_again_in_its_folder(data_dir: Path) -> None:
    config = MajorityConfig(task="sst2", data_dir=data_dir, run_name="mine")
    record = run(config)
    before = (record.folder / "results.json").read_bytes()
    with pytest.raises(RunExistsError, match="mine"):
        run(config)
    assert (record.folder / "results.json").read_bytes() == before


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden"])
def test_a_run_name_that_is_no_file_name_is_refused(data_dir: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="run name"):
        run(MajorityConfig(task="sst2", data_dir=data_dir, run_name=name))
    assert not Path("results").exists()


@pytest.mark.parametrize("run_name", [None, "mine"])
def test_data_that_is_not_there_leaves_no_run(data_dir: Path, run_name: str | None) -> None:
    with pytest.raises(DataError, match="rte"):
        run(MajorityConfig(task="rte", data_dir=data_dir, run_name=run_name))
    assert list(Path("results").glob("*")) == []


def test_too_few_rows_for_an_interval_are_refused_before_anything_is_trained(
    watched: type[WatchfulEngine], data_dir: Path
) -> None:
    with pytest.raises(TooFewExamplesError, match="two rows"):
        run(MajorityConfig(task="sst2", data_dir=data_dir, max_eval_samples=1))
    assert watched.seen == {}
    assert list(Path("results").glob("*")) == []


def test_progress_hears_nothing_of_single_questions(data_dir: Path) -> None:
    heard: list[tuple[str, int, int]] = []
    run(MajorityConfig(task="sst2", data_dir=data_dir), progress=lambda *step: heard.append(step))
    assert heard == [("measuring latency", 0, 1), ("measuring latency", 1, 1)]
