import csv
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from beatingbert.errors import BeatingBertError, DataError, RunExistsError, SettingsError
from beatingbert.runs import store
from beatingbert.runs.evidence import write_predictions, write_questions
from beatingbert.runs.files import write_csv, write_json
from beatingbert.runs.lease import is_being_worked_in
from beatingbert.runs.record import RunRecord
from beatingbert.runs.store import RunFolder, RunStore
from beatingbert.tasks.example import Question

Outcome = dict[str, Any]


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read_csv(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.fixture
def finished(tmp_path: Path, record: RunRecord, outcome: Outcome) -> RunRecord:
    with RunStore(tmp_path).folder("a_run") as folder:
        folder.write_config({"run_name": "a_run"})
        return folder.finish(record, **outcome)


def test_a_finished_run_holds_everything(finished: RunRecord) -> None:
    assert set(files_in(finished.folder)) == {
        *("checksums.sha256", "config.json", "history.json", "log.txt"),
        *("predictions.parquet", "questions.parquet", "results.json"),
        *("prompts/template.txt", "prompts/prompts.jsonl"),
    }


def test_a_finished_run_is_read_as_it_was_returned(finished: RunRecord) -> None:
    (read,) = RunStore(finished.folder.parent).records()
    assert read == finished
    assert read.folder == finished.folder


def test_two_processes_do_not_work_in_one_folder(tmp_path: Path, record: RunRecord, outcome: Outcome) -> None:
    assert not is_being_worked_in(tmp_path / "a_run")
    with RunStore(tmp_path).folder("a_run"):
        assert is_being_worked_in(tmp_path / "a_run")
        with pytest.raises(RunExistsError, match="another process is working in"), RunStore(tmp_path).folder("a_run"):
            pass
        assert is_being_worked_in(tmp_path / "a_run")
    assert not is_being_worked_in(tmp_path / "a_run")
    (tmp_path / "a_run" / ".working").touch()  # as a killed process leaves it
    assert not is_being_worked_in(tmp_path / "a_run")
    with RunStore(tmp_path).folder("a_run") as folder:
        folder.finish(record, **outcome)


def test_a_run_that_goes_on_keeps_what_was_logged(tmp_path: Path) -> None:
    def log(words: str, *, goes_on: bool) -> str:
        with RunFolder(tmp_path / "run", goes_on=goes_on):
            logging.getLogger("beatingbert").info(words)
        return (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")

    log("first", goes_on=False)
    told = log("second", goes_on=True)
    assert "first" in told
    assert "second" in told
    assert "first" not in log("third", goes_on=False)


def test_the_results_are_written_last(
    tmp_path: Path, record: RunRecord, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    rename = Path.replace

    def noted(self: Path, target: Path) -> Path:
        if target.name == "results.json":
            written.extend(files_in(tmp_path / "a_run"))
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    with RunStore(tmp_path).folder("a_run") as folder:
        folder.finish(record, **outcome)
    assert {"predictions.parquet", "questions.parquet", "history.json", "prompts/prompts.jsonl"} < set(written)
    assert "results.json.part" in written
    assert "results.json" not in written


@pytest.mark.parametrize("step", ["write_predictions", "write_questions"])
def test_a_run_killed_while_it_is_written_is_no_result(
    tmp_path: Path, record: RunRecord, outcome: Outcome, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def dies(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(store, step, dies)
    with pytest.raises(OSError, match="no space"), RunStore(tmp_path).folder("a_run") as folder:
        folder.finish(record, **outcome)
    assert not (tmp_path / "a_run" / "results.json").exists()
    assert list(RunStore(tmp_path).records()) == []


def test_a_rename_that_never_comes_leaves_no_result(
    tmp_path: Path, record: RunRecord, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if target.name == "results.json":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt), RunStore(tmp_path).folder("a_run") as folder:
        folder.finish(record, **outcome)
    assert not (tmp_path / "a_run" / "results.json").exists()


def test_a_finished_run_is_refused_and_stays_as_it_was(finished: RunRecord) -> None:
    before = files_in(finished.folder)
    with pytest.raises(RunExistsError, match="never overwritten"), RunFolder(finished.folder):
        pytest.fail("it was opened")
    assert files_in(finished.folder) == before


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a_run").write_text("mine", encoding="utf-8")
    with pytest.raises(RunExistsError, match="is a file"), RunStore(tmp_path).folder("a_run"):
        pytest.fail("it was opened")
    assert (tmp_path / "a_run").read_text(encoding="utf-8") == "mine"


def test_a_file_on_the_way_to_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(SettingsError, match="cannot be made"), RunFolder(tmp_path / "file" / "below" / "a_run"):
        pytest.fail("it was opened")


def test_a_run_that_could_not_be_done_as_asked_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError), RunStore(tmp_path).folder("a_run") as folder:
        folder.write_config({})
        raise DataError("no such rows")
    assert not (tmp_path / "a_run").exists()


def test_a_folder_that_was_there_before_is_not_taken_away(tmp_path: Path) -> None:
    (tmp_path / "a_run").mkdir()
    (tmp_path / "a_run" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(DataError), RunFolder(tmp_path / "a_run"):
        raise DataError("no such rows")
    assert (tmp_path / "a_run" / "notes.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("error", [BeatingBertError("diverged"), RuntimeError("diverged"), KeyboardInterrupt()])
def test_a_run_that_fails_leaves_its_traceback_and_no_result(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), RunStore(tmp_path).folder("a_run") as folder:
        folder.write_config({})
        raise error
    told = (tmp_path / "a_run" / "error.txt").read_text(encoding="utf-8")
    assert told.startswith("Traceback")
    assert type(error).__name__ in told
    assert not (tmp_path / "a_run" / "results.json").exists()


def test_a_failed_run_may_be_done_again_in_its_folder(tmp_path: Path, record: RunRecord, outcome: Outcome) -> None:
    with pytest.raises(RuntimeError), RunStore(tmp_path).folder("a_run"):
        raise RuntimeError("diverged")
    with RunStore(tmp_path).folder("a_run") as folder:
        folder.finish(record, **outcome)
    assert not (tmp_path / "a_run" / "error.txt").exists()
    assert (tmp_path / "a_run" / "results.json").exists()


def test_the_log_is_kept_with_the_run_and_closed_after_it(tmp_path: Path) -> None:
    logger = logging.getLogger("beatingbert")
    handlers = list(logger.handlers)
    with RunStore(tmp_path).folder("a_run"):
        logging.getLogger("beatingbert.experiments").info("a word on the way")
    assert "a word on the way" in (tmp_path / "a_run" / "log.txt").read_text(encoding="utf-8")
    assert logger.handlers == handlers


@pytest.mark.parametrize(
    "name", ["../x", "", ".hidden", "a/b", "..", "/x", "a\\b", "a\n", "a b", "-flag", "ä", "a\0", "C:x", "~x"]
)
def test_a_run_name_cannot_leave_the_store(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="run name"):
        RunStore(tmp_path).folder(name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a", "gemma-3-1b-it_few_shot_k5_sst2_20260101_120000", "1.5+b"])
def test_a_plain_run_name_is_a_folder_of_the_store(tmp_path: Path, name: str) -> None:
    assert RunStore(tmp_path).folder(name).path == tmp_path / name


def test_a_fresh_name_avoids_every_folder_that_is_there(tmp_path: Path) -> None:
    assert RunStore(tmp_path).fresh_name("a") == "a"
    (tmp_path / "b").mkdir()
    (tmp_path / "b_2").write_text("a file counts too", encoding="utf-8")
    assert RunStore(tmp_path).fresh_name("b") == "b_3"


def test_two_runs_that_start_in_the_same_second_get_two_folders(tmp_path: Path) -> None:
    names = [RunStore(tmp_path).fresh_name("a") for _ in range(3)]
    assert names == ["a", "a_2", "a_3"]


def test_a_folder_made_for_a_fresh_name_is_taken_away_when_the_run_cannot_be_done(tmp_path: Path) -> None:
    runs = RunStore(tmp_path)
    with pytest.raises(DataError), runs.folder(runs.fresh_name("a")):
        raise DataError("no such rows")
    assert list(tmp_path.iterdir()) == []


def test_records_come_by_name_from_every_depth_and_unfinished_runs_do_not(
    tmp_path: Path, record: RunRecord, outcome: Outcome
) -> None:
    for name in ("b", "a", "demo/c"):
        with RunFolder(tmp_path / name) as folder:
            folder.finish(record, **outcome)
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "results.json.part").write_text("{}", encoding="utf-8")
    found = [one.folder.relative_to(tmp_path).as_posix() for one in RunStore(tmp_path).records()]
    assert found == ["a", "b", "demo/c"]


def test_a_store_that_does_not_exist_holds_nothing(tmp_path: Path) -> None:
    assert list(RunStore(tmp_path / "nowhere").records()) == []


def test_predictions_come_back_with_unanswered_ones_and_all_of_unicode(finished: RunRecord) -> None:
    rows = parquet.read_table(finished.folder / "predictions.parquet").to_pylist()
    assert [(row["split"], row["id"], row["gold"], row["label"]) for row in rows] == [
        ("validation", "q0", "negative", "negative"),
        ("validation", "q1", "positive", "negative"),
        ("validation", "q2", "positive", None),
        ("validation", "q3", "negative", "negative"),
    ]
    assert json.loads(rows[0]["probabilities"]) == {"negative": 0.75, "positive": 0.25}
    assert rows[1]["probabilities"] is None
    assert (rows[1]["reply"], rows[1]["lost_tokens"]) == ("=1+1", 3)
    assert rows[2]["reply"] == 'naïve 😀\nzwei Zeilen, "quoted"'
    assert json.loads(rows[3]["log_likelihoods"]) == {"negative": -0.5, "positive": -2.0}


def test_predictions_without_gold_labels_keep_their_columns(tmp_path: Path, outcome: Outcome) -> None:
    write_predictions(tmp_path / "p.parquet", outcome["predictions"], {})
    table = parquet.read_table(tmp_path / "p.parquet")
    assert table.column("gold").to_pylist() == [None] * 4
    assert str(table.schema.field("gold").type) == "string"


def test_prompts_are_kept_word_for_word(finished: RunRecord) -> None:
    folder = finished.folder / "prompts"
    assert (folder / "template.txt").read_text(encoding="utf-8") == "the template, word for word"
    lines = (folder / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[2]) == {"split": "validation", "id": "q2", "prompt": "Frage: ä?"}
    assert len(lines) == 4


def test_without_a_template_there_are_no_prompts(tmp_path: Path, record: RunRecord, outcome: Outcome) -> None:
    with RunStore(tmp_path).folder("a_run") as folder:
        folder.finish(record, **{**outcome, "template": ""})
    assert not (tmp_path / "a_run" / "prompts").exists()


def test_questions_come_back_with_texts_choices_and_gold(tmp_path: Path) -> None:
    texts = {"premise": 'naïve 😀\nzwei Zeilen, "quoted"', "hypothesis": "=1+1"}
    asked = {"dev": [Question("a", texts), Question("b", {"question": "Which?"}, ("this", "thät"))]}
    write_questions(tmp_path / "q.parquet", asked, {("dev", "a"): "neutral"})
    first, second = parquet.read_table(tmp_path / "q.parquet").to_pylist()
    assert (first["split"], first["id"], first["gold"], first["choices"]) == ("dev", "a", "neutral", None)
    assert json.loads(first["fields"]) == texts
    assert list(json.loads(first["fields"])) == ["premise", "hypothesis"]
    assert json.loads(second["choices"]) == ["this", "thät"]
    assert second["gold"] is None


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_spreadsheet_runs_no_text_as_a_formula(tmp_path: Path, cell: str) -> None:
    write_csv(tmp_path / "a.csv", [[cell, 1]])
    assert read_csv(tmp_path / "a.csv") == [[f"'{cell}", "1"]]


def test_numbers_stay_numbers_in_a_csv(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [[-1.5, -2, None, "plain", "a-b"]])
    assert read_csv(tmp_path / "a.csv") == [["-1.5", "-2", "", "plain", "a-b"]]


def test_no_rows_are_no_file(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [])
    assert not (tmp_path / "a.csv").exists()


def test_a_number_that_json_does_not_have_leaves_the_old_file(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"x": 1}
