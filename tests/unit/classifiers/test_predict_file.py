from __future__ import annotations

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from filelock import FileLock
from keeping import ByRule

from beatingbert.classifiers import streaming
from beatingbert.classifiers.journal import Journal
from beatingbert.classifiers.streaming import predict_file
from beatingbert.errors import DataError, ResumeError, RunBusyError, RunExistsError, SettingsError

TEXTS = ["a great film", "awful", 'says "no", twice', "two\nlines, great", "", "naïve 😀", "=1+1", "tail"]
EXPECTED = ["positive" if "great" in text else "negative" for text in TEXTS]
PATIENCE_SECONDS = 300.0


def write_csv(path: Path, texts: list[str], **more: list[Any]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "sentence", *more])
        writer.writerows(zip(range(len(texts)), texts, *more.values(), strict=True))
    return path


def read_csv(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("chunk_rows", [1, 3, 8, 100])
def test_a_csv_keeps_its_columns_and_rows_in_their_order(tmp_path: Path, chunk_rows: int) -> None:
    source, output = write_csv(tmp_path / "in.csv", TEXTS), tmp_path / "out.csv"
    rule = ByRule()
    done = predict_file(rule, source, output, chunk_rows=chunk_rows)
    header, *rows = read_csv(output)
    assert header == ["id", "sentence", "label", "probability"]
    assert [row[0] for row in rows] == [str(at) for at in range(8)]
    assert [row[1] for row in rows] == ["'=1+1" if text == "=1+1" else text for text in TEXTS]
    assert [row[2] for row in rows] == EXPECTED
    assert {(row[2], float(row[3])) for row in rows} == {("positive", 0.75), ("negative", 0.625)}
    assert max(rule.together) <= chunk_rows
    assert (done.rows, done.counts) == (8, {"positive": 2, "negative": 6})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_a_tsv_keeps_its_quotation_marks(tmp_path: Path) -> None:
    source, output = tmp_path / "in.tsv", tmp_path / "out.tsv"
    source.write_text('id\tsentence\n1\tsays "great\n2\t-2\n3\t=cmd()\n', encoding="utf-8")
    predict_file(ByRule(), source, output)
    assert output.read_text(encoding="utf-8").split("\n") == [
        "id\tsentence\tlabel\tprobability",
        '1\tsays "great\tpositive\t0.75',
        "2\t-2\tnegative\t0.625",
        "3\t'=cmd()\tnegative\t0.625",
        "",
    ]


def test_a_jsonl_keeps_values_of_every_kind(tmp_path: Path) -> None:
    rows = [{"sentence": text, "at": {"n": [at, None, 1.5]}} for at, text in enumerate(TEXTS)]
    source, output = tmp_path / "in.jsonl.gz", tmp_path / "out.jsonl"
    odd = '{"sentence": "half", "note": "\\ud800"}\n'
    with gzip.open(source, "wt", encoding="utf-8") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows) + "\n" + odd)
    predict_file(ByRule(), source, output)
    got = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    answers = [{"label": label, "probability": 0.75 if label == "positive" else 0.625} for label in EXPECTED]
    assert got[:-1] == [{**row, **answer} for row, answer in zip(rows, answers, strict=True)]
    assert got[-1]["note"] == "\ud800"


def test_a_parquet_file_keeps_its_types(tmp_path: Path) -> None:
    schema = pa.schema([("sentence", pa.large_string()), ("when", pa.timestamp("ms")), ("n", pa.list_(pa.int16()))])
    rows = [{"sentence": f"{text} {at}", "when": at, "n": [at]} for at in range(400) for text in TEXTS]
    table = pa.Table.from_pylist(rows, schema=schema)
    source, output = tmp_path / "in.parquet", tmp_path / "out.parquet"
    parquet.write_table(table, source, row_group_size=700)
    predict_file(ByRule(), source, output, chunk_rows=1000)
    got = parquet.read_table(output)
    assert got.select(["sentence", "when", "n"]).equals(table)
    assert got["label"].to_pylist() == EXPECTED * 400
    assert got.schema.field("probability").type == pa.float64()


def test_a_gzip_output_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", TEXTS)
    for name in ("one.csv.gz", "two.csv.gz"):
        predict_file(ByRule(), source, tmp_path / name)
    one, two = ((tmp_path / name).read_bytes() for name in ("one.csv.gz", "two.csv.gz"))
    assert one == two
    assert gzip.decompress(one).startswith(b"id,sentence,label,probability\r\n")


FORMULAS = ["=cmd()", "=HYPERLINK(0)", "+1+cmd|x", "-1+2", "@SUM(1)", "\t=1", "\r=1"]


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_formula_survives_in_a_csv(tmp_path: Path, formula: str) -> None:
    source, output = write_csv(tmp_path / "in.csv", ["plain"], note=[formula]), tmp_path / "out.csv"
    predict_file(ByRule(), source, output)
    assert read_csv(output)[1][2] == f"'{formula}"


