import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from beatingbert.errors import DataError
from beatingbert.report.errors.analysis import analyse_errors, ensure_analysed
from beatingbert.statistics.intervals import wilson
from beatingbert.tasks.example import Example, Question
from beatingbert.tasks.prediction import Prediction

FinishRun = Callable[..., Path]
LABELS = ("negative", "positive")


def table(folder: Path, name: str) -> list[list[str]]:
    with (folder / "error_analysis" / "validation" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def example(name: str, gold: str, words: int = 3) -> Example:
    return Example(Question(name, {"sentence": " ".join(["word"] * words)}), gold)


def answer(name: str, label: str | None, positive: float | None = None, **about: object) -> Prediction:
    sure = None if positive is None else {"negative": 1 - positive, "positive": positive}
    return Prediction(question_id=name, label=label, probabilities=sure, **about)  # type: ignore[arg-type]


@pytest.fixture
def folder(finish_run: FinishRun) -> Path:
    """Six answers: two right, three wrong with growing confidence, one that names no label."""
    examples = [example(f"q{at}", gold) for at, gold in enumerate(("negative", "positive") * 3)]
    predictions = [
        answer("q0", "negative", 0.25),
        answer("q1", "negative", 0.375),
        answer("q2", "positive", 0.875, reply="=1+1", lost_tokens=4),
        answer("q3", "negative", 0.25),
        answer("q4", "negative", 0.125, lost_tokens=1),
        answer("q5", None, 0.5, reply="I cannot say"),
    ]
    made = finish_run(examples, predictions, LABELS)
    analyse_errors(made)
    return made


def test_the_tables_are_those_that_apply(folder: Path) -> None:
    assert files_in(folder / "error_analysis") == {
        "analysis.json",
        *(
            f"validation/{name}.csv"
            for name in (
                *("by_label", "by_length", "by_truncation", "confusion_matrix", "confusion_matrix_normalized"),
                *("errors", "per_class", "reliability", "top_errors", "unparsed"),
            )
        ),
    }


def test_the_confusion_matrix_counts_what_named_no_label_apart(folder: Path) -> None:
    assert table(folder, "confusion_matrix") == [
        ["gold / predicted", "negative", "positive", "no label"],
        ["negative", "2", "1", "0"],
        ["positive", "2", "0", "1"],
    ]


def test_every_row_of_the_normalised_matrix_is_a_gold_labels_shares(folder: Path) -> None:
    header, *rows = table(folder, "confusion_matrix_normalized")
    assert header == table(folder, "confusion_matrix")[0]
    assert [[float(cell) for cell in row[1:]] for row in rows] == [
        pytest.approx([2 / 3, 1 / 3, 0]),
        pytest.approx([2 / 3, 0, 1 / 3]),
    ]


def test_a_label_without_rows_has_no_shares(finish_run: FinishRun) -> None:
    examples = [example("a", "negative"), example("b", "negative")]
    made = finish_run(examples, [answer("a", "negative"), answer("b", "positive")], LABELS)
    analyse_errors(made)
    assert table(made, "confusion_matrix_normalized")[2] == ["positive", "", "", ""]


def test_the_errors_are_exactly_the_wrong_ones_in_the_datas_order(folder: Path) -> None:
    assert table(folder, "errors") == [
        ["id", "gold", "predicted", "probability", "reply"],
        ["q1", "positive", "negative", "0.625", ""],
        ["q2", "negative", "positive", "0.875", "'=1+1"],
        ["q3", "positive", "negative", "0.75", ""],
        ["q5", "positive", "", "", "I cannot say"],
    ]


def test_the_most_confident_mistake_comes_first_with_its_text(folder: Path) -> None:
    header, *rows = table(folder, "top_errors")
    assert header == ["rank", "text", "id", "gold", "predicted", "probability", "reply"]
    assert [row[2] for row in rows] == ["q2", "q3", "q1", "q5"]
    assert rows[0] == ["1", "word word word", "q2", "negative", "positive", "0.875", "'=1+1"]


def test_only_so_many_mistakes_are_shown_as_asked_for(folder: Path) -> None:
    analyse_errors(folder, top=2)
    assert [row[2] for row in table(folder, "top_errors")[1:]] == ["q2", "q3"]
    assert len(table(folder, "errors")) == 5


def test_accuracy_by_label_has_wilsons_interval_and_how_often_the_label_was_answered(folder: Path) -> None:
    header, negative, positive = table(folder, "by_label")
    assert header == ["label", "rows", "right", "accuracy", "low", "high", "answered"]
    expected = wilson(2, 3, level=0.95)
    assert negative[:3] == ["negative", "3", "2"]
    assert [float(cell) for cell in negative[3:6]] == [expected.value, expected.low, expected.high]
    assert (negative[6], positive[6]) == ("4", "1")


def test_rows_that_lost_tokens_are_told_from_those_read_whole(folder: Path) -> None:
    assert [row[:3] for row in table(folder, "by_truncation")[1:]] == [["whole", "4", "1"], ["cut", "2", "1"]]


def test_the_reliability_table_is_the_records(folder: Path) -> None:
    score = json.loads((folder / "results.json").read_text(encoding="utf-8"))["scores"]["validation"]
    _, *rows = table(folder, "reliability")
    assert [int(row[2]) for row in rows] == [one["count"] for one in score["reliability"]]
    assert sum(int(row[2]) for row in rows) == 6


def test_unparsed_replies_are_shown_with_their_ids(folder: Path) -> None:
    assert table(folder, "unparsed") == [["reply", "rows", "ids"], ["i cannot say", "1", "q5"]]


def test_per_class_report_is_scikit_learns(folder: Path) -> None:
    header, negative, positive = table(folder, "per_class")
    assert header == ["label", "precision", "recall", "f1", "support"]
    assert [float(cell) for cell in negative[1:]] == pytest.approx([2 / 4, 2 / 3, 4 / 7, 3])
    assert [float(cell) for cell in positive[1:]] == [0, 0, 0, 3]


def test_multiple_choice_has_no_confusion_of_positions_but_tells_a_preferred_place(finish_run: FinishRun) -> None:
    choices = ("this", "that", "those")
    examples = [Example(Question(f"q{at}", {"question": "Which?"}, choices), str(at % 3)) for at in range(6)]
    made = finish_run(examples, [Prediction(question_id=f"q{at}", label="0") for at in range(6)])
    analyse_errors(made)
    present = files_in(made / "error_analysis" / "validation")
    assert not present & {"confusion_matrix.csv", "per_class.csv", "confusion_matrix_normalized.csv"}
    assert [(row[0], row[2], row[6]) for row in table(made, "by_label")[1:]] == [
        ("0", "2", "6"),
        ("1", "0", "0"),
        ("2", "0", "0"),
    ]
    assert table(made, "top_errors")[1][1] == "question: Which?\n0) this\n1) that\n2) those"


def test_a_pair_of_texts_is_shown_with_the_fields_names(finish_run: FinishRun) -> None:
    texts = {"premise": "A cat sat.", "hypothesis": "=SUM(A1)"}
    examples = [Example(Question(name, texts), "negative") for name in "ab"]
    made = finish_run(examples, [answer("a", "negative"), answer("b", "positive")], LABELS)
    analyse_errors(made)
    assert table(made, "top_errors")[1][1] == "premise: A cat sat.\nhypothesis: =SUM(A1)"


def test_without_probabilities_and_unparsed_replies_there_are_no_tables_of_them(finish_run: FinishRun) -> None:
    made = finish_run(
        [example("a", "negative"), example("b", "negative")], [answer("a", "negative"), answer("b", "positive")], LABELS
    )
    analyse_errors(made)
    assert not files_in(made / "error_analysis") & {"validation/reliability.csv", "validation/unparsed.csv"}


def test_a_run_from_before_questions_were_kept_has_all_but_their_texts(folder: Path) -> None:
    with_texts = table(folder, "top_errors")
    (folder / "questions.parquet").unlink()
    analyse_errors(folder)
    assert [row[:1] + row[2:] for row in table(folder, "top_errors")] == [row[:1] + row[2:] for row in with_texts]
    assert {row[1] for row in table(folder, "top_errors")[1:]} == {""}
    assert not (folder / "error_analysis" / "validation" / "by_length.csv").exists()


def test_answers_to_an_unlabelled_split_are_not_analysed(finish_run: FinishRun) -> None:
    made = finish_run([example("a", "")], [answer("a", "negative")], LABELS, scored=False)
    assert analyse_errors(made) is None
    assert ensure_analysed(made)
    assert not (made / "error_analysis").exists()


def test_tables_are_made_once_and_anew_where_they_are_missing_or_of_another_version(folder: Path) -> None:
    errors = folder / "error_analysis" / "validation" / "errors.csv"
    errors.write_text("as it was", encoding="utf-8")
    assert ensure_analysed(folder)
    assert errors.read_text(encoding="utf-8") == "as it was"
    (folder / "error_analysis" / "analysis.json").write_text('{"version": 0}', encoding="utf-8")
    assert ensure_analysed(folder)
    assert errors.read_text(encoding="utf-8") != "as it was"
    shutil.rmtree(folder / "error_analysis")
    assert ensure_analysed(folder)
    assert errors.exists()


def test_a_failure_is_logged_and_leaves_the_run_and_the_tables_of_before(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "error_analysis" / "analysis.json").unlink()
    before = files_in(folder)
    (folder / "predictions.parquet").write_bytes(b"not a table")
    assert not ensure_analysed(folder)
    assert "predictions.parquet" in caplog.text
    assert files_in(folder) == before


def test_damaged_predictions_are_named(folder: Path) -> None:
    (folder / "predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"predictions\.parquet"):
        analyse_errors(folder)
    (folder / "predictions.parquet").unlink()
    with pytest.raises(DataError, match=r"predictions\.parquet"):
        analyse_errors(folder)
