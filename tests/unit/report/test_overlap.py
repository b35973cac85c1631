import csv
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, jaccard_score

from beatingbert.errors import MisalignedError, TooFewExamplesError
from beatingbert.report import overlap as overlap_module
from beatingbert.report.frame import read_frame
from beatingbert.report.overlap import (
    Overlap,
    overlap_errors,
    overlap_of,
    write_all_wrong,
    write_alone,
    write_error_overlap,
)
from beatingbert.runs.evidence import write_questions
from beatingbert.runs.record import RunRecord
from beatingbert.statistics.intervals import wilson
from beatingbert.tasks.example import Question

MakeRun = Callable[..., RunRecord]
T, F = True, False

RIGHT = [
    [T, T, F, F, F, T],
    [T, F, T, F, F, F],
    [T, F, F, F, T, T],
]
"""Three contenders on six rows with the ids r0 to r5; gold is 0, 1, 0, 1, 0, 1."""


def overlap(right: list[list[bool]], answers: list[list[int]] | None = None) -> Overlap:
    matrix = np.array(right)
    gold = np.arange(matrix.shape[1]) % 2
    names = [f"c{at}" for at in range(len(right))]
    ids = [f"r{at}" for at in range(matrix.shape[1])]
    return overlap_errors(names, ids, matrix, np.array(answers) if answers else np.where(matrix, gold, 1 - gold))


def test_the_overlap_of_a_case_worked_by_hand() -> None:
    one = overlap(RIGHT)
    assert one.wrong.tolist() == [3, 4, 3]  # c0 errs on 2 3 4, c1 on 1 3 4 5, c2 on 1 2 3
    assert one.both_wrong.tolist() == [[3, 2, 2], [2, 4, 2], [2, 2, 3]]
    assert one.jaccard[0, 1] == 2 / 5
    assert one.jaccard[0, 2] == 2 / 4
    assert one.jaccard[1, 2] == 2 / 5
    assert one.alone_right == (("r1",), ("r2",), ("r4",))
    assert one.alone_wrong == ((), ("r5",), ())
    assert one.all_wrong == ("r3",)
    assert one.oracle == wilson(5, 6, level=0.95)
    assert one.best == 0.5
    assert one.sentence().startswith("At least one of 3 is right on 83.3 % of 6 rows (95 % interval ")
    assert one.sentence().endswith("the best alone on 50.0 %; 1 rows are answered wrong by all.")


@pytest.mark.parametrize("seed", range(4))
def test_every_number_of_pairs_is_scikit_learns_and_every_row_is_found_by_looking(seed: int) -> None:
    generator = np.random.default_rng(seed)
    gold = generator.integers(0, 3, 40)
    answers = np.where(generator.random((5, 40)) < 0.6, gold, generator.integers(-1, 3, (5, 40)))
    right = answers == gold
    ids = [f"r{at}" for at in range(40)]
    one = overlap_errors([f"c{at}" for at in range(5)], ids, right, answers)
    for at, to in combinations(range(5), 2):
        assert one.jaccard[at, to] == pytest.approx(jaccard_score(~right[at], ~right[to]))
        assert one.kappa[at, to] == pytest.approx(cohen_kappa_score(answers[at], answers[to]))
    columns = {name: right[:, at].tolist() for at, name in enumerate(ids)}
    assert one.all_wrong == tuple(name for name in ids if not any(columns[name]))
    for at in range(5):
        alone = [name for name in ids if columns[name] == [other == at for other in range(5)]]
        assert one.alone_right[at] == tuple(alone)
        alone = [name for name in ids if columns[name] == [other != at for other in range(5)]]
        assert one.alone_wrong[at] == tuple(alone)
    assert one.oracle is not None
    assert one.oracle.value == pytest.approx(np.mean([any(column) for column in columns.values()]))


def test_whoever_answers_all_alike_neither_hides_a_hard_row_nor_helps_the_oracle() -> None:
    always_one = [F, T, F, T, F, T]
    one = overlap([*RIGHT, always_one])
    assert one.judges.tolist() == [T, T, T, F]
    assert one.all_wrong == ("r3",)  # though always_one is right there
    assert one.oracle == overlap(RIGHT).oracle
    assert one.alone_right[3] == one.alone_wrong[3] == ()
    assert one.both_wrong[0, 3] == 2
    assert one.best == 0.5


def test_where_neither_errs_there_is_nothing_to_share() -> None:
    one = overlap([[T] * 6, [T] * 6])
    assert np.isnan(one.jaccard).all()
    assert one.all_wrong == ()
    assert one.oracle is not None
    assert one.oracle.value == 1.0


def test_with_one_judge_there_is_no_one_to_choose_from() -> None:
    for right in ([RIGHT[0]], [RIGHT[0], [F, T, F, T, F, T]]):
        one = overlap(right)
        assert one.oracle is None
        assert one.all_wrong == ()
        assert set(one.alone_right) == {()}
        assert "no one to choose between" in one.sentence()


def test_replies_that_name_no_label_agree_with_each_other_alone() -> None:
    one = overlap([[T, T, F, F], [T, F, F, F]], [[0, 1, -1, 0], [0, -1, -1, 0]])
    assert one.kappa[0, 1] == pytest.approx(cohen_kappa_score([0, 1, -1, 0], [0, -1, -1, 0]))


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(MisalignedError, match=r"shape \(2, 3\), got \(2, 2\)"):
        overlap_errors(["a", "b"], ["x", "y", "z"], np.ones((2, 2), dtype=bool), np.zeros((2, 2), dtype=int))
    with pytest.raises(TooFewExamplesError):
        overlap_errors([], [], np.ones((0, 0), dtype=bool), np.zeros((0, 0), dtype=int))