def test_no_formula_survives_in_a_header(tmp_path: Path) -> None:
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("sentence,=cmd()\nx,1\n", encoding="utf-8")
    predict_file(ByRule(), source, output)
    assert read_csv(output)[0] == ["sentence", "'=cmd()", "label", "probability"]


@pytest.mark.parametrize("number", ["-5", "+5", "-0.25", "-.5", "-1e-9", "+3."])
def test_a_number_with_a_sign_is_no_formula(tmp_path: Path, number: str) -> None:
    source, output = write_csv(tmp_path / "in.csv", ["plain"], note=[number]), tmp_path / "out.csv"
    predict_file(ByRule(), source, output)
    assert read_csv(output)[1][2] == number


def test_a_column_of_the_files_own_is_never_replaced(tmp_path: Path) -> None:
    source, output = write_csv(tmp_path / "in.csv", ["great"], label=["gold"]), tmp_path / "out.csv"
    assert predict_file(ByRule(), source, output).columns == ("predicted_label", "predicted_probability")
    assert read_csv(output) == [
        ["id", "sentence", "label", "predicted_label", "predicted_probability"],
        ["0", "great", "gold", "positive", "0.75"],
    ]
    again = tmp_path / "again.csv"
    assert_refused(output, again, DataError, "rename or remove them")


def test_a_reply_without_a_label_leaves_its_cells_empty(tmp_path: Path) -> None:
    rule = ByRule(lambda text: (None, None) if text == "mute" else ("positive", None))
    source, output = write_csv(tmp_path / "in.csv", ["mute", "loud"]), tmp_path / "out.csv"
    done = predict_file(rule, source, output)
    assert read_csv(output)[1:] == [["0", "mute", "", ""], ["1", "loud", "positive", ""]]
    assert (done.unanswered, done.counts) == (1, {"positive": 1})


def assert_refused(source: Path, output: Path, error: type[Exception], told: str) -> None:
    rule = ByRule()
    with pytest.raises(error, match=told):
        predict_file(rule, source, output)
    assert rule.together == []
    assert not output.exists()


