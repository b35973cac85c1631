"""Files of every format are read alike; whatever is wrong with one is named with its place."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from beatingbert.errors import DataError
from beatingbert.tasks.catalog import TASKS
from beatingbert.tasks.files import FilesSource
from beatingbert.tasks.tables import read_table

from .conftest import WriteSplit, sentences

SST2, RTE, BOOLQ = TASKS["sst2"], TASKS["rte"], TASKS["boolq"]
ODD = [
    {"sentence": ' "quoted", with a comma ', "label": 0, "idx": 7},
    {"sentence": "é\u2028 one line", "label": 1, "idx": 8},
]
JSON_LINES = "".join(json.dumps(row) + "\n" for row in ODD).encode()
CSV = 'sentence,label,idx\n" ""quoted"", with a comma ",0,7\né\u2028 one line,1,8\n'.encode()
TSV = 'sentence\tlabel\tidx\r\n "quoted", with a comma \t0\t7\r\né\u2028 one line\t1\t8\r\n'.encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train.jsonl", JSON_LINES),
        ("train.jsonl.gz", gzip.compress(JSON_LINES, mtime=0)),
        ("train.csv", CSV),
        ("train.csv", b"\xef\xbb\xbf" + CSV),
        ("train.csv.gz", gzip.compress(CSV, mtime=0)),
        ("train.tsv", TSV),
        ("train.tsv.gz", gzip.compress(TSV, mtime=0)),
    ],
)
def test_every_format_gives_the_same_examples_with_their_text_untouched(
    write_split: WriteSplit, tmp_path: Path, name: str, content: bytes
) -> None:
    write_split("sst2", name, content)
    rows = FilesSource(SST2, tmp_path).read("train")
    assert [(e.question.id, e.question.texts["sentence"], e.label) for e in rows.labelled] == [
        ("7", ' "quoted", with a comma ', "negative"),
        ("8", "é\u2028 one line", "positive"),
    ]
    assert (rows.file, rows.partial) == (name, False)


def test_parquet_gives_the_same_examples_too(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "sst2").mkdir()
    parquet.write_table(pa.Table.from_pylist(ODD), tmp_path / "sst2/train.parquet")
    assert [e.label for e in FilesSource(SST2, tmp_path).read("train").labelled] == ["negative", "positive"]
    whole = (tmp_path / "sst2/train.parquet").read_bytes()
    with pytest.raises(DataError, match=r"x\.parquet: expected a whole Parquet file, found a damaged one"):
        read_table(whole[:-20], "x.parquet")


def test_a_very_long_csv_field_is_read_and_the_process_keeps_its_limit() -> None:
    before = csv.field_size_limit()
    rows = read_table(b"sentence,label\n" + b"x" * 200_000 + b",1\n", "a.csv")
    assert len(rows[0].cells["sentence"]) == 200_000
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"a": 1}\n\n{"a": \n', r"a\.jsonl, row 2 \(line 3\): expected one JSON object a line"),
        ("a.jsonl", b"[1]\n", r"a\.jsonl, row 1 \(line 1\): expected one JSON object a line, found list"),
        ("a.jsonl", b"{}\n\xff\n", r"a\.jsonl, line 2: expected UTF-8 text, found byte 0xff"),
        ("a.jsonl.gz", b"no gzip", r"a\.jsonl\.gz: expected a whole gzip file"),
        ("a.jsonl.gz", gzip.compress(JSON_LINES, mtime=0)[:-9], r"a\.jsonl\.gz: expected a whole gzip file"),
        ("a.csv", b"", r"a\.csv: expected a header line"),
        ("a.csv", b"x,y,x\n1,2,3\n", r"a\.csv \(line 1\): expected each column once, found 'x' more than once"),
        ("a.csv", b'x,y\n"1\n1",2\n1\n', r"a\.csv, row 2 \(line 4\): expected 2 fields as in the header, found 1"),
        ("a.csv", b'x,y\n1,2\n"1" 1,2\n', r"a\.csv, row 2 \(line 3\): expected CSV with fields quoted"),
        ("a.csv", b'x,y\n"1,2\n', r"a\.csv, row 1 \(line 2\): expected CSV with fields quoted"),
        ("a.tsv", b"x\ty\n1\t2\t3\n", r"a\.tsv, row 1 \(line 2\): expected 2 fields as in the header, found 3"),
        ("a.txt", b"", r"a\.txt: expected a file that ends in \.jsonl"),
    ],
)
def test_a_garbled_file_is_refused_with_its_place(name: str, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_table(content, name)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"label": 1}, r"row 3 \(line 3\): column 'sentence' is missing; found label"),
        ({"sentence": "x"}, r"row 3 \(line 3\): column 'label' is missing; found sentence"),
        ({"sentence": None, "label": 1}, r"row 3 .*expected text in 'sentence', found None \(NoneType\)"),
        ({"sentence": 5, "label": 1}, r"row 3 .*expected text in 'sentence', found 5 \(int\)"),
        ({"sentence": "\ud800", "label": 1}, r"row 3 .*half of a surrogate pair"),
        ({"sentence": "x", "label": 2}, r"row 3 .*expected one of 0 \(negative\), 1 \(positive\) in 'label', found 2"),
        ({"sentence": "x", "label": "good"}, r"row 3 .*expected one of .* found 'good'"),
    ],
)
def test_a_row_that_is_not_as_declared_is_refused_with_its_place(
    write_split: WriteSplit, tmp_path: Path, row: dict[str, Any], message: str
) -> None:
    write_split("sst2", "train", [*sentences(2), row])
    with pytest.raises(DataError, match=r"train\.jsonl, " + message):
        FilesSource(SST2, tmp_path).read("train")


def test_an_empty_split_is_refused(write_split: WriteSplit, tmp_path: Path) -> None:
    write_split("sst2", "train", [])
    with pytest.raises(DataError, match=r"train\.jsonl holds no rows; expected at least one with columns sentence"):
        FilesSource(SST2, tmp_path).read("train")


@pytest.mark.parametrize("written", [1, "1", 1.0, "positive", "Positive", True])
def test_a_label_may_be_a_number_or_a_name(write_split: WriteSplit, tmp_path: Path, written: object) -> None:
    write_split("sst2", "train", [{"sentence": "x", "label": written}])
    assert [e.label for e in FilesSource(SST2, tmp_path).read("train").labelled] == ["positive"]


def test_a_label_whose_name_is_a_number_is_read_as_the_name(write_split: WriteSplit, tmp_path: Path) -> None:
    task = replace(SST2, labels=("-1", "0", "1"))
    write_split("sst2", "train", [{"sentence": "x", "label": -1}, {"sentence": "x", "label": "1"}])
    assert [e.label for e in FilesSource(task, tmp_path).read("train").labelled] == ["-1", "1"]


@pytest.mark.parametrize("hidden", [-1, "-1", "", None, float("nan")])
def test_rows_with_a_hidden_label_are_kept_apart_in_order(
    write_split: WriteSplit, tmp_path: Path, hidden: object
) -> None:
    write_split("sst2", "test", [{"sentence": "a", "label": hidden}, {"sentence": "b", "label": 0}])
    rows = FilesSource(SST2, tmp_path).read("test")
    assert [question.texts["sentence"] for question in rows.unlabelled] == ["a"]
    assert [example.question.texts["sentence"] for example in rows.labelled] == ["b"]
    assert [question.id for question in rows.questions] == ["0", "1"]


def test_ids_are_positions_where_idx_repeats(write_split: WriteSplit, tmp_path: Path) -> None:
    write_split("sst2", "train", [row | {"idx": 5} for row in sentences(3)])
    assert [q.id for q in FilesSource(SST2, tmp_path).read("train").questions] == ["0", "1", "2"]


def test_boolq_is_read_from_the_hubs_boolean_column(write_split: WriteSplit, tmp_path: Path) -> None:
    row = {"question": "is it", "passage": "it is"}
    write_split("boolq", "train", [row | {"answer": True}, row | {"answer": False}])
    examples = FilesSource(BOOLQ, tmp_path).read("train").labelled
    assert [example.label for example in examples] == ["true", "false"]
    assert list(examples[0].question.texts) == ["question", "passage"]


def test_the_three_forms_of_multiple_choice_are_read(write_split: WriteSplit, tmp_path: Path) -> None:
    endings = {"activity_label": "Run", "ctx": "He", "endings": ["a", "b", "c"], "label": "2"}
    write_split("hellaswag", "validation", [endings])
    options = {"sentence": "_ ran", "option1": "a", "option2": "b", "answer": "2"}
    write_split("winogrande", "validation", [options, options | {"answer": ""}])
    lettered = {"question": "?", "choices": {"text": ["a", "b", "c"], "label": ["A", "B", "C"]}, "answerKey": "C"}
    numbered = {"question": "?", "choices": {"text": ["a", "b"], "label": ["1", "2"]}, "answerKey": "1"}
    write_split("arc_challenge", "validation", [lettered, numbered])
    hellaswag, winogrande, arc = (
        FilesSource(TASKS[name], tmp_path).read("validation") for name in ("hellaswag", "winogrande", "arc_challenge")
    )
    assert [(e.question.choices, e.label) for e in hellaswag.labelled] == [(("a", "b", "c"), "2")]
    assert [(e.question.choices, e.label) for e in winogrande.labelled] == [(("a", "b"), "1")]
    assert len(winogrande.unlabelled) == 1
    assert [(e.question.choices, e.label) for e in arc.labelled] == [(("a", "b", "c"), "2"), (("a", "b"), "0")]


def test_choices_in_a_csv_file_are_json(write_split: WriteSplit, tmp_path: Path) -> None:
    write_split("arc_challenge", "validation.csv", b'question,choices,answerKey\n?,"[""a"", ""b""]",1\n')
    rows = FilesSource(TASKS["arc_challenge"], tmp_path).read("validation")
    assert [(e.question.choices, e.label) for e in rows.labelled] == [(("a", "b"), "1")]


@pytest.mark.parametrize(
    ("choices", "key", "message"),
    [
        ({"text": ["a", "b"], "label": ["A"]}, "A", "two lists of one length"),
        ({"text": ["a", "b"], "label": ["A", "A"]}, "A", "different names for the choices"),
        ({"text": ["a", "b"], "label": ["A", "B"]}, "C", "expected one of A, B in 'answerKey', found 'C'"),
        (["a", None], "0", "expected text in 'choices', found None"),
        (["a"], "0", "two or more choices"),
        ("[1", "0", "a JSON list of choices"),
    ],
)
def test_choices_that_make_no_sense_are_refused(
    write_split: WriteSplit, tmp_path: Path, choices: object, key: str, message: str
) -> None:
    write_split("arc_challenge", "validation", [{"question": "?", "choices": choices, "answerKey": key}])
    with pytest.raises(DataError, match=r"validation\.jsonl, row 1 \(line 1\): .*" + message):
        FilesSource(TASKS["arc_challenge"], tmp_path).read("validation")


def test_a_sentence_without_its_blank_is_refused_with_its_place(write_split: WriteSplit, tmp_path: Path) -> None:
    row = {"sentence": "Nobody ran", "option1": "a", "option2": "b", "answer": "2"}
    write_split("winogrande", "validation", [row | {"sentence": "_ ran"}, row])
    with pytest.raises(DataError, match=r"validation\.jsonl, row 2 \(line 2\): expected a blank \('_'\)"):
        FilesSource(TASKS["winogrande"], tmp_path).read("validation")


def test_a_part_stands_in_for_a_missing_split_and_says_so(write_split: WriteSplit, tmp_path: Path) -> None:
    write_split("sst2", "train_part", sentences(2))
    rows = FilesSource(SST2, tmp_path).read("train")
    assert (rows.file, rows.partial) == ("train_part.jsonl", True)
    write_split("sst2", "train", sentences(4))
    rows = FilesSource(SST2, tmp_path).read("train")
    assert (rows.file, rows.partial, len(rows.labelled)) == ("train.jsonl", False, 4)


def test_winogrande_takes_the_largest_train_file(write_split: WriteSplit, tmp_path: Path) -> None:
    row = {"sentence": "_ ran", "option1": "a", "option2": "b", "answer": "2"}
    source_of = {"train_xs": 1, "train_m": 2}
    for name, count in source_of.items():
        write_split("winogrande", name, [row] * count)
    rows = FilesSource(TASKS["winogrande"], tmp_path).read("train")
    assert (rows.file, rows.partial) == ("train_m.jsonl", True)
    write_split("winogrande", "train_xl", [row] * 3)
    assert FilesSource(TASKS["winogrande"], tmp_path).read("train").partial is False


def test_two_files_for_one_split_are_refused(write_split: WriteSplit, tmp_path: Path) -> None:
    write_split("sst2", "train", sentences(2))
    write_split("sst2", "train.csv", CSV)
    with pytest.raises(DataError, match=r"expected one file for split 'train', found train\.jsonl, train\.csv"):
        FilesSource(SST2, tmp_path).read("train")


def test_a_missing_folder_or_split_is_named_with_what_is_there(write_split: WriteSplit, tmp_path: Path) -> None:
    write_split("sst2", "train", sentences(2))
    with pytest.raises(DataError, match=r"no folder 'rte' in .*found there: sst2\. Expected rte/validation\.jsonl"):
        FilesSource(RTE, tmp_path)
    with pytest.raises(DataError, match=r"no file for split 'test' in .*found there: train\.jsonl\. Expected test or"):
        FilesSource(SST2, tmp_path).read("test")
    with pytest.raises(DataError, match="nothing, it is no folder"):
        FilesSource(RTE, tmp_path / "nowhere")


def test_the_revision_follows_the_bytes(write_split: WriteSplit, tmp_path: Path) -> None:
    write_split("sst2", "train", sentences(2))
    first = FilesSource(SST2, tmp_path).revision()
    assert FilesSource(SST2, tmp_path).revision() == first
    write_split("sst2", "train", sentences(3))
    assert FilesSource(SST2, tmp_path).revision() != first
