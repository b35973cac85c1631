from collections.abc import Callable
from pathlib import Path

import pytest

from beatingbert.errors import DataError
from beatingbert.report.answers import read_answers
from beatingbert.report.questions import Asked, keeps_questions, read_questions
from beatingbert.runs.evidence import write_questions
from beatingbert.runs.record import RunRecord
from beatingbert.tasks.example import Question

MakeRun = Callable[..., RunRecord]
PAIR = Question("a", {"premise": "A cat\nsat.", "hypothesis": "Yes."})
CHOICE = Question("b", {"question": "Which?"}, ("this", "that one"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    questions = {"validation": [PAIR, CHOICE], "test": [Question("a", {"premise": "another"})]}
    write_questions(tmp_path / "questions.parquet", questions, {})
    return tmp_path


def test_questions_come_back_as_they_were_asked_split_by_split(folder: Path) -> None:
    assert keeps_questions(folder)
    assert read_questions(folder, "validation") == {
        "a": Asked(fields=dict(PAIR.texts)),
        "b": Asked(fields=dict(CHOICE.texts), choices=CHOICE.choices),
    }
    assert list(read_questions(folder, "validation", {"b", "c"})) == ["b"]
    assert read_questions(folder, "test")["a"].fields == {"premise": "another"}


def test_a_question_is_one_text_one_line_or_a_number_of_words(folder: Path) -> None:
    pair, choice = read_questions(folder, "validation").values()
    assert (pair.text, choice.text) == (
        "premise: A cat\nsat.\nhypothesis: Yes.",
        "question: Which?\n0) this\n1) that one",
    )
    assert Asked(fields={"sentence": "alone"}).text == "alone"
    assert (pair.line, choice.line) == ("A cat\nsat. | Yes.", "Which?")
    assert (pair.words, choice.words) == (4, 4)


def test_a_run_that_kept_none_has_none(make_run: MakeRun) -> None:
    record = make_run("bert", [True, False])
    assert not keeps_questions(record.folder)
    assert read_questions(record.folder, "validation") == {}
    assert read_answers(record.folder, "validation").asked == [None, None]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no table"])
def test_a_damaged_file_is_named_without_the_place_on_this_machine(folder: Path, content: bytes) -> None:
    (folder / "questions.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"damaged: questions\.parquet") as told:
        read_questions(folder, "validation")
    assert str(folder) not in str(told.value)


def test_rows_are_sorted_by_id_and_the_order_of_asking_is_kept(make_run: MakeRun) -> None:
    record = make_run("bert", [True] * 12)
    answers = read_answers(record.folder, "validation")
    assert answers.ids.tolist() == sorted(f"q{at}" for at in range(12))
    assert [answers.ids[at] for at in answers.as_asked] == [f"q{at}" for at in range(12)]
