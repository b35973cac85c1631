"""Tables are read whatever they are written in; what cannot be read is told with its place and a way out."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beatingbert.errors import DataError, SettingsError, UnknownNameError
from beatingbert.tables import raw, sample
from beatingbert.tables.own import OwnData, read_own
from beatingbert.tables.sample import keep

Write = Callable[..., Path]
ROWS = [(f"Das ist der Text Nummer {at}, schön und gut", "gut" if at % 3 else "schlecht") for at in range(60)]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(content: str | bytes, name: str = "table.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return to_file


def as_csv(rows: list[tuple[str, ...]], *, header: tuple[str, ...] | None = ("text", "label"), **form: Any) -> str:
    file = io.StringIO()
    csv.writer(file, **form).writerows([*([header] if header else []), *rows])
    return file.getvalue()


def cells(own: OwnData) -> list[tuple[str | None, str | None]]:
    (part,) = own.parts.values()
    return [(row.text, row.label) for row in part.rows]


def kinds(own: OwnData) -> dict[str, int]:
    return {finding.kind: finding.count for finding in own.findings}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_encoding_and_delimiter_gives_the_same_cells(write: Write, encoding: str, delimiter: str) -> None:
    own = read_own(write(as_csv(ROWS, delimiter=delimiter), encoding=encoding))
    assert cells(own) == ROWS
    assert own.parts["rows"].rows[-1].number == 60


def test_json_lines_a_json_list_parquet_and_data_frames_give_the_same_cells(write: Write, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    objects = [{"id": at, "text": text, "label": label} for at, (text, label) in enumerate(ROWS)]
    frame = pandas.DataFrame(objects)
    frame.to_parquet(tmp_path / "t.parquet")
    lines = "".join(json.dumps(one) + "\n\n" for one in objects)
    for source in (
        write(lines, "t.jsonl"),
        write(lines, "t.data"),
        write(json.dumps(objects), "t.json"),
        tmp_path / "t.parquet",
        frame,
    ):
        assert cells(read_own(source)) == ROWS


def test_gaps_of_a_data_frame_are_empty_cells_and_whole_numbers_have_no_point() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": [*["a longer text here"] * 3, None], "label": [1, 2, None, 2]})
    assert [label for _, label in cells(read_own(frame, text="text", label="label"))] == ["1", "2", None, "2"]
    assert cells(read_own(frame, text="text", label="label"))[3][0] is None


def test_a_test_file_goes_beside_and_a_data_frame_too(write: Write) -> None:
    pandas = pytest.importorskip("pandas")
    train, test = write(as_csv(ROWS)), write(as_csv(ROWS[:5]), "other.csv")
    assert {name: len(part.rows) for name, part in read_own(train, test=test).parts.items()} == {"train": 60, "test": 5}
    frame = pandas.DataFrame(ROWS, columns=["text", "label"])
    assert set(read_own(frame, test=frame[:5]).parts) == {"train", "test"}
    with pytest.raises(DataError, match="to learn from and to be tested on"):
        read_own(train, test=train)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=("Cs",)), max_size=30)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(TEXT, min_size=12, max_size=30),
    delimiter=st.sampled_from([",", ";", "|"]),
    ends=st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_csv_writer_writes_comes_back(write: Write, texts: list[str], delimiter: str, ends: str) -> None:
    rows = [(f"{text} said number {at}", "yes" if at % 2 else "no") for at, text in enumerate(texts)]
    content = as_csv(rows, delimiter=delimiter, lineterminator=ends)
    assert cells(read_own(write(content), delimiter=delimiter)) == rows


def test_a_file_that_is_utf8_but_for_some_rows_is_read_in_both_encodings(write: Write) -> None:
    lines = as_csv(ROWS).encode().splitlines(keepends=True)
    lines[5:7] = [line.decode().encode("cp1252") for line in lines[5:7]]
    own = read_own(write(b"".join(lines)))
    assert cells(own) == ROWS
    assert kinds(own) == {"mixed encodings": 2}


def test_nul_bytes_are_left_out_and_counted(write: Write) -> None:
    own = read_own(write(as_csv(ROWS).replace("Nummer 7,", "Num\0mer\0 7,")))
    assert cells(own) == ROWS
    assert kinds(own) == {"NUL bytes": 2}


def test_emoji_and_right_to_left_text_come_through(write: Write) -> None:
    rows = [("👩‍👩‍👧 שלום עולם مرحبا بالعالم " + text, label) for text, label in ROWS]
    assert cells(read_own(write(as_csv(rows)))) == rows


def test_a_text_of_a_megabyte_is_kept_whole(write: Write) -> None:
    rows = [*ROWS[:20], ("lang, " * 200_000, "gut"), *ROWS[20:]]
    before = csv.field_size_limit()
    assert cells(read_own(write(as_csv(rows)))) == rows
    assert csv.field_size_limit() == before


def test_commas_that_nobody_quoted_belong_to_the_text(write: Write) -> None:
    content = "label,text\n" + "".join(f"{'ham' if at % 2 else 'spam'},hello number {at}\n" for at in range(40))
    own = read_own(write(content + "ham,one, two, three\nspam,and this\n"))
    assert cells(own)[40] == ("one, two, three", "ham")
    assert kinds(own) == {"spilled text": 1}


def test_a_row_whose_fields_are_in_disorder_is_set_aside(write: Write) -> None:
    content = "text,label\n" + "".join(f"hello number {at},{'ham' if at % 2 else 'spam'}\n" for at in range(40))
    own = read_own(write(content + "so, it is,ham\nso, it is,odd\nshort\n"))
    assert cells(own)[40:] == [("so, it is", "ham"), ("short", None)]
    assert kinds(own) == {"spilled text": 1, "broken rows": 1, "short rows": 1}


def test_quotes_in_a_table_with_tabs_are_letters_unless_all_of_them_quote(write: Write) -> None:
    loose = "label\ttext\n" + "".join(f'{"a" if at % 2 else "b"}\t"Well" said he, {at} times\n' for at in range(30))
    assert cells(read_own(write(loose, "t.tsv")))[0][0] == '"Well" said he, 0 times'
    rows = [(f"a text\twith a tab\nand a line {at}", "x" if at % 2 else "y") for at in range(30)]
    assert cells(read_own(write(as_csv(rows, delimiter="\t"), "t.tsv"))) == rows


def test_a_quote_out_of_place_is_told(write: Write) -> None:
    own = read_own(write(as_csv(ROWS) + '"quoted" and not,gut\n'))
    assert cells(own)[-1] == ("quoted and not", "gut")
    assert kinds(own) == {"stray quotes": 1}


def test_a_quote_that_is_never_closed_is_an_error_or_a_letter(write: Write) -> None:
    plain = "".join(f"text of number {at},{'a' if at % 2 else 'b'}\n" for at in range(30))
    own = read_own(write('text,label\n"open,a\n' + plain))
    assert cells(own)[0] == ('"open', "a")
    assert kinds(own) == {"stray quotes": 1}
    with pytest.raises(DataError, match=r"line 2: a quotation mark is opened and never closed"):
        read_own(write('text,label\n"open,a\n' + plain + "a,b,c\n" * 9))


@pytest.mark.parametrize(
    ("first", "header"),
    [("text,label\n", True), ("v1,v2\n", True), ("", False), ("12,3\n", False)],
)
def test_a_header_is_told_from_a_row(write: Write, first: str, header: bool) -> None:
    own = read_own(write(first + as_csv(ROWS, header=None)), text=None)
    assert own.parts["rows"].reading.header is header


@pytest.mark.parametrize("name", ["no_such.csv", "folder"])
def test_what_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"no file|no file in the folder"):
        read_own(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "t.csv", "found an empty file"),
        (b"text,label\n", "t.csv", "expected rows, found none but a header"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 99, "t.xls", "an Excel workbook"),
        (b"PAR1" + b"x" * 99, "t.parquet", "expected a whole Parquet file"),
        (b"\x1f\x8b" + b"x" * 99, "t.csv.gz", "expected a whole archive"),
        (b"PK\x03\x04" + b"x" * 99, "t.zip", "expected a whole zip file"),
        (bytes(range(256)) * 2 + b"\0\0\0" * 200, "t.csv", "found one with .* NUL bytes"),
        (b'{"text": "a"}\n{"text": \n', "t.jsonl", "line 2: expected one JSON object a line"),
        (b'[{"text": "a"}, 3]', "t.json", "row 2: expected a JSON object, found int"),
        (b'{"text": "a b c", "label": ["x", "y"]}\n' * 3, "t.jsonl", "several labels to a row are not supported"),
        (b"just one line\nand another\n" * 20, "t.txt", "Name it with --text"),
    ],
)
def test_what_cannot_be_read_is_told(write: Write, content: bytes, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_own(write(content, name), **({"text": "text", "label": "label"} if "several" in message else {}))


def test_a_workbook_and_a_zip_file_of_two_tables_are_refused(tmp_path: Path) -> None:
    for members, message in ((["xl/workbook.xml"], "an Excel workbook"), (["a.csv", "b.csv"], "found a.csv, b.csv")):
        with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
            for member in members:
                archive.writestr(member, "text,label\n")
        with pytest.raises(DataError, match=message):
            read_own(tmp_path / "t.zip")


def test_a_wrong_column_is_told_with_the_closest(write: Write) -> None:
    path = write(as_csv(ROWS, header=("review_text", "label")))
    with pytest.raises(UnknownNameError, match=r"unknown column 'reviewtext'\. Did you mean 'review_text'\?"):
        read_own(path, text="reviewtext")
    with pytest.raises(SettingsError, match="one column was given two roles"):
        read_own(path, text="label", label="label")


def test_a_test_file_without_the_columns_is_told(write: Write) -> None:
    with pytest.raises(UnknownNameError, match="must have the columns of the file learnt from"):
        read_own(write(as_csv(ROWS)), test=write(as_csv(ROWS, header=("text", "class")), "other.csv"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [({"encoding": "utf-9"}, "unknown encoding"), ({"encoding": "base64"}, "no encoding of text")],
)
def test_an_unknown_encoding_is_told(write: Write, flags: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_own(write(as_csv(ROWS)), **flags)


def test_an_unknown_delimiter_is_told_and_a_named_one_taken(write: Write) -> None:
    path = write(as_csv(ROWS, delimiter="~"))
    with pytest.raises(SettingsError, match="delimiter must be one letter or one of comma"):
        read_own(path, delimiter="tabs")
    assert cells(read_own(path, delimiter="~")) == ROWS
    assert cells(read_own(write(as_csv(ROWS, delimiter="\t")), delimiter="tab")) == ROWS


def test_a_table_above_the_limit_is_sampled_evenly_and_told(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw, "keep", lambda rows: keep(rows, most=50))
    rows = [(f"a text of number {at}", "a" if at % 5 else "b") for at in range(1000)]
    own = read_own(write(as_csv(rows)))
    (part,) = own.parts.values()
    assert (len(part.rows), part.reading.total, kinds(own)) == (50, 1000, {"sample": 50})
    assert all(row.text == f"a text of number {row.number - 1}" for row in part.rows)


def test_every_row_has_the_same_chance_to_be_kept() -> None:
    kept = [
        number for draw in range(400) for number, _ in keep(([""] for _ in range(40)), most=10, purpose=str(draw)).rows
    ]
    share = [kept.count(number) / 400 for number in range(1, 41)]
    assert max(abs(one - 0.25) for one in share) < 0.1  # more than four standard deviations
    assert keep([["x" * 10]] * 100, letters=45).total == 100
    assert len(keep([["x" * 10]] * 100, letters=45).rows) == 5


def test_a_folder_of_splits_is_read_and_other_files_are_told(tmp_path: Path) -> None:
    for name in ("train.csv", "dev.csv", "x_test.csv", "notes.md"):
        (tmp_path / name).write_text(as_csv(ROWS), encoding="utf-8")
    own = read_own(tmp_path)
    assert set(own.parts) == {"train", "validation", "test"}
    assert own.findings[-1].examples == ("notes.md",)
    (tmp_path / "test.csv").write_text("x", encoding="utf-8")
    with pytest.raises(DataError, match="more than one file looks like test"):
        read_own(tmp_path)


def test_columns_of_a_pair_are_known_by_their_names_and_a_lonely_label_is_not_asked_about(write: Write) -> None:
    rows = [
        (str(at), f"A man walks number {at}", f"Someone moves number {at}", "yes no maybe".split()[at % 3])
        for at in range(60)
    ]
    own = read_own(write(as_csv(rows, header=("id", "sentence1", "sentence2", "gold_label"))))
    assert (own.columns.text, own.columns.text_pair, own.columns.label) == ("sentence1", "sentence2", "gold_label")
    assert own.doubts == ()


def test_the_limits_are_what_the_documentation_says() -> None:
    assert (sample.MOST_ROWS, sample.MOST_LETTERS) == (200_000, 200_000_000)