@pytest.fixture
def found(make_run: MakeRun, runs_dir: Path, tmp_path: Path) -> Path:
    """The three tables of three contenders, one of them with two seeds, beside a majority."""
    runs = [make_run(f"c{at}", right, model=f"c{at}", cell={"seed": 1}) for at, right in enumerate(RIGHT)]
    make_run("again", [F] * 6, model="c0", cell={"seed": 2, "settings": {"checkpoint": "c0"}})
    make_run("majority", [F, T] * 3, cell={"engine": "majority"})
    questions = [Question(f"q{at}", {"sentence": f"=text {at}"}) for at in range(6)]
    write_questions(runs[0].folder / "questions.parquet", {"validation": questions}, {})
    frame = read_frame(runs_dir)
    (group,) = frame.groups
    pairs = [(group, overlap_of(frame, group))]
    write_error_overlap(tmp_path / "error_overlap.csv", pairs)
    write_alone(tmp_path / "alone.csv", pairs)
    write_all_wrong(tmp_path / "all_wrong.csv", pairs)
    assert not list(tmp_path.glob("*.part"))
    return tmp_path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_pair_has_a_line_and_seeds_of_one_contender_are_no_pair(found: Path) -> None:
    rows = rows_of(found / "error_overlap.csv")
    assert len(rows) == 6
    (line,) = (one for one in rows if one["first"].startswith("c0") and one["second"].startswith("c1"))
    assert line["first"] == "c0 (fine-tuned on 3,600)"
    assert (line["task"], line["rows"], line["first_wrong"], line["second_wrong"]) == ("sst2", "6", "3", "4")
    assert (line["both_wrong"], float(line["jaccard"])) == ("2", 0.4)
    assert float(line["kappa"]) == pytest.approx(cohen_kappa_score([0, 1, 1, 0, 1, 1], [0, 0, 0, 0, 1, 0]))


def test_a_number_that_does_not_exist_is_blank(found: Path, make_run: MakeRun, runs_dir: Path) -> None:
    for name in ("one", "two"):
        make_run(name, [T] * 4, first_id=50)
    frame = read_frame(runs_dir)
    (group,) = (one for one in frame.groups if one.rows == 4)
    write_error_overlap(found / "b.csv", [(group, overlap_of(frame, group))])
    (line,) = rows_of(found / "b.csv")
    assert (line["jaccard"], float(line["kappa"])) == ("", 1.0)


def test_who_is_alone_is_told_with_the_rows(found: Path) -> None:
    lines = {one["contender"].split()[0]: one for one in rows_of(found / "alone.csv")}
    assert (lines["c1"]["alone_right"], lines["c1"]["alone_right_ids"]) == ("1", "q2")
    assert (lines["c1"]["alone_wrong"], lines["c1"]["alone_wrong_ids"]) == ("1", "q5")
    assert (lines["majority"]["wrong"], lines["majority"]["alone_right"]) == ("3", "0")


def test_rows_that_all_get_wrong_are_told_with_gold_and_text_and_run_no_formula(found: Path) -> None:
    (line,) = rows_of(found / "all_wrong.csv")
    assert len(line.pop("rows_fingerprint")) == 12
    assert line == {
        **{"task": "sst2", "split": "validation", "rows": "6", "id": "q3", "gold": "positive"},
        **{"judges": "3", "text": "'=text 3"},
    }


def test_a_damaged_file_of_questions_costs_no_more_than_its_texts(
    make_run: MakeRun, runs_dir: Path, tmp_path: Path
) -> None:
    runs = [make_run(f"c{at}", right, model=f"c{at}") for at, right in enumerate(RIGHT)]
    frame = read_frame(runs_dir)
    (group,) = frame.groups
    for run in runs:
        (run.folder / "questions.parquet").write_bytes(b"PAR1")
        write_all_wrong(tmp_path / "all_wrong.csv", [(group, overlap_of(frame, group))])
        assert [(one["id"], one["text"]) for one in rows_of(tmp_path / "all_wrong.csv")] == [("q3", "")]


def test_of_very_many_contenders_the_pairs_of_the_best_are_listed_and_all_are_judged(
    make_run: MakeRun, runs_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlap_module, "MOST_PAIRED", 2)
    for at, right in enumerate(([T, T, F, F, F, F], [T, T, T, T, F, F], [F, T, T, T, T, F])):
        make_run(f"c{at}", right, model=f"c{at}")
    frame = read_frame(runs_dir)
    (group,) = frame.groups
    found = overlap_of(frame, group)
    write_error_overlap(tmp_path / "error_overlap.csv", [(group, found)])
    (line,) = rows_of(tmp_path / "error_overlap.csv")
    assert (line["first"].split()[0], line["second"].split()[0]) == ("c1", "c2")
    assert len(found.names) == 3 and found.all_wrong == ("q5",)


def test_some_of_a_groups_contenders_can_be_held_against_each_other(make_run: MakeRun, runs_dir: Path) -> None:
    for at, right in enumerate(RIGHT):
        make_run(f"c{at}", right, model=f"c{at}")
    frame = read_frame(runs_dir)
    (group,) = frame.groups
    whole, part = overlap_of(frame, group), overlap_of(frame, group, group.contenders[1:])
    assert part.names == whole.names[1:]
    assert np.array_equal(part.jaccard, whole.jaccard[1:, 1:], equal_nan=True)
