"""From a run to answers, as a user goes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from keeping import ByRule

from beatingbert import LinearConfig, load_classifier, run
from beatingbert.cli import at_work
from beatingbert.cli.main import main
from tiny_tasks import write_sentiment


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    data = write_sentiment(folder / "data")
    config = LinearConfig(task="sst2", data_dir=data, output_dir=folder / "run", keep_classifier=True)
    return run(config).folder


def test_a_runs_classifier_answers_as_the_run_did(finished: Path) -> None:
    kept = load_classifier(finished)
    questions = parquet.read_table(finished / "questions.parquet").to_pylist()
    answered = {one["id"]: one for one in parquet.read_table(finished / "predictions.parquet").to_pylist()}
    texts = [json.loads(one["fields"])["sentence"] for one in questions]
    assert kept.predict(texts).tolist() == [answered[one["id"]]["label"] for one in questions]
    record = json.loads((finished / "results.json").read_text(encoding="utf-8"))
    (split,) = record["scores"]
    assert kept.about.scores[split]["accuracy"] == record["scores"][split]["metrics"]["accuracy"]
    assert kept.about.seed == 99


def test_whether_it_is_kept_is_no_part_of_the_cell(finished: Path) -> None:
    record = json.loads((finished / "results.json").read_text(encoding="utf-8"))
    assert "keep_classifier" not in json.dumps(record["cell"])


def test_a_file_is_answered_from_the_command_line(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text('sentence,note\na great film,"=cmd()"\nawful,2\n', encoding="utf-8")
    assert main(["predict", str(finished), str(source), "-o", str(output)]) == 0
    told = capsys.readouterr().out
    assert "2 rows: negative 1, positive 1" in told
    with output.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert [row[:3] for row in rows] == [
        ["sentence", "note", "label"],
        ["a great film", "'=cmd()", "positive"],
        ["awful", "2", "negative"],
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["predict", "RUN", "none.csv", "-o", "out.csv"], "is no file"),
        (["predict", "nowhere", "in.csv", "-o", "out.csv"], "holds no classifier"),
        (["predict", "RUN", "in.csv", "-o", "out.csv", "--chunk_rows", "0"], "at least 1"),
        (["predict", "RUN", "in.csv", "-o", "out.csv", "--runtime", "onnx"], "has no ONNX form"),
        (["export", "RUN"], "only encoder"),
        (["serve", "RUN", "--port", "70000"], "between 1 and 65535"),
        (["serve", "RUN", "--max_waiting", "3"], "raise --max_waiting"),
    ],
)
def test_what_cannot_be_done_is_told_with_status_2(
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text("sentence\nx\n", encoding="utf-8")
    assert main([str(finished) if word == "RUN" else word for word in given]) == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out.csv").exists()


def test_replies_without_a_label_are_counted_aloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = ByRule(lambda text: (None, None) if text == "mute" else ("positive", 0.9))
    monkeypatch.setattr(at_work, "load_classifier", lambda *_, **__: rule)
    monkeypatch.setattr(at_work, "describe", lambda _: "by rule")
    source = tmp_path / "in.csv"
    source.write_text("sentence\nmute\nloud\n", encoding="utf-8")
    assert main(["predict", "x", str(source), "-o", str(tmp_path / "out.csv")]) == 0
    assert "1 replies named no label" in capsys.readouterr().out