def test_a_bad_row_is_named_before_anything_is_answered(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    lines = [json.dumps({"sentence": "good"})] * 300 + ["", json.dumps({"sentence": None})]
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert_refused(source, tmp_path / "out.jsonl", DataError, r"row 301 \(line 302\): expected text in 'sentence'")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("in.csv", b"sentence,n\na,1\nb\n", r"row 2 \(line 3\): expected 2 fields"),
        ("in.csv", b"text\na\n", "column 'sentence' is missing"),
        ("in.csv", b"sentence\n", "holds no rows"),
        ("in.csv", b"sentence\n\xff\n", "line 2: expected UTF-8"),
        ("in.csv", b'sentence\n"a\n', "RFC 4180"),
        ("in.parquet", b"PAR1", "expected a whole Parquet file"),
        ("in.jsonl.gz", gzip.compress(b'{"sentence": "x"}\n' * 999, mtime=0)[:-20], "damaged"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    source = tmp_path / name
    source.write_bytes(content)
    assert_refused(source, tmp_path / name.replace("in", "out", 1), DataError, told)


@pytest.mark.parametrize(
    ("source", "output", "error", "told"),
    [
        ("none.csv", "out.csv", DataError, "is no file"),
        ("in.csv", "out.jsonl", SettingsError, r"must end in \.csv or \.csv\.gz"),
        ("in.csv", "none/out.csv", SettingsError, "does not exist"),
        ("in.csv", "in.csv", RunExistsError, "never overwritten"),
        ("in.xls", "out.xls", DataError, "expected a file that ends in"),
    ],
)
def test_places_are_looked_at_first(
    tmp_path: Path, source: str, output: str, error: type[Exception], told: str
) -> None:
    write_csv(tmp_path / "in.csv", TEXTS)
    (tmp_path / "in.xls").write_bytes(b"x")
    before = (tmp_path / "in.csv").read_bytes()
    with pytest.raises(error, match=told):
        predict_file(ByRule(), tmp_path / source, tmp_path / output)
    assert (tmp_path / "in.csv").read_bytes() == before


def break_off(source: Path, output: Path, after: int, **options: Any) -> None:
    """Answer until so many chunks are done, then fail as if the machine had."""
    rule = ByRule()
    plain = rule.answers

    def failing(questions: Any) -> Any:
        if len(rule.together) == after:
            raise KeyboardInterrupt
        return plain(questions)

    rule.answers = failing  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        predict_file(rule, source, output, **options)
    assert not output.exists()


def test_what_was_answered_before_a_break_is_not_asked_again(tmp_path: Path) -> None:
    texts = [f"{text} {at}" for at in range(5) for text in TEXTS]
    source, output = write_csv(tmp_path / "in.csv", texts), tmp_path / "out.csv"
    predict_file(ByRule(), source, tmp_path / "unbroken.csv", chunk_rows=6)
    break_off(source, output, 3, chunk_rows=6)
    rule = ByRule()
    done = predict_file(rule, source, output, chunk_rows=6)
    assert done.taken_up == 18
    assert sum(rule.together) == 40 - 18
    assert output.read_bytes() == (tmp_path / "unbroken.csv").read_bytes()


@pytest.mark.parametrize("cut", [1, 5, 40, 75])
def test_a_chunk_whose_line_was_cut_is_answered_again(tmp_path: Path, cut: int) -> None:
    source, output = write_csv(tmp_path / "in.csv", TEXTS * 3), tmp_path / "out.csv"
    predict_file(ByRule(), source, tmp_path / "unbroken.csv", chunk_rows=5)
    break_off(source, output, 2, chunk_rows=5)
    journal = tmp_path / "out.csv.journal"
    journal.write_bytes(journal.read_bytes()[:-cut])
    assert predict_file(ByRule(), source, output, chunk_rows=5).taken_up == 5
    assert output.read_bytes() == (tmp_path / "unbroken.csv").read_bytes()


def test_a_journal_cut_within_its_first_line_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b"0123")
    with Journal(path, {"file": "a"}) as journal:
        assert journal.rows == 0
        journal.append([("x", 0.5)])
    with Journal(path, {"file": "a"}) as journal:
        assert list(journal.answers()) == [("x", 0.5)]


@pytest.mark.parametrize("change", ["file", "classifier", "chunk_rows"])
def test_answers_of_another_file_or_classifier_are_not_gone_on_with(tmp_path: Path, change: str) -> None:
    source, output = write_csv(tmp_path / "in.csv", TEXTS), tmp_path / "out.csv"
    break_off(source, output, 1, chunk_rows=3)
    rule, rows = ByRule(), 3
    if change == "file":
        write_csv(source, [*TEXTS[:-1], "other"])
    elif change == "classifier":
        rule.identity = "another"
    else:
        rows = 4
    with pytest.raises(ResumeError, match=f"another {change}"):
        predict_file(rule, source, output, chunk_rows=rows)
    assert not output.exists()


def test_two_processes_do_not_make_one_file(tmp_path: Path) -> None:
    source, output = write_csv(tmp_path / "in.csv", TEXTS), tmp_path / "out.csv"
    rule = ByRule()
    plain, seen = rule.answers, []

    def intruded(questions: Any) -> Any:
        with pytest.raises(RunBusyError):
            predict_file(ByRule(), source, output)
        seen.append(1)
        return plain(questions)

    rule.answers = intruded  # type: ignore[method-assign]
    predict_file(rule, source, output)
    assert seen


def test_the_lock_is_removed_while_it_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a third process could lock a new file of that name while a second one holds the old one."""
    source, output = write_csv(tmp_path / "in.csv", TEXTS), tmp_path / "out.csv"
    there_when_let_go = []

    class Watched(FileLock):
        def release(self, force: bool = False) -> None:
            there_when_let_go.append(Path(self.lock_file).exists())
            super().release(force)

    monkeypatch.setattr(streaming, "FileLock", Watched)
    predict_file(ByRule(), source, output)
    assert there_when_let_go[0] is False
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_progress_comes_to_its_end_in_every_phase(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", TEXTS)
    told: list[tuple[str, int, int]] = []
    predict_file(ByRule(), source, tmp_path / "out.csv", chunk_rows=3, progress=lambda *one: told.append(one))
    assert {phase: (done, of) for phase, done, of in told} == dict.fromkeys(
        ("checking", "answering", "writing"), (8, 8)
    )
    assert [done for phase, done, _ in told if phase == "answering"] == [0, 3, 6, 8]


def test_a_process_that_is_killed_loses_and_doubles_no_row(
    tmp_path: Path, kept_linear: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    texts = [f"{text} number {at}" for at in range(500) for text in TEXTS]
    source, output = write_csv(tmp_path / "in.csv", texts), tmp_path / "out.csv"

    def start(target: Path) -> subprocess.Popen[str]:
        command = "import sys; from beatingbert.cli.main import main; raise SystemExit(main(sys.argv[1:]))"
        given = ["predict", str(kept_linear), str(source), "-o", str(target), "--chunk_rows", "4"]
        return subprocess.Popen(
            [sys.executable, "-c", command, *given], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    journal = tmp_path / "out.csv.journal"
    victim = start(output)
    wait_for(lambda: journal.exists() and journal.read_bytes().count(b"\n") > 20, victim)
    os.kill(victim.pid, signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL
    assert victim.stdout is not None
    victim.stdout.close()
    assert not output.exists()
    answered = journal.read_bytes().count(b"\n") - 1
    assert 20 <= answered < 1000
    second = start(output)
    told, _ = second.communicate(timeout=PATIENCE_SECONDS)
    assert second.returncode == 0, told
    assert "an earlier call, which this one has gone on with" in told
    undisturbed = start(tmp_path / "unbroken.csv")
    told, _ = undisturbed.communicate(timeout=PATIENCE_SECONDS)
    assert undisturbed.returncode == 0, told
    assert [row[0] for row in read_csv(output)[1:]] == [str(at) for at in range(4000)]
    assert output.read_bytes() == (tmp_path / "unbroken.csv").read_bytes()


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert process.poll() is None, "it has ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.002)
